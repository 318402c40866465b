//! Blocks of consecutive latents: for products, for walks over all latents, for norms and for the check of all values.

use std::borrow::Cow;
use std::ops::Range;

use kernels::{Layout, math};
use rayon::prelude::*;

use super::{Matrix, Values, extend};

/// Latents of a block where the caller does not choose.
const BLOCK: usize = 512;
/// Values that are checked at a time.
const CHECKED: usize = 1 << 18;

impl Matrix {
    /// Some latents as stored, `[n, width]` or `[width, n]`, into `out`.
    fn read(&self, latents: Range<usize>, out: &mut Vec<f32>) {
        out.clear();
        let (width, n) = (self.width, latents.len());
        match &self.values {
            Values::Resident(values) if self.by_latent => {
                out.extend_from_slice(&values[latents.start * width..latents.end * width]);
            }
            Values::Resident(values) => {
                for row in values.chunks_exact(self.latents) {
                    out.extend_from_slice(&row[latents.clone()]);
                }
            }
            Values::Stored { factors, .. } => {
                let view = self.view();
                out.reserve(n * width);
                if self.by_latent {
                    extend(&view, latents.start * width..latents.end * width, out);
                } else {
                    for row in 0..width {
                        let at = row * self.latents;
                        extend(&view, at + latents.start..at + latents.end, out);
                    }
                }
                for factor in factors {
                    factor.apply(out, latents.clone(), self.by_latent);
                }
            }
        }
    }

    /// Some latents as the right operand `[width, n]` of a product; `scratch` holds it where it has to be widened.
    pub(crate) fn operand<'a>(&'a self, latents: Range<usize>, scratch: &'a mut Vec<f32>) -> (&'a [f32], Layout) {
        let (n, start) = (latents.len(), latents.start);
        match (self.whole(), self.by_latent) {
            (Some(values), true) => (values, Layout::transposed(self.width).at(start * self.width)),
            (Some(values), false) => (values, Layout::rows(self.latents).at(start)),
            (None, by_latent) => {
                self.read(latents, scratch);
                let layout = if by_latent {
                    Layout::transposed(self.width)
                } else {
                    Layout::rows(n)
                };
                (scratch, layout)
            }
        }
    }

    /// Some latents as `[n, width]` if `by_latent`, else `[width, n]`.
    fn block<'a>(&'a self, latents: Range<usize>, by_latent: bool, scratch: &'a mut Vec<f32>) -> Cow<'a, [f32]> {
        let n = latents.len();
        if let Some(values) = self.whole()
            && self.by_latent
            && by_latent
        {
            return Cow::Borrowed(&values[latents.start * self.width..latents.end * self.width]);
        }
        self.read(latents, scratch);
        if self.by_latent == by_latent {
            return Cow::Borrowed(scratch);
        }
        let columns = if self.by_latent { self.width } else { n };
        let rows = scratch.len() / columns;
        let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
        Cow::Owned(turned.map(|(row, column)| scratch[row * columns + column]).collect())
    }

    /// Calls `visit` with consecutive blocks of latents that cover all: `[n, width]` if `by_latent`, else `[width, n]`.
    pub(crate) fn visit(&self, by_latent: bool, mut visit: impl FnMut(Range<usize>, &[f32])) {
        let mut scratch = Vec::new();
        for latents in self.ranges() {
            visit(latents.clone(), &self.block(latents, by_latent, &mut scratch));
        }
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let latents = self.latents;
        (0..latents)
            .step_by(BLOCK)
            .map(move |start| start..latents.min(start + BLOCK))
    }

    /// Euclidean norms of the latents' vectors.
    pub(crate) fn norms(&self) -> Vec<f32> {
        let ranges: Vec<Range<usize>> = self.ranges().collect();
        let norms = |scratch: &mut Vec<f32>, latents: Range<usize>| -> Vec<f32> {
            let block = self.block(latents, true, scratch);
            let rows = block.chunks_exact(self.width);
            math::simd(
                #[inline(always)]
                || rows.map(|row| math::square_sum(row).sqrt()).collect(),
            )
        };
        let parts: Vec<Vec<f32>> = ranges.into_par_iter().map_init(Vec::new, norms).collect();
        parts.concat()
    }

    /// Where the first value that is not finite stands in memory or in the file, and the value.
    pub(crate) fn not_finite(&self) -> Option<(usize, f32)> {
        match self.whole() {
            Some(values) => values
                .par_chunks(CHECKED)
                .enumerate()
                .find_map_first(|(chunk, values)| first_not_finite(chunk * CHECKED, values)),
            // In the order of the file, which is read once from front to back.
            None if self.factors().is_empty() => {
                let chunks = 0..self.len().div_ceil(CHECKED);
                let check = |chunk: usize| {
                    let start = chunk * CHECKED;
                    let mut block = Vec::with_capacity(CHECKED);
                    extend(&self.view(), start..self.len().min(start + CHECKED), &mut block);
                    first_not_finite(start, &block)
                };
                chunks.into_par_iter().find_map_first(check)
            }
            None => {
                let ranges: Vec<Range<usize>> = self.ranges().collect();
                ranges.into_par_iter().find_map_first(|latents| {
                    let mut block = Vec::new();
                    self.read(latents.clone(), &mut block);
                    let (at, value) = first_not_finite(0, &block)?;
                    let index = if self.by_latent {
                        latents.start * self.width + at
                    } else {
                        at / latents.len() * self.latents + latents.start + at % latents.len()
                    };
                    Some((index, value))
                })
            }
        }
    }
}

/// The first value that is not finite, as (index from `start` on, value).
fn first_not_finite(start: usize, values: &[f32]) -> Option<(usize, f32)> {
    // Whole vectors without branching; almost always that is all.
    if values.iter().fold(true, |finite, value| finite & value.is_finite()) {
        return None;
    }
    let at = values.iter().position(|value| !value.is_finite())?;
    Some((start + at, values[at]))
}
