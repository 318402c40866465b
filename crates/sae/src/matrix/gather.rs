//! Single latents: decoder rows of active latents, encoder columns of chosen ones.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{Matrix, extend};

/// Latents that are gathered at a time: what they fill stays in the second-level cache.
const TILE: usize = 64;

impl Matrix {
    /// The vector of one latent.
    pub(crate) fn latent(&self, latent: usize) -> Cow<'_, [f32]> {
        match self.rows() {
            Some(rows) => Cow::Borrowed(&rows[latent * self.width..][..self.width]),
            None => Cow::Owned(self.gather(&[latent])),
        }
    }

    /// All values, if they lie somewhere as f32, one row per latent.
    pub(crate) fn rows(&self) -> Option<&[f32]> {
        self.whole().filter(|_| self.by_latent)
    }

    /// The vectors of chosen latents, in any order.
    ///
    /// # Shapes
    /// - returns: `[latents, width]`
    pub(crate) fn gather(&self, latents: &[usize]) -> Vec<f32> {
        let mut out = vec![0.0; latents.len() * self.width];
        out.par_chunks_mut(TILE * self.width)
            .zip(latents.par_chunks(TILE))
            .for_each(|(out, latents)| self.gather_tile(latents, out));
        out
    }

    fn gather_tile(&self, latents: &[usize], out: &mut [f32]) {
        let width = self.width;
        if let Some(values) = self.whole() {
            if self.by_latent {
                for (out, &latent) in out.chunks_exact_mut(width).zip(latents) {
                    out.copy_from_slice(&values[latent * width..][..width]);
                }
            } else {
                for (at, row) in values.chunks_exact(self.latents).enumerate() {
                    for (out, &latent) in out.chunks_exact_mut(width).zip(latents) {
                        out[at] = row[latent];
                    }
                }
            }
            return;
        }
        let view = self.view();
        let mut buffer = Vec::new();
        if self.by_latent {
            for (out, &latent) in out.chunks_exact_mut(width).zip(latents) {
                buffer.clear();
                extend(&view, latent * width..(latent + 1) * width, &mut buffer);
                out.copy_from_slice(&buffer);
            }
        } else {
            // Along the stored rows: neighbouring latents share pages and sometimes cache lines.
            for at in 0..width {
                let row = at * self.latents;
                buffer.clear();
                for &latent in latents {
                    extend(&view, row + latent..row + latent + 1, &mut buffer);
                }
                for (out, &value) in out.chunks_exact_mut(width).zip(&buffer) {
                    out[at] = value;
                }
            }
        }
        for (out, &latent) in out.chunks_exact_mut(width).zip(latents) {
            for factor in self.factors() {
                factor.apply(out, latent..latent + 1, true);
            }
        }
    }
}
