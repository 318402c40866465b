//! An SAE's side of the arms: sets of latents brought to their off-class means.

use sae::{Sae, SparseLatents};

use super::Arm;
use crate::directions::Labelled;
use crate::editor::{Editor, Reader, Term};
use crate::error::{AblationError, Result};
use crate::select::contribution_scale;

/// An SAE with everything that its arms need from the train words.
pub struct SaeSide<'a> {
    /// The autoencoder.
    pub sae: &'a Sae,
    /// Latents of the train words, one row each.
    pub train: SparseLatents,
    /// `E[z_j | y != c]`, `[classes][d_sae]`.
    off_mean: Vec<Vec<f64>>,
}

impl<'a> SaeSide<'a> {
    /// Encodes the train words and takes their off-class means.
    ///
    /// # Errors
    /// The SAE is of another width than the vectors.
    pub fn new(sae: &'a Sae, train: &Labelled) -> Result<Self> {
        if sae.d_in() != train.d {
            return Err(AblationError::Edit(format!(
                "the SAE reads vectors of width {}, the model's stream has width {}\nhint: choose an SAE that was trained on this model",
                sae.d_in(),
                train.d
            )));
        }
        Self::with_latents(sae, sae.encode(&train.x), train)
    }

    /// The same of train words that were encoded before, whose labels may be others now.
    ///
    /// # Errors
    /// There is not one row of latents for every word.
    pub fn with_latents(sae: &'a Sae, latents: SparseLatents, train: &Labelled) -> Result<Self> {
        if latents.rows() != train.n() {
            return Err(AblationError::Edit(format!(
                "{} rows of latents for {} train words",
                latents.rows(),
                train.n()
            )));
        }
        let width = latents.width();
        let mut sums = vec![vec![0.0; width]; train.classes];
        let mut counts = vec![0usize; train.classes];
        for i in 0..train.n() {
            counts[train.y[i]] += 1;
            let (index, value) = latents.row(i);
            let scale = contribution_scale(&latents, i);
            for (&j, &z) in index.iter().zip(value) {
                sums[train.y[i]][j as usize] += f64::from(z * scale);
            }
        }
        let total: Vec<f64> = (0..width).map(|j| sums.iter().map(|s| s[j]).sum()).collect();
        let off_mean = (0..train.classes)
            .map(|c| {
                let n = (train.n() - counts[c]).max(1) as f64;
                total.iter().zip(&sums[c]).map(|(all, own)| (all - own) / n).collect()
            })
            .collect();
        Ok(Self {
            sae,
            train: latents,
            off_mean,
        })
    }

    /// `E[z_j | y != class]` of every latent on train words, on the scale of the vector, `[d_sae]`.
    #[must_use]
    pub fn off_mean(&self, class: usize) -> &[f64] {
        &self.off_mean[class]
    }

    /// The editor that brings a set of latents to their off-class means.
    #[must_use]
    pub fn editor(&self, latents: &[u32], class: usize) -> Editor {
        self.editor_writing(latents, class, |latent| {
            let row = self.sae.decoder_row(latent as usize);
            row.iter().map(|&w| f64::from(w)).collect()
        })
    }

    /// The same with other writes than the decoder's rows.
    pub(super) fn editor_writing(&self, latents: &[u32], class: usize, write: impl Fn(u32) -> Vec<f64>) -> Editor {
        let term = |&latent: &u32| Term {
            reader: Reader::Latent { latent },
            write: write(latent),
            target: self.off_mean[class][latent as usize],
        };
        Editor::Terms {
            terms: latents.iter().map(term).collect(),
            dose: 1.0,
        }
    }

    /// An arm from one latent set per class.
    #[must_use]
    pub fn arm(&self, name: &str, sets: &[Vec<u32>]) -> Arm {
        Arm::fixed(
            name,
            sets.iter().enumerate().map(|(c, set)| self.editor(set, c)).collect(),
        )
    }
}
