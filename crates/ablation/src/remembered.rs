//! A read-out that answers a question once.
//!
//! Sets of latents of growing size, chosen by several rules, ask about the same edited vectors again and again: a latent that is
//! silent on a word changes nothing when it joins the set. An answer depends on the row and the vector alone, bit for bit, so it can
//! be kept. Deliberately absent: a bound on what is kept; whoever holds it forgets between jobs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::effects::LetterLogits;
use crate::error::Result;
use crate::readout::Readout;

/// Answers to replaced vectors, by a hash of row and vector. Of 128 bits: a wrong answer needs two of a million questions to agree in
/// all of them, one chance in 10^26.
type Known = HashMap<[u64; 2], LetterLogits>;

/// A read-out and what it has answered.
pub struct Remembered<'a> {
    inner: &'a dyn Readout,
    known: Mutex<Known>,
}

impl<'a> Remembered<'a> {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(inner: &'a dyn Readout) -> Self {
        Self {
            inner,
            known: Mutex::new(Known::new()),
        }
    }

    /// Drops all answers.
    pub fn forget(&self) {
        *self.known() = Known::new();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Answers are put in whole, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(row: usize, vector: &[f32]) -> [u64; 2] {
    [0, 1].map(|half| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(half);
        hasher.write_usize(row);
        hasher.write(bytemuck::cast_slice(vector));
        hasher.finish()
    })
}

impl Readout for Remembered<'_> {
    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn d(&self) -> usize {
        self.inner.d()
    }

    fn site(&self, row: usize) -> &[f32] {
        self.inner.site(row)
    }

    fn set(&self, row: usize) -> u32 {
        self.inner.set(row)
    }

    fn most_edits(&self) -> usize {
        self.inner.most_edits()
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let d = self.inner.d();
        if d == 0 || vectors.len() != rows.len() * d {
            return self.inner.edited_logits(rows, vectors);
        }
        let pairs = rows.par_iter().zip(vectors.par_chunks_exact(d));
        let keys: Vec<[u64; 2]> = pairs.map(|(&row, vector)| key(row, vector)).collect();
        let mut known = self.known();
        // What is asked for the first time, at its first place.
        let (mut new, mut new_rows, mut new_vectors) = (Vec::new(), Vec::new(), Vec::new());
        for ((key, &row), vector) in keys.iter().zip(rows).zip(vectors.chunks_exact(d)) {
            if let Entry::Vacant(place) = known.entry(*key) {
                place.insert([0.0; 26]);
                new.push(*key);
                new_rows.push(row);
                new_vectors.extend_from_slice(vector);
            }
        }
        match self.inner.edited_logits(&new_rows, &new_vectors) {
            Ok(answers) => known.extend(new.into_iter().zip(answers)),
            Err(error) => {
                for key in new {
                    known.remove(&key);
                }
                return Err(error);
            }
        }
        Ok(keys.iter().map(|key| known[key]).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::AblationError;

    /// Answers with the row and the vector's first value, and counts.
    struct Counting(AtomicUsize);

    impl Readout for Counting {
        fn rows(&self) -> usize {
            9
        }

        fn d(&self) -> usize {
            2
        }

        fn site(&self, _: usize) -> &[f32] {
            &[0.0, 0.0]
        }

        fn set(&self, _: usize) -> u32 {
            0
        }

        fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
            if rows.contains(&8) {
                return Err(AblationError::Edit("no".to_owned()));
            }
            self.0.fetch_add(rows.len(), Ordering::Relaxed);
            let answer = |(&row, vector): (&usize, &[f32])| {
                let mut logits = [row as f32; 26];
                logits[0] = vector[0];
                logits
            };
            Ok(rows.iter().zip(vectors.chunks_exact(2)).map(answer).collect())
        }
    }

    #[test]
    fn a_question_is_answered_once_and_a_failure_is_not_kept() {
        let inner = Counting(AtomicUsize::new(0));
        let readout = Remembered::new(&inner);
        let first = |answers: Vec<LetterLogits>| -> Vec<[f32; 2]> { answers.iter().map(|a| [a[0], a[1]]).collect() };
        let asked = readout
            .edited_logits(&[1, 1, 2, 1], &[5.0, 0.0, 6.0, 0.0, 5.0, 0.0, 5.0, 0.0])
            .unwrap();
        assert_eq!(first(asked), [[5.0, 1.0], [6.0, 1.0], [5.0, 2.0], [5.0, 1.0]]);
        assert_eq!(inner.0.load(Ordering::Relaxed), 3);
        // -0 is another vector than 0; so is another second value.
        let asked = readout
            .edited_logits(&[1, 1, 1], &[5.0, 0.0, 5.0, -0.0, 5.0, 1.0])
            .unwrap();
        assert_eq!(first(asked), [[5.0, 1.0]; 3]);
        assert_eq!(inner.0.load(Ordering::Relaxed), 5);
        assert!(readout.edited_logits(&[8, 3], &[0.0; 4]).is_err());
        assert_eq!(first(readout.edited_logits(&[3], &[0.0; 2]).unwrap()), [[0.0, 3.0]]);
        readout.forget();
        readout.edited_logits(&[1], &[5.0, 0.0]).unwrap();
        assert_eq!(inner.0.load(Ordering::Relaxed), 7);
        assert!(
            readout
                .edited_logits(&[1], &[5.0])
                .is_ok_and(|answers| answers.is_empty())
        );
    }
}
