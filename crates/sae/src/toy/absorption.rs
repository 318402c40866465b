//! Has the child's latent taken over its parent's firing?

use serde::{Deserialize, Serialize};

use super::ToySae;

/// What became of the parent's latent where the child fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsorptionVerdict {
    /// It fires as without the child.
    Absent,
    /// It fires, but less.
    Partial,
    /// It does not fire; the child's latent stands for both.
    Full,
    /// No latent is recognisably the parent's, or none the child's: the features were not found.
    Unclear,
}

/// The activations that tell, all magnitudes being 1, and the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absorption {
    /// Parent's latent where the parent fires alone.
    pub parent_alone: f64,
    /// Parent's latent where both fire.
    pub parent_with_child: f64,
    /// Child's latent where both fire.
    pub child_with_parent: f64,
    /// Child's latent where the child fires alone.
    pub child_alone: f64,
    /// Cosine of the child's decoder row with the parent feature.
    pub parent_in_child: f64,
    /// The verdict.
    pub verdict: AbsorptionVerdict,
}

/// Share of the parent's activation that counts as all of it, or as nothing when it is lost.
const TOLERANCE: f64 = 0.05;
/// Least activation, and least encoder cosine in the span, of a latent that stands for a feature.
const RECOGNISED: f64 = 0.5;

impl Absorption {
    /// Share of its activation that the parent's latent keeps when the child fires too: 1 without absorption, 0 with full absorption.
    #[must_use]
    pub fn kept(&self) -> f64 {
        self.parent_with_child / self.parent_alone
    }
}

/// Probes an autoencoder with the parent alone, both, and the child alone (Chanin et al. 2025, section 3).
///
/// Latents are those of [`super::Cosines::latent_of_feature`]. Absent means that the parent's latent keeps at least 95% of its
/// activation when the child fires too, full that it keeps at most 5%.
#[must_use]
pub fn absorption(sae: &ToySae) -> Absorption {
    let cosines = sae.cosines();
    let order = cosines.latent_of_feature();
    let (parent, child) = (order[0], order[1]);
    let (alone, both, other) = (
        sae.activations(&[1.0]),
        sae.activations(&[1.0, 1.0]),
        sae.activations(&[0.0, 1.0]),
    );
    let mut out = Absorption {
        parent_alone: alone[parent],
        parent_with_child: both[parent],
        child_with_parent: both[child],
        child_alone: other[child],
        parent_in_child: cosines.decoder[child][0],
        verdict: AbsorptionVerdict::Unclear,
    };
    let found = [
        out.parent_alone,
        out.child_with_parent,
        cosines.encoder_in_span[parent][0],
        cosines.encoder_in_span[child][1],
    ];
    if found.iter().all(|&value| value >= RECOGNISED) {
        out.verdict = match out.kept() {
            kept if kept >= 1.0 - TOLERANCE => AbsorptionVerdict::Absent,
            kept if kept <= TOLERANCE => AbsorptionVerdict::Full,
            _ => AbsorptionVerdict::Partial,
        };
    }
    out
}
