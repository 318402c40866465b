//! Draws from a few weighted outcomes, one random number each (Walker 1977, with the tables of Vose 1991).
//!
//! Probabilities are rounded to multiples of `2^-32`, which moves the expected count of an outcome by less than one row in
//! the hundred million of a run.

/// The tables.
pub(super) struct Alias {
    /// Bits of a draw below the slot.
    shift: u32,
    /// Per slot: below which rest the slot's own outcome is drawn, and the outcome otherwise.
    slots: Vec<(u32, u32)>,
}

impl Alias {
    /// Outcome `i` with a probability proportional to `weights[i]`; there is at least one weight and a positive one.
    pub(super) fn new(weights: &[f64]) -> Self {
        // At least two slots, so that a rest fits 31 bits and its bound 32.
        let bits = weights.len().next_power_of_two().trailing_zeros().max(1);
        let (count, shift) = (1usize << bits, 32 - bits);
        let total: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|weight| weight * count as f64 / total).collect();
        share.resize(count, 0.0);
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|&slot| share[slot] < 1.0);
        let unit = f64::from(1u32 << shift);
        let mut slots: Vec<(u32, u32)> = (0..count as u32).map(|slot| (1 << shift, slot)).collect();
        while let (Some(&donor), Some(slot)) = (large.last(), small.pop()) {
            slots[slot] = ((share[slot] * unit).round() as u32, donor as u32);
            share[donor] -= 1.0 - share[slot];
            if share[donor] < 1.0 {
                large.pop();
                small.push(donor);
            }
        }
        // What is left in `small` has share 1 up to rounding, unless it is an outcome without weight.
        if let Some(possible) = weights.iter().position(|&weight| weight > 0.0) {
            for slot in small {
                if weights.get(slot).is_none_or(|&weight| weight <= 0.0) {
                    slots[slot] = (0, possible as u32);
                }
            }
        }
        Self { shift, slots }
    }

    /// The outcome of a uniform random number.
    #[inline]
    pub(super) fn pick(&self, draw: u32) -> usize {
        let slot = draw >> self.shift;
        let rest = draw & ((1 << self.shift) - 1);
        let (bound, other) = self.slots[slot as usize];
        (if rest < bound { slot } else { other }) as usize
    }
}
