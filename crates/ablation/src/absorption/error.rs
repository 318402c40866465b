//! What makes an absorption score undefined.

/// Why absorption cannot be scored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AbsorptionError {
    /// A number that is NaN or infinite.
    #[error("{what} is not finite: {value}")]
    NonFinite {
        /// Which number.
        what: &'static str,
        /// The value.
        value: f64,
    },
    /// Two arrays that must fit each other do not.
    #[error("{what}: expected {expected} values, found {found}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Values it should have.
        expected: usize,
        /// Values it has.
        found: usize,
    },
    /// A latent that the SAE does not have.
    #[error("latent {latent} is not below the width {width}")]
    Latent {
        /// The latent.
        latent: u32,
        /// Number of latents.
        width: usize,
    },
    /// A latent that is listed twice.
    #[error("latent {latent} is listed twice")]
    Twice {
        /// The latent.
        latent: u32,
    },
    /// A count that cannot be, for example more words than probe true positives.
    #[error("letter {letter}: {found} {what}, at most {most} are possible")]
    Count {
        /// The letter.
        letter: char,
        /// What is counted.
        what: &'static str,
        /// The count.
        found: usize,
        /// The largest possible count.
        most: usize,
    },
    /// Rows of one letter that contradict each other.
    #[error("letter {letter}: its rows disagree on {what}")]
    Rows {
        /// The letter.
        letter: char,
        /// On what.
        what: &'static str,
    },
    /// A setting outside its range.
    #[error("{name} is {value}, but must be {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// Too few letters for a mean and a standard deviation.
    #[error("{found} letters have a score, at least {needed} are needed")]
    Letters {
        /// Letters with a score.
        found: usize,
        /// Letters needed.
        needed: usize,
    },
}

/// Refuses NaN and infinity.
pub(super) fn finite(what: &'static str, value: f64) -> Result<f64, AbsorptionError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(AbsorptionError::NonFinite { what, value })
    }
}
