//! Which rows are held out, and which make up each batch.

use rand::seq::SliceRandom;

use super::seed;

/// Shuffled passes over the rows that are trained on.
pub(crate) struct Batches {
    order: Vec<usize>,
    seed: u64,
    epoch: usize,
    next: usize,
}

impl Batches {
    /// Splits `rows` rows; returns the batches and the held-out rows, ascending.
    pub(crate) fn split(rows: usize, held_out: usize, seed: u64) -> (Self, Vec<usize>) {
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut seed::rng(seed, "sae/held-out"));
        let mut out = order.split_off(rows - held_out);
        out.sort_unstable();
        order.sort_unstable();
        let mut batches = Self {
            order,
            seed,
            epoch: 0,
            next: 0,
        };
        batches.shuffle();
        (batches, out)
    }

    fn shuffle(&mut self) {
        self.order
            .shuffle(&mut seed::rng(self.seed, &format!("sae/batches/epoch={}", self.epoch)));
        self.next = 0;
    }

    /// The next `size` rows. A rest that does not fill a batch is left out of its pass.
    pub(crate) fn take(&mut self, size: usize) -> &[usize] {
        if self.next + size > self.order.len() {
            self.epoch += 1;
            self.shuffle();
        }
        self.next += size;
        &self.order[self.next - size..self.next]
    }

    /// The first rows of the current pass, at most `size`: a random sample.
    pub(crate) fn sample(&self, size: usize) -> &[usize] {
        &self.order[..size.min(self.order.len())]
    }
}
