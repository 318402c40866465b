//! Sparsity and reconstruction over activations that come in blocks.

use crate::{Sae, SparseLatents};

/// Measures rows as they pass, once; the counterpart of [`crate::evaluate`] for streams.
///
/// Variance about a mean that is not known yet: per component, blocks are merged with the pairwise update of Chan, Golub and `LeVeque`
/// (1983), in f64, so that a large mean costs no digits.
#[derive(Clone, Debug)]
pub struct Tally {
    fired: Vec<bool>,
    active: u64,
    rows: u64,
    /// Rows that came with a reconstruction.
    compared: u64,
    error: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

/// What a [`Tally`] found.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Measured {
    /// Rows.
    pub rows: u64,
    /// Mean number of active latents per row.
    pub l0: f64,
    /// Share of latents that are active in none of the rows.
    pub dead_share: f64,
    /// As [`crate::Quality::explained_variance`]; `None` without reconstructions, or where the rows do not vary.
    pub explained_variance: Option<f64>,
    /// As [`crate::Quality::mse`]; `None` without reconstructions.
    pub mse: Option<f64>,
}

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(sae: &Sae) -> Self {
        Self {
            fired: vec![false; sae.d_sae()],
            active: 0,
            rows: 0,
            compared: 0,
            error: 0.0,
            mean: vec![0.0; sae.d_out()],
            squares: vec![0.0; sae.d_out()],
        }
    }

    /// Counts the latents of some rows.
    pub fn add_latents(&mut self, latents: &SparseLatents) {
        for row in 0..latents.rows() {
            let (index, _) = latents.row(row);
            self.active += index.len() as u64;
            for &latent in index {
                self.fired[latent as usize] = true;
            }
        }
        self.rows += latents.rows() as u64;
    }

    /// Counts latents and compares reconstructions with what they stand for.
    ///
    /// # Shapes
    /// - `target`, `recon`: `[n, d_out]`, `n` rows as in `latents`
    ///
    /// # Panics
    /// If the rows disagree.
    pub fn add(&mut self, target: &[f32], recon: &[f32], latents: &SparseLatents) {
        let width = self.mean.len();
        let n = latents.rows();
        assert_eq!(
            (target.len(), recon.len()),
            (n * width, n * width),
            "rows of another size"
        );
        self.add_latents(latents);
        if n == 0 {
            return;
        }
        let count = n as f64;
        let mut mean = vec![0f64; width];
        for row in target.chunks_exact(width) {
            for (mean, &value) in mean.iter_mut().zip(row) {
                *mean += f64::from(value) / count;
            }
        }
        let mut squares = vec![0f64; width];
        for row in target.chunks_exact(width) {
            for ((square, mean), &value) in squares.iter_mut().zip(&mean).zip(row) {
                *square += (f64::from(value) - mean).powi(2);
            }
        }
        let before = self.compared as f64;
        let total = before + count;
        for i in 0..width {
            let shift = mean[i] - self.mean[i];
            self.squares[i] += squares[i] + shift * shift * before * count / total;
            self.mean[i] += shift * count / total;
        }
        self.compared += n as u64;
        let error = target
            .iter()
            .zip(recon)
            .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
        self.error += error.sum::<f64>();
    }

    /// The result so far.
    #[must_use]
    pub fn finish(&self) -> Measured {
        let variance: f64 = self.squares.iter().sum();
        let compared = (self.compared > 0).then_some(self.compared as f64);
        Measured {
            rows: self.rows,
            l0: self.active as f64 / self.rows.max(1) as f64,
            dead_share: self.fired.iter().filter(|&&fired| !fired).count() as f64 / self.fired.len() as f64,
            explained_variance: compared.filter(|_| variance > 0.0).map(|_| 1.0 - self.error / variance),
            mse: compared.map(|rows| self.error / rows),
        }
    }
}
