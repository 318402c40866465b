//! Rotary positions: the pair `(i, i + dims/2)` of a head turns by `position * frequency(i)`; dimensions from `dims` on stay.

use crate::config::Rope;

/// Cosines and sines for positions `0..len`, `[len, dims / 2]` each.
#[derive(Clone, Debug)]
pub(crate) struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// Angles are computed in f64 and rounded once; `transformers` computes them in f32, which
    /// differs by less than 1e-5 for the lengths used here.
    pub(crate) fn new(len: usize, rope: &Rope) -> Self {
        let half = rope.dims / 2;
        let frequencies: Vec<f64> = (0..half).map(|i| rope.frequency(i)).collect();
        let mut cos = Vec::with_capacity(len * half);
        let mut sin = Vec::with_capacity(len * half);
        for position in 0..len {
            for frequency in &frequencies {
                let angle = position as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Self { half, cos, sin }
    }

    /// The cosines and sines of one position, `[dims / 2]` each.
    #[inline]
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }

    /// Turns one head in place and multiplies it by `scale`.
    #[inline(always)]
    pub(crate) fn turn(&self, head: &mut [f32], position: usize, scale: f32) {
        let (cos, sin) = self.at(position);
        let (turned, kept) = head.split_at_mut(2 * self.half);
        for value in kept {
            *value *= scale;
        }
        let (low, high) = turned.split_at_mut(self.half);
        for (((a, b), &c), &s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
            let (x, y) = (*a * scale, *b * scale);
            *a = x * c - y * s;
            *b = y * c + x * s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scaling;

    #[test]
    fn scores_depend_on_the_distance_only() {
        let rope = Rope {
            dims: 8,
            theta: 10_000.0,
            scaling: Scaling::None,
        };
        let table = RopeTable::new(64, &rope);
        let q: Vec<f32> = (0..8).map(|i| (i as f32 + 0.5).sin()).collect();
        let k: Vec<f32> = (0..8).map(|i| (i as f32 * 1.7).cos()).collect();
        let score = |i: usize, j: usize| {
            let (mut a, mut b) = (q.clone(), k.clone());
            table.turn(&mut a, i, 1.0);
            table.turn(&mut b, j, 1.0);
            a.iter().zip(&b).map(|(x, y)| x * y).sum::<f32>()
        };
        assert!((score(9, 4) - score(41, 36)).abs() < 1e-5);
        assert!((score(9, 4) - score(9, 9)).abs() > 1e-3);
    }
}
