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
