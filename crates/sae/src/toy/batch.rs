//! Batches as distinct rows with counts.
//!
//! Rows of one firing pattern are equal unless the parent's magnitude varies, so a batch is drawn as the number of its rows of
//! each pattern: the same distribution as drawing row after row, since the order of rows in a batch changes no sum.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::alias::Alias;
use super::stream;

/// Weighted rows in feature coordinates.
///
/// # Shapes
/// - `magnitudes`: `[rows, features]`, how strongly each feature is in each row
/// - `weights`: `[rows]`, how often the row is in the batch
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) magnitudes: Vec<f64>,
    pub(super) weights: Vec<f64>,
}

/// Draws batches.
pub(super) struct Sampler {
    rng: ChaCha8Rng,
    features: usize,
    deviation: f64,
    /// Firing patterns that can occur, ascending; bit `i` is feature `i`.
    patterns: Vec<u32>,
    alias: Alias,
    draws: Vec<u32>,
    counts: Vec<u32>,
    normals: Vec<f64>,
}

impl Sampler {
    pub(super) fn new(setting: Setting, rng: ChaCha8Rng) -> Self {
        let features = setting.features();
        let patterns: Vec<u32> = (0..1 << features)
            .filter(|&firing| setting.probability(firing) > 0.0)
            .collect();
        let weights: Vec<f64> = patterns.iter().map(|&firing| setting.probability(firing)).collect();
        Self {
            rng,
            features,
            deviation: setting.parent_deviation(),
            alias: Alias::new(&weights),
            counts: vec![0; patterns.len()],
            patterns,
            draws: Vec::new(),
            normals: Vec::new(),
        }
    }

    /// The next `rows` rows, merged.
    pub(super) fn draw(&mut self, rows: usize, batch: &mut Batch) {
        self.draws.resize(rows, 0);
        self.rng.fill(&mut self.draws[..]);
        self.counts.fill(0);
        for &draw in &self.draws {
            self.counts[self.alias.pick(draw)] += 1;
        }
        batch.magnitudes.clear();
        batch.weights.clear();
        for (&firing, &count) in self.patterns.iter().zip(&self.counts) {
            if count == 0 {
                continue;
            }
            if firing & 1 == 1 && self.deviation > 0.0 {
                self.normals.resize(count as usize, 0.0);
                stream::fill_normal(&mut self.rng, &mut self.normals);
                for &normal in &self.normals {
                    push(batch, firing, self.features, parent(self.deviation, normal), 1.0);
                }
            } else {
                push(batch, firing, self.features, 1.0, f64::from(count));
            }
        }
    }

    /// The next row by itself: adds its magnitudes to `out`.
    pub(super) fn row(&mut self, out: &mut Vec<f64>) {
        let firing = self.patterns[self.alias.pick(self.rng.random())];
        let mut normal = [0.0];
        if firing & 1 == 1 && self.deviation > 0.0 {
            stream::fill_normal(&mut self.rng, &mut normal);
        }
        extend(out, firing, self.features, parent(self.deviation, normal[0]));
    }
}

/// A magnitude is never negative.
fn parent(deviation: f64, normal: f64) -> f64 {
    (1.0 + deviation * normal).max(0.0)
}

fn push(batch: &mut Batch, firing: u32, features: usize, parent: f64, weight: f64) {
    extend(&mut batch.magnitudes, firing, features, parent);
    batch.weights.push(weight);
}

fn extend(out: &mut Vec<f64>, firing: u32, features: usize, parent: f64) {
    out.push(f64::from(firing & 1) * parent);
    out.extend((1..features).map(|feature| f64::from(firing >> feature & 1)));
}
