//! Six numbers, one per destination of a read.

use serde::{Deserialize, Serialize};

/// Amounts of a read (in units of the read), or shares of it, by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// In the main latents.
    pub main: f64,
    /// In latents that stand for a part of the class.
    pub split: f64,
    /// In latents of single words or few, on words where main and split latents carry little.
    pub absorb: f64,
    /// In any other latent.
    pub diffuse: f64,
    /// What silent main and split latents would add without their threshold or top-k cut.
    pub threshold: f64,
    /// In no latent: the SAE's error, less `threshold`.
    pub dark: f64,
}

impl Terms {
    /// Names in the order of [`Terms::to_array`].
    pub const NAMES: [&'static str; 6] = ["main", "split", "absorb", "diffuse", "threshold", "dark"];

    /// The six numbers in the order of [`Terms::NAMES`].
    #[must_use]
    pub fn to_array(self) -> [f64; 6] {
        [
            self.main,
            self.split,
            self.absorb,
            self.diffuse,
            self.threshold,
            self.dark,
        ]
    }

    /// The reverse of [`Terms::to_array`].
    #[must_use]
    pub fn from_array([main, split, absorb, diffuse, threshold, dark]: [f64; 6]) -> Self {
        Self {
            main,
            split,
            absorb,
            diffuse,
            threshold,
            dark,
        }
    }

    /// All six together.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.to_array().iter().sum()
    }

    /// Each number changed alike.
    #[must_use]
    pub fn map(self, change: impl FnMut(f64) -> f64) -> Self {
        Self::from_array(self.to_array().map(change))
    }

    /// Number by number.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (a, b) = (self.to_array(), other.to_array());
        Self::from_array(std::array::from_fn(|i| a[i] + b[i]))
    }
}

/// The gap of mediated shares between the reference and the main latents of a class, divided; all in shares of the full-site effect.
///
/// `total = read + write` and `read = split + absorb + diffuse + threshold + dark`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GapTerms {
    /// `MS(reference) - MS(main latents)`.
    pub total: f64,
    /// Part of reading: the main latents miss some of what the reference reads.
    pub read: f64,
    /// Part of writing: what they write is not what the reference writes.
    pub write: f64,
    /// Part of `read` that split latents hold.
    pub split: f64,
    /// Part of `read` that absorbing latents hold.
    pub absorb: f64,
    /// Part of `read` that other latents hold.
    pub diffuse: f64,
    /// Part of `read` that thresholds cut off.
    pub threshold: f64,
    /// Part of `read` that is in no latent.
    pub dark: f64,
    /// `1 - MS(reference)`: what the reference itself does not carry.
    pub ceiling: f64,
    /// Of `diffuse`, what candidate absorbers hold where the main latents still carry the larger part.
    pub partial: f64,
    /// Of `diffuse`, what latents hold that fire on much of the class and on words of other classes too; more than `diffuse`
    /// where the rest of it is negative.
    pub shared: f64,
}

/// Parts of the read other than main, in the order `split, absorb, diffuse, threshold, dark`.
pub(super) const READERS: usize = 5;

impl GapTerms {
    /// Names in the order of [`GapTerms::to_array`].
    pub const NAMES: [&'static str; 11] = [
        "total",
        "read",
        "write",
        "split",
        "absorb",
        "diffuse",
        "threshold",
        "dark",
        "ceiling",
        "partial",
        "shared",
    ];

    /// The numbers in the order of [`GapTerms::NAMES`].
    #[must_use]
    pub fn to_array(self) -> [f64; 11] {
        [
            self.total,
            self.read,
            self.write,
            self.split,
            self.absorb,
            self.diffuse,
            self.threshold,
            self.dark,
            self.ceiling,
            self.partial,
            self.shared,
        ]
    }
}

/// Scales shares of the read so that they sum to `read`.
///
/// Where all have one sign this is proportional. Where they have not, their sum can be near zero and a ratio to it means nothing, so
/// the difference is spread in proportion to their sizes, which is the same thing in the first case.
pub(super) fn scaled_to(parts: [f64; READERS], read: f64) -> [f64; READERS] {
    let sizes: f64 = parts.iter().map(|part| part.abs()).sum();
    let missing = read - parts.iter().sum::<f64>();
    parts.map(|part| {
        let weight = if sizes > 0.0 {
            part.abs() / sizes
        } else {
            1.0 / READERS as f64
        };
        part + missing * weight
    })
}
