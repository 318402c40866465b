//! Tables 2 and 3 of the paper.
//!
//! Rows are probes, columns the activations of the parent's and of the child's latent. The paper prints one autoencoder; compare it
//! with the mean over seeds, of which each is a draw ([`super::ToyConfig::project_gradient`] says why they differ).

use super::{Setting, ToyConfig, ToySae, train};
use crate::SaeError;

/// Magnitudes of parent and child in the rows of table 2.
pub const TABLE2_PROBES: [[f64; 2]; 4] = [[1.0, 0.0], [1.0, 1.0], [0.9, 1.0], [0.75, 1.0]];
/// Table 2 as printed (Chanin et al. 2025): the parent's magnitude varies. For comparison; nothing is computed from it.
pub const TABLE2_PUBLISHED: [[f64; 2]; 4] = [[1.00, 0.00], [0.22, 1.27], [0.12, 1.27], [0.00, 1.26]];
/// Magnitudes of parent and child in the rows of table 3.
pub const TABLE3_PROBES: [[f64; 2]; 3] = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
/// Table 3 as printed (Chanin et al. 2025): the child sometimes fires alone. For comparison; nothing is computed from it.
pub const TABLE3_PUBLISHED: [[f64; 2]; 3] = [[1.00, 0.00], [0.67, 1.05], [0.00, 0.95]];

/// Activations of the parent's and of the child's latent for these magnitudes of parent and child.
#[must_use]
pub fn table_of<const R: usize>(sae: &ToySae, probes: &[[f64; 2]; R]) -> [[f64; 2]; R] {
    let order = sae.cosines().latent_of_feature();
    probes.map(|probe| {
        let latents = sae.activations(&probe);
        [latents[order[0]], latents[order[1]]]
    })
}

/// Table 2 for one seed: trains the toy with a varying parent.
///
/// # Errors
/// Those of [`train`].
pub fn table2(seed: u64) -> Result<[[f64; 2]; 4], SaeError> {
    let sae = train(&ToyConfig::new(Setting::MagnitudeVariance, seed))?;
    Ok(table_of(&sae, &TABLE2_PROBES))
}

/// Table 3 for one seed: trains the toy whose child sometimes fires alone.
///
/// # Errors
/// Those of [`train`].
pub fn table3(seed: u64) -> Result<[[f64; 2]; 3], SaeError> {
    let sae = train(&ToyConfig::new(Setting::PartialCoOccurrence, seed))?;
    Ok(table_of(&sae, &TABLE3_PROBES))
}

/// Mean and standard deviation (`n - 1`; 0 for one table) of each cell over tables of several seeds.
#[must_use]
pub fn mean_and_deviation<const R: usize>(tables: &[[[f64; 2]; R]]) -> ([[f64; 2]; R], [[f64; 2]; R]) {
    let count = tables.len() as f64;
    let (mut mean, mut deviation) = ([[0.0; 2]; R], [[0.0; 2]; R]);
    for (row, (mean, deviation)) in mean.iter_mut().zip(&mut deviation).enumerate() {
        for (column, (mean, deviation)) in mean.iter_mut().zip(deviation).enumerate() {
            let cells = tables.iter().map(|table| table[row][column]);
            *mean = cells.clone().sum::<f64>() / count;
            let squares: f64 = cells.map(|cell| (cell - *mean).powi(2)).sum();
            *deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        }
    }
    (mean, deviation)
}
