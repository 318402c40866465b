//! Words whose letters are read off the first columns of their vectors: a read-out without a model.

use ablation::effects::LetterLogits;
use ablation::{Labelled, Readout, Result};

/// Vectors with letters; the answer's logit of class `c` is `gain x_c`, those of letters that take no part are `floor`.
pub(crate) struct Linear {
    pub(crate) words: Labelled,
    pub(crate) gain: f32,
    pub(crate) floor: f32,
    /// Example sets, dealt out in turn to rounds of the classes.
    pub(crate) sets: usize,
}

impl Linear {
    /// Words of the classes in turn; `value(class, column)` gives each component.
    pub(crate) fn new(words: usize, d: usize, classes: usize, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let y: Vec<usize> = (0..words).map(|word| word % classes).collect();
        let mut x = Vec::with_capacity(words * d);
        for &class in &y {
            x.extend((0..d).map(|column| value(class, column) as f32));
        }
        Self {
            words: Labelled { x, y, d, classes },
            gain: 1.0,
            floor: -3.0,
            sets: 1,
        }
    }
}

impl Readout for Linear {
    fn rows(&self) -> usize {
        self.words.n()
    }

    fn d(&self) -> usize {
        self.words.d
    }

    fn site(&self, row: usize) -> &[f32] {
        self.words.row(row)
    }

    fn set(&self, row: usize) -> u32 {
        (row / self.words.classes % self.sets) as u32
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        assert_eq!(vectors.len(), rows.len() * self.words.d);
        let logits = vectors.chunks_exact(self.words.d).map(|x| {
            let mut logits = [self.floor; 26];
            for (logit, x) in logits.iter_mut().zip(&x[..self.words.classes]) {
                *logit = self.gain * x;
            }
            logits
        });
        Ok(logits.collect())
    }
}
