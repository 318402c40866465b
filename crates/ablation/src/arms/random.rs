//! Random directions as long, word by word, as another arm's edit: the floors of "any push of this size".
//!
//! Deliberately absent: random latents, which need an SAE (see [`crate::SaeSide::random_arm`]).

use rand::RngExt;

use super::Arm;
use crate::directions::Directions;
use crate::editor::{Editor, norm};

/// Share of the train words' variance that the components hold in which [`random_pca`] draws.
pub const PCA_SHARE: f64 = 0.9;

/// Random directions, as long per word as another arm's edit.
#[must_use]
pub fn random(control: &Arm, d: usize, draws: usize, seed: u64) -> Arm {
    let draw = |i: usize| -> Vec<Vec<f64>> {
        let mut rng = stats::seed::rng(seed, &format!("arms/random/{i}"));
        let classes = 0..control.draws[0].len();
        classes.map(|_| (0..d).map(|_| normal(&mut rng)).collect()).collect()
    };
    matched("random", control, (0..draws).map(draw))
}

/// Random directions among the data's own: uniform in the span of the largest principal components of the train words that hold
/// [`PCA_SHARE`] of their variance, as long per word as another arm's edit. Harder to beat than [`random`]: most random directions
/// are ones along which words hardly vary.
#[must_use]
pub fn random_pca(control: &Arm, directions: &Directions, draws: usize, seed: u64) -> Arm {
    let spectrum = &directions.spectrum;
    let components = spectrum.components_for(PCA_SHARE);
    let draw = |i: usize| -> Vec<Vec<f64>> {
        let mut rng = stats::seed::rng(seed, &format!("arms/random-pca/{i}"));
        let mut direction = || {
            let mut direction = vec![0.0; spectrum.d()];
            for component in 0..components {
                let along = normal(&mut rng);
                for (v, u) in direction.iter_mut().zip(spectrum.vector(component)) {
                    *v += along * u;
                }
            }
            direction
        };
        control.draws[0].iter().map(|_| direction()).collect()
    };
    matched("random-pca", control, (0..draws).map(draw))
}

/// An arm along given directions (`[draws][classes][d]`, any length), as long per word as `control`.
fn matched(name: &str, control: &Arm, draws: impl Iterator<Item = Vec<Vec<f64>>>) -> Arm {
    let editors = |directions: Vec<Vec<f64>>| -> Vec<Editor> {
        let pairs = directions.into_iter().zip(&control.draws[0]);
        pairs
            .map(|(mut direction, editor)| {
                let length = norm(&direction);
                for v in &mut direction {
                    *v /= length;
                }
                Editor::MatchedNorm {
                    direction,
                    control: Box::new(editor.clone()),
                }
            })
            .collect()
    };
    Arm {
        name: name.to_owned(),
        draws: draws.map(editors).collect(),
    }
}

/// A standard normal draw (Box-Muller).
pub(crate) fn normal(rng: &mut impl rand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
