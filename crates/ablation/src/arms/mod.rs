//! Arms: named families of editors, one editor per letter.
//!
//! To add an arm, write a function in one of these files that returns an [`Arm`] and list it in the runner:
//! [`directions`](self) (linear algebra), `random` (floors of edits without meaning), `sae_side` (latents of an SAE), `controls`
//! (what an SAE's arm is read against), `basis` (coordinates of a given basis), `values` (other ablation values and doses).

mod basis;
mod controls;
mod directions;
mod random;
mod sae_side;
mod values;

pub use basis::{Coordinates, ranked_coordinates};
pub use controls::{permuted, permuted_decoder, random_dictionary};
pub use directions::{diff_mean, full_site, inlp, leace_1, leace_joint, lr, lr_haufe, null, subspace};
pub use random::{PCA_SHARE, random, random_pca};
pub use sae_side::SaeSide;
pub use values::{at_dose, at_zero, resampled};

use crate::editor::Editor;

/// A named editor family.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name as it stands in tables and records.
    pub name: String,
    /// Per draw (one for arms without randomness) and class, the editor.
    pub draws: Vec<Vec<Editor>>,
}

impl Arm {
    /// An arm without randomness.
    #[must_use]
    pub fn fixed(name: &str, editors: Vec<Editor>) -> Self {
        Self {
            name: name.to_owned(),
            draws: vec![editors],
        }
    }

    /// The same editors under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }
}
