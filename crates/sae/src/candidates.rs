//! Latents of one row that are still in the running while encoding walks over the width.
//!
//! Rows are seen a block of latents at a time, in ascending order. Almost all values lose at once, so every rule here first asks
//! whole vectors of values without branching.

use kernels::math;

use crate::Architecture;

/// Values that are compared with the bar at a time.
const LANES: usize = 16;

/// What values are ranked by.
#[inline(always)]
fn rank<const MAGNITUDE: bool>(value: f32) -> f32 {
    if MAGNITUDE { value.abs() } else { value }
}

/// A number that at least `limit` of the ranks exceed, or 0: each of the `limit` vectors with the largest maxima holds one.
#[inline(always)]
fn bound<const MAGNITUDE: bool>(values: &[f32], limit: usize) -> f32 {
    let (vectors, _) = values.as_chunks::<LANES>();
    if vectors.len() < 2 * limit {
        return 0.0;
    }
    let top = |lanes: &[f32; LANES]| {
        lanes.iter().fold(0.0, |top, &value| {
            let rank = rank::<MAGNITUDE>(value);
            if rank > top { rank } else { top }
        })
    };
    let mut tops: Vec<f32> = vectors.iter().map(top).collect();
    let (_, &mut last, _) = tops.select_nth_unstable_by(limit - 1, |a, b| b.total_cmp(a));
    // The comparison with the bar is strict, and the smallest of them has to pass.
    last.next_down().max(0.0)
}

/// Latents of one row that are still in the running, as (value, latent).
pub(crate) struct Candidates {
    limit: Option<usize>,
    found: Vec<(f32, u32)>,
    /// The rank that a later latent must exceed. Equal ones lose to the earlier latent, so a strict comparison is exact.
    bar: f32,
}

impl Candidates {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            found: Vec::new(),
            bar: 0.0,
        }
    }

    /// Adds the latents whose value exceeds their own bar.
    pub(crate) fn push_above(&mut self, start: usize, values: &[f32], bars: &[f32]) {
        for (at, (values, bars)) in values.chunks(LANES).zip(bars.chunks(LANES)).enumerate() {
            // A branch-free test of a whole vector: almost all of them hold nothing.
            if values.iter().zip(bars).filter(|(value, bar)| value > bar).count() > 0 {
                let first = start + at * LANES;
                let above = values
                    .iter()
                    .zip(bars)
                    .enumerate()
                    .filter(|(_, (value, bar))| value > bar);
                self.found
                    .extend(above.map(|(lane, (&value, _))| (value, (first + lane) as u32)));
            }
        }
    }

    /// Adds the latents whose gate is open and whose magnitude is positive. `values` is `h W_enc` without a bias.
    pub(crate) fn push_gated(&mut self, start: usize, values: &[f32], gate: Gate<'_>) {
        for (lane, &value) in values.iter().enumerate() {
            if value + gate.bias[lane] > 0.0 {
                let magnitude = value * gate.scale[lane] + gate.magnitude[lane];
                if magnitude > 0.0 {
                    self.found.push((magnitude, (start + lane) as u32));
                }
            }
        }
    }

    /// Keeps the largest positive value of each run of `size` consecutive latents, the earliest of equals.
    pub(crate) fn push_grouped(&mut self, start: usize, values: &[f32], size: usize) {
        for (lane, &value) in values.iter().enumerate().filter(|&(_, &value)| value > 0.0) {
            self.offer((value, (start + lane) as u32), size);
        }
    }

    /// Keeps a candidate if it is the largest of its run so far.
    fn offer(&mut self, candidate: (f32, u32), size: usize) {
        // Latents ascend, so a run that has a candidate has the last one.
        match self.found.last_mut() {
            Some(best) if best.1 as usize / size == candidate.1 as usize / size => {
                if candidate.0 > best.0 {
                    *best = candidate;
                }
            }
            _ => self.found.push(candidate),
        }
    }

    /// Takes over what a walk over later latents found, by the rule of `architecture`. The choice is that of one walk over all.
    pub(crate) fn absorb(&mut self, later: Self, architecture: Architecture, d_sae: usize) {
        match architecture {
            Architecture::GroupMax { groups } => {
                for candidate in later.found {
                    self.offer(candidate, d_sae / groups);
                }
            }
            Architecture::Standard | Architecture::JumpRelu | Architecture::Gated => self.found.extend(later.found),
            Architecture::TopK { .. } => {
                self.found.extend(later.found);
                self.prune::<false>();
            }
            Architecture::AbsTopK { .. } => {
                self.found.extend(later.found);
                self.prune::<true>();
            }
        }
    }

    /// Adds the latents that can still be among the best.
    pub(crate) fn push_best(&mut self, start: usize, values: &[f32]) {
        self.push_ranked::<false>(start, values);
    }

    /// Adds the latents that can still be among those of largest magnitude.
    pub(crate) fn push_largest(&mut self, start: usize, values: &[f32]) {
        self.push_ranked::<true>(start, values);
    }

    fn push_ranked<const MAGNITUDE: bool>(&mut self, start: usize, values: &[f32]) {
        if let Some(limit) = self.limit {
            self.bar = self.bar.max(math::simd(
                #[inline(always)]
                || bound::<MAGNITUDE>(values, limit),
            ));
        }
        let bar = self.bar;
        math::simd(
            #[inline(always)]
            || {
                for (at, values) in values.chunks(LANES).enumerate() {
                    let above = |value: f32| rank::<MAGNITUDE>(value) > bar;
                    if values.iter().filter(|&&value| above(value)).count() > 0 {
                        let first = start + at * LANES;
                        let above = values.iter().enumerate().filter(|&(_, &value)| above(value));
                        self.found
                            .extend(above.map(|(lane, &value)| (value, (first + lane) as u32)));
                    }
                }
            },
        );
        self.prune::<MAGNITUDE>();
    }

    /// Keeps the best `limit`, largest rank first, then smallest latent.
    fn prune<const MAGNITUDE: bool>(&mut self) {
        if let Some(limit) = self.limit
            && self.found.len() > limit
        {
            let key = rank::<MAGNITUDE>;
            let (_, &mut (last, _), _) = self
                .found
                .select_nth_unstable_by(limit - 1, |a, b| key(b.0).total_cmp(&key(a.0)).then(a.1.cmp(&b.1)));
            self.bar = key(last);
            self.found.truncate(limit);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<(f32, u32)> {
        self.found.sort_unstable_by_key(|&(_, latent)| latent);
        self.found
    }
}

/// The gate of a block of latents.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    /// `b_gate`.
    pub(crate) bias: &'a [f32],
    /// `b_mag`.
    pub(crate) magnitude: &'a [f32],
    /// `e^r_mag`.
    pub(crate) scale: &'a [f32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_magnitudes_keep_their_sign_and_ties_go_to_the_earlier() {
        let values: Vec<f32> = (0..5000).map(|at| ((at * 37) % 101) as f32 - 50.0).collect();
        let mut fast = Candidates::new(Some(90));
        for (at, block) in values.chunks(1024).enumerate() {
            fast.push_largest(at * 1024, block);
        }
        let mut slow: Vec<(f32, u32)> = values.iter().zip(0..).map(|(&value, at)| (value, at)).collect();
        slow.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1)));
        slow.truncate(90);
        slow.sort_by_key(|entry| entry.1);
        assert_eq!(fast.finish(), slow);
    }

    #[test]
    fn walks_over_parts_choose_what_one_walk_chooses() {
        let values: Vec<f32> = (0..1200).map(|at| ((at * 37) % 53) as f32 - 26.0).collect();
        let top = |signed: bool| {
            let (k, rescale_acts_by_decoder_norm) = (40, false);
            if signed {
                Architecture::AbsTopK {
                    k,
                    rescale_acts_by_decoder_norm,
                }
            } else {
                Architecture::TopK {
                    k,
                    rescale_acts_by_decoder_norm,
                }
            }
        };
        for architecture in [
            top(false),
            top(true),
            Architecture::GroupMax { groups: 8 },
            Architecture::Standard,
        ] {
            let walk = |range: std::ops::Range<usize>| {
                let mut candidates = Candidates::new(architecture.limit());
                let part = &values[range.clone()];
                match architecture {
                    Architecture::TopK { .. } => candidates.push_best(range.start, part),
                    Architecture::AbsTopK { .. } => candidates.push_largest(range.start, part),
                    Architecture::GroupMax { groups } => {
                        candidates.push_grouped(range.start, part, values.len() / groups);
                    }
                    _ => candidates.push_above(range.start, part, &vec![0.0; part.len()]),
                }
                candidates
            };
            let whole = walk(0..values.len()).finish();
            for cuts in [[1, 2], [149, 151], [400, 1199], [150, 300]] {
                let mut merged = walk(0..cuts[0]);
                merged.absorb(walk(cuts[0]..cuts[1]), architecture, values.len());
                merged.absorb(walk(cuts[1]..values.len()), architecture, values.len());
                assert_eq!(merged.finish(), whole, "{architecture:?} cut at {cuts:?}");
            }
        }
    }

    #[test]
    fn a_run_keeps_its_first_largest_value_across_blocks() {
        let mut best = Candidates::new(None);
        best.push_grouped(0, &[1.0, 3.0, -1.0], 4);
        best.push_grouped(3, &[3.0, 0.0, -2.0, 0.0, -1.0, 0.5], 4);
        assert_eq!(best.finish(), [(3.0, 1), (0.5, 8)]);
    }
}
