//! The two absorption numbers: ablating the absorbing latents, and taking only the letter out of them.
//!
//! An absorbing latent stands for a word; ablating it takes the letter and the word's identity away. Taking away only what it writes
//! into the reference's read, along the reference's write, leaves the word. Where the gap is absorption, both gain the same
//! mediated share over the main latents alone, and the second does less damage: what Chanin et al. 2025 found when they projected the probe's
//! direction out of an absorbing latent is that nothing of its effect remained.
//!
//! Both are maps of a vector and its latents; neither sees a label.

use sae::SparseLatents;

use super::line::along;
use super::read::{Accounting, WordRead};
use crate::error::{AblationError, Result};
use crate::measure::{Bench, Measured, Pair};

/// The main latents' edit with the absorbing latents added in two ways.
pub struct Absorbed {
    /// Absorbing latents ablated too.
    pub full: Measured,
    /// Only their letter component taken away too.
    pub component: Measured,
    /// Words of their own class on which some absorbing latent holds a part of the read.
    pub words: usize,
}

impl Absorbed {
    /// Name of the arm that ablates main and absorbing latents.
    pub const FULL: &'static str = "sae:main+absorbers";
    /// Name of the arm that ablates main latents and takes the letter out of the absorbing ones.
    pub const COMPONENT: &'static str = "sae:main+absorbed-letter";

    /// Measures both on every pair. `latents`: those of the readout's rows.
    ///
    /// # Errors
    /// Sizes disagree, or the model refuses a run.
    pub fn measure(bench: &Bench<'_>, accounting: &Accounting<'_>, latents: &SparseLatents) -> Result<Self> {
        let x = bench.readout().sites();
        let mut reads: Vec<Option<WordRead>> = vec![None; bench.pairs().len()];
        for class in 0..accounting.references().len() {
            let own: Vec<(usize, usize)> = bench
                .pairs()
                .iter()
                .enumerate()
                .filter(|(_, pair)| pair.class == class)
                .map(|(at, pair)| (at, pair.row))
                .collect();
            let rows: Vec<usize> = own.iter().map(|&(_, row)| row).collect();
            for ((at, _), read) in own.iter().zip(accounting.words(&x, latents, class, &rows)?) {
                reads[*at] = Some(read);
            }
        }
        let means: Vec<Vec<f64>> = (0..accounting.references().len())
            .map(|class| accounting.candidate_mean(class))
            .collect();
        let read_of = |at: usize| {
            reads[at]
                .ok_or_else(|| AblationError::Edit("a pair of a class that the accounting does not have".to_owned()))
        };
        let full = bench.measure_changes(Self::FULL, |at, pair| {
            let mut delta = accounting.main_change(pair.class, latents, pair.row);
            if read_of(at)?.absorbed {
                accounting.take_candidates(&mut delta, latents, *pair, &means[pair.class]);
            }
            Ok(delta)
        })?;
        let component = bench.measure_changes(Self::COMPONENT, |at, pair| {
            let mut delta = accounting.main_change(pair.class, latents, pair.row);
            let letter = along(&accounting.references()[pair.class].write, read_of(at)?.terms.absorb);
            delta
                .iter_mut()
                .zip(letter)
                .for_each(|(delta, letter)| *delta += letter);
            Ok(delta)
        })?;
        let holds = |(pair, read): (&Pair, &Option<WordRead>)| pair.on && read.is_some_and(|r| r.terms.absorb > 0.0);
        let words = bench.pairs().iter().zip(&reads).filter(|&both| holds(both)).count();
        Ok(Self { full, component, words })
    }
}

impl Accounting<'_> {
    /// `sum_j E[z_j | y != c] W_j` over candidate absorbers, `[d_model]`.
    fn candidate_mean(&self, class: usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.side().sae.d_out()];
        for &latent in &self.partition().classes[class].absorb {
            let weight = self.side().off_mean(class)[latent as usize];
            if weight != 0.0 {
                self.add_row(&mut mean, latent, weight);
            }
        }
        mean
    }

    /// Brings the candidates of a pair's class to their means.
    fn take_candidates(&self, delta: &mut [f64], latents: &SparseLatents, pair: Pair, mean: &[f64]) {
        delta.iter_mut().zip(mean).for_each(|(delta, mean)| *delta += mean);
        let candidates = &self.partition().classes[pair.class].absorb;
        let scale = crate::select::contribution_scale(latents, pair.row);
        let (index, value) = latents.row(pair.row);
        for (&latent, &z) in index.iter().zip(value) {
            if candidates.binary_search(&latent).is_ok() {
                self.add_row(delta, latent, -f64::from(z * scale));
            }
        }
    }
}
