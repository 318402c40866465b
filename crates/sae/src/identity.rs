//! What a checkpoint was found to be: plain data for reports.
//!
//! Reading a checkpoint means deciding what every field and tensor in it does. Those decisions are kept here, one verdict each, so
//! that a reader can be shown what was used, what was left aside and why, and what was only guessed from a name.
//!
//! Deliberately absent: printing, and any judgement of the autoencoder itself.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::{Architecture, Format, Output, Reshape};

/// What became of a configuration field or a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It decides what is computed, or what is reported: how.
    Used(String),
    /// It changes no number: why.
    Ignored(String),
    /// Nobody here knows it, in a format whose own reader skips such fields.
    Unknown,
}

/// A field of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldRecord {
    /// The file it stands in.
    pub file: PathBuf,
    /// Its path, such as `metadata.hook_name`.
    pub field: String,
    /// Its value.
    pub value: Value,
    /// What became of it.
    pub verdict: Verdict,
}

/// A tensor of a weight file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorRecord {
    /// Its name.
    pub name: String,
    /// Its dimensions as stored.
    pub shape: Vec<usize>,
    /// Its element type as stored, such as `BF16`.
    pub dtype: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// A value and where it is from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it is from, in words, such as ``field `k` of `cfg.json` ``.
    pub source: String,
    /// Whether a name was interpreted, or an assumption made, instead of a field read.
    pub guess: bool,
}

impl<T> Sourced<T> {
    /// A value that a field states.
    pub(crate) fn stated(value: T, source: impl Into<String>) -> Self {
        Self {
            value,
            source: source.into(),
            guess: false,
        }
    }

    /// A value that a name suggests.
    pub(crate) fn guessed(value: T, source: impl Into<String>) -> Self {
        Self {
            value,
            source: source.into(),
            guess: true,
        }
    }
}

/// What kind of thing a [`Note`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A name was interpreted or a default assumed.
    Guess,
    /// Weights were rewritten into equal or wanted ones on reading.
    Changed,
    /// A factor that the activations may need is not in the files.
    MissingFactor,
    /// Known trouble with files like this one.
    Caution,
}

/// Something that a reader of results should see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What kind of thing it is.
    pub kind: NoteKind,
    /// The message.
    pub message: String,
}

/// What the files of an autoencoder are and how they were read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identity {
    /// The format.
    pub format: Format,
    /// Version of the library that wrote it, where the files say.
    pub version: Option<String>,
    /// Files that were read: weights first.
    pub files: Vec<PathBuf>,
    /// How pre-activations become latents.
    pub architecture: Architecture,
    /// Width of the activations.
    pub d_in: usize,
    /// Number of latents.
    pub d_sae: usize,
    /// What the decoder produces.
    pub output: Output,
    /// How the model's activations become rows.
    pub reshape_activations: Reshape,
    /// The language model.
    pub model: Option<Sourced<String>>,
    /// Where activations are taken, in `TransformerLens`'s words where the files or a guess give them.
    pub hook_in: Option<Sourced<String>>,
    /// Where the output belongs, for transcoders.
    pub hook_out: Option<Sourced<String>>,
    /// Active latents per row that the files promise.
    pub declared_l0: Option<Sourced<f64>>,
    /// Every tensor.
    pub tensors: Vec<TensorRecord>,
    /// Every field of every configuration.
    pub fields: Vec<FieldRecord>,
    /// Guesses, changes and cautions.
    pub notes: Vec<Note>,
}

/// A measured L0 far from the declared one: most mistakes in reading an autoencoder show here first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct L0Warning {
    /// What the files promise.
    pub declared: f64,
    /// What was measured.
    pub measured: f64,
}

/// Largest relative distance between declared and measured L0 that passes.
const L0_TOLERANCE: f64 = 0.3;

impl fmt::Display for L0Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { declared, measured } = self;
        write!(
            f,
            "{measured:.1} latents are active per row and {declared} were declared: wrong activations, a scale that is missing, or \
             a threshold in other units"
        )
    }
}

/// A warning if `measured` is more than 30 % away from `declared`.
#[must_use]
pub fn l0_warning(declared: f64, measured: f64) -> Option<L0Warning> {
    // Not `>`: a measurement that is not a number has to warn.
    let close = (measured - declared).abs() <= L0_TOLERANCE * declared;
    (!close).then_some(L0Warning { declared, measured })
}

impl Identity {
    /// Active latents per row that the files promise.
    #[must_use]
    pub fn declared_l0(&self) -> Option<f64> {
        self.declared_l0.as_ref().map(|declared| declared.value)
    }

    /// Notes of one kind.
    pub fn notes_of(&self, kind: NoteKind) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(move |note| note.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l0_may_be_off_by_less_than_a_third() {
        assert!(l0_warning(50.0, 64.9).is_none() && l0_warning(50.0, 35.1).is_none());
        for measured in [65.1, 34.9, 0.0, f64::NAN] {
            let warning = l0_warning(50.0, measured).expect("far away");
            assert!(warning.to_string().contains("50"), "{warning}");
        }
    }
}
