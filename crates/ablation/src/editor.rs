//! Editors as data: what is read from a vector, what is written back, at what dose.
//!
//! Every arm is `E(x) = x - alpha * sum_i (r_i(x) - t_i) u_i`: a linear probe and a set of latents
//! are two settings of one object. An editor never sees a word's label: one editor per letter is
//! applied to every word.

use sae::SparseLatents;
use serde::{Deserialize, Serialize};

use crate::error::{AblationError, Result};

/// How a number is read from the vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// `v . (x - mu)`.
    Linear {
        /// Read direction `v`, `[d_model]`.
        direction: Vec<f64>,
        /// `v . mu`.
        offset: f64,
    },
    /// A latent's activation, on the scale of the vector where the SAE normalises its input.
    Latent {
        /// Its index in the SAE.
        latent: u32,
    },
}

/// One read, where it is pushed to, and the direction that is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// What is read.
    pub reader: Reader,
    /// Direction written, `[d_model]`.
    pub write: Vec<f64>,
    /// Value that the read is brought to at dose 1.
    pub target: f64,
}

/// An edit of the site vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Editor {
    /// Changes nothing.
    Null,
    /// Replaces the whole vector: the ceiling.
    FullSite {
        /// What stands there instead, `[d_model]`.
        target: Vec<f64>,
    },
    /// Brings some reads to their targets.
    Terms {
        /// The terms; the order does not matter.
        terms: Vec<Term>,
        /// Dose alpha.
        dose: f64,
    },
    /// Moves along a fixed unit direction by the length that another editor moves this vector.
    MatchedNorm {
        /// The direction, `[d_model]`, unit length.
        direction: Vec<f64>,
        /// The editor whose length is matched.
        control: Box<Editor>,
    },
    /// Another edit, multiplied.
    Scaled {
        /// Dose alpha; 0 changes nothing, 1 is the edit itself.
        dose: f64,
        /// The edit.
        editor: Box<Editor>,
    },
}

/// A vector and, where an SAE is at hand, its latents.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The site vector, `[d_model]`.
    pub x: &'a [f32],
    /// Its latents and their row, for editors that read latents.
    pub latents: Option<(&'a SparseLatents, usize)>,
}

impl Reader {
    /// The number read from `subject`.
    ///
    /// # Errors
    /// A latent is read and no latents are given.
    pub fn read(&self, subject: Subject<'_>) -> Result<f64> {
        match self {
            Self::Linear { direction, offset } => Ok(direction
                .iter()
                .zip(subject.x)
                .map(|(v, &x)| v * f64::from(x))
                .sum::<f64>()
                - offset),
            Self::Latent { latent } => {
                let (latents, row) = subject.latents.ok_or_else(|| {
                    AblationError::Edit("an editor reads latents, but the vectors were not encoded".to_owned())
                })?;
                let (index, value) = latents.row(row);
                let scale = crate::select::contribution_scale(latents, row);
                Ok(index
                    .binary_search(latent)
                    .map_or(0.0, |at| f64::from(value[at] * scale)))
            }
        }
    }
}

impl Editor {
    /// A linear read and write of one direction pair.
    #[must_use]
    pub fn linear(read: &[f64], mu: &[f64], write: &[f64], target: f64) -> Self {
        Self::Terms {
            terms: vec![Term::linear(read, mu, write, target)],
            dose: 1.0,
        }
    }

    /// The change `E(x) - x`, `[d_model]`.
    ///
    /// # Errors
    /// A width differs, or latents are needed and not given.
    pub fn delta(&self, subject: Subject<'_>) -> Result<Vec<f64>> {
        let d = subject.x.len();
        let check = |len: usize| {
            if len == d {
                return Ok(());
            }
            Err(AblationError::Edit(format!(
                "an editor of width {len} cannot edit a vector of width {d}"
            )))
        };
        match self {
            Self::Null => Ok(vec![0.0; d]),
            Self::FullSite { target } => {
                check(target.len())?;
                Ok(target.iter().zip(subject.x).map(|(t, &x)| t - f64::from(x)).collect())
            }
            Self::Terms { terms, dose } => {
                let mut delta = vec![0.0; d];
                for term in terms {
                    check(term.write.len())?;
                    let push = dose * (term.target - term.reader.read(subject)?);
                    for (delta, u) in delta.iter_mut().zip(&term.write) {
                        *delta += push * u;
                    }
                }
                Ok(delta)
            }
            Self::MatchedNorm { direction, control } => {
                check(direction.len())?;
                let length = norm(&control.delta(subject)?);
                Ok(direction.iter().map(|u| u * length).collect())
            }
            Self::Scaled { dose, editor } => {
                let mut delta = editor.delta(subject)?;
                for delta in &mut delta {
                    *delta *= dose;
                }
                Ok(delta)
            }
        }
    }

    /// The edit under any scaling, and the factor.
    fn unscaled(&self) -> (&Self, f64) {
        match self {
            Self::Scaled { dose, editor } => {
                let (editor, factor) = editor.unscaled();
                (editor, dose * factor)
            }
            other => (other, 1.0),
        }
    }

    /// The patched vector's change: every read of the editors is brought to its value in `donor`.
    /// A term that several editors share is patched once, so that a joint editor given for two
    /// letters, or a latent that stands for both, does not count twice.
    ///
    /// # Errors
    /// As [`Editor::delta`]; a norm-matched editor has no patch.
    pub fn patch_delta(editors: &[&Editor], subject: Subject<'_>, donor: Subject<'_>) -> Result<Vec<f64>> {
        let mut delta = vec![0.0; subject.x.len()];
        let mut done: Vec<&Term> = Vec::new();
        for editor in editors {
            let (editor, factor) = editor.unscaled();
            match editor {
                Self::Null | Self::Scaled { .. } => {}
                Self::FullSite { .. } => {
                    return Ok(donor
                        .x
                        .iter()
                        .zip(subject.x)
                        .map(|(&a, &b)| factor * (f64::from(a) - f64::from(b)))
                        .collect());
                }
                Self::Terms { terms, dose } => {
                    for term in terms {
                        if done
                            .iter()
                            .any(|other| other.reader == term.reader && other.write == term.write)
                        {
                            continue;
                        }
                        done.push(term);
                        let push = factor * dose * (term.reader.read(donor)? - term.reader.read(subject)?);
                        for (delta, u) in delta.iter_mut().zip(&term.write) {
                            *delta += push * u;
                        }
                    }
                }
                Self::MatchedNorm { .. } => {
                    return Err(AblationError::Edit(
                        "a norm-matched editor has no donor value to patch in".to_owned(),
                    ));
                }
            }
        }
        Ok(delta)
    }

    /// Whether it reads latents of an SAE.
    #[must_use]
    pub fn reads_latents(&self) -> bool {
        match self {
            Self::Null | Self::FullSite { .. } => false,
            Self::Terms { terms, .. } => terms.iter().any(|t| matches!(t.reader, Reader::Latent { .. })),
            Self::MatchedNorm { control, .. } => control.reads_latents(),
            Self::Scaled { editor, .. } => editor.reads_latents(),
        }
    }
}

impl Term {
    /// Reads `read . (x - mu)`, writes `write`.
    #[must_use]
    pub fn linear(read: &[f64], mu: &[f64], write: &[f64], target: f64) -> Self {
        let offset = read.iter().zip(mu).map(|(r, m)| r * m).sum();
        Self {
            reader: Reader::Linear {
                direction: read.to_vec(),
                offset,
            },
            write: write.to_vec(),
            target,
        }
    }
}

/// Euclidean length.
pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(x: &[f32]) -> Subject<'_> {
        Subject { x, latents: None }
    }

    #[test]
    fn the_null_edit_is_exactly_nothing_and_the_full_edit_lands_on_its_target() {
        let x = [1.0, -2.0, 0.5];
        assert_eq!(Editor::Null.delta(subject(&x)).unwrap(), vec![0.0; 3]);
        let full = Editor::FullSite {
            target: vec![4.0, 4.0, 4.0],
        };
        let delta = full.delta(subject(&x)).unwrap();
        assert_eq!(delta, vec![3.0, 6.0, 3.5]);
    }

    #[test]
    fn a_linear_edit_brings_the_read_to_its_target() {
        let x = [1.0f32, 2.0, -1.0];
        let (read, write, mu) = ([0.5, 0.0, -0.5], [2.0, 1.0, 0.0], [0.25, 0.0, 0.0]);
        // read . write = 1, so one application moves the read exactly onto the target.
        let editor = Editor::linear(&read, &mu, &write, 0.3);
        let delta = editor.delta(subject(&x)).unwrap();
        let after: Vec<f32> = x.iter().zip(&delta).map(|(x, d)| x + *d as f32).collect();
        let Editor::Terms { terms, .. } = &editor else { panic!() };
        assert!((terms[0].reader.read(subject(&after)).unwrap() - 0.3).abs() < 1e-6);
        let again = editor.delta(subject(&after)).unwrap();
        assert!(norm(&again) < 1e-6, "idempotent: {again:?}");
    }

    #[test]
    fn a_matched_edit_is_as_long_as_its_control() {
        let x = [1.0f32, 2.0, -1.0];
        let control = Editor::linear(&[1.0, 0.0, 0.0], &[0.0; 3], &[3.0, 4.0, 0.0], 0.0);
        let matched = Editor::MatchedNorm {
            direction: vec![0.0, 0.0, 1.0],
            control: Box::new(control.clone()),
        };
        let (a, b) = (control.delta(subject(&x)).unwrap(), matched.delta(subject(&x)).unwrap());
        assert!((norm(&a) - norm(&b)).abs() < 1e-12);
    }

    #[test]
    fn a_scaled_edit_is_that_share_of_the_edit_also_when_it_patches() {
        let (x, donor) = ([1.0f32, 2.0, -1.0], [0.0f32, 4.0, 3.0]);
        let scaled = |editor: &Editor, dose: f64| Editor::Scaled {
            dose,
            editor: Box::new(editor.clone()),
        };
        let full = Editor::FullSite {
            target: vec![3.0, 2.0, 1.0],
        };
        let linear = Editor::linear(&[1.0, 0.0, 0.0], &[0.0; 3], &[3.0, 4.0, 0.0], 0.0);
        for editor in [&full, &linear] {
            let twice = scaled(&scaled(editor, 0.5), 0.5);
            let (one, quarter) = (editor.delta(subject(&x)).unwrap(), twice.delta(subject(&x)).unwrap());
            let patch = |editor: &Editor| Editor::patch_delta(&[editor], subject(&x), subject(&donor)).unwrap();
            for (one, quarter) in one.iter().zip(&quarter).chain(patch(editor).iter().zip(&patch(&twice))) {
                assert!((0.25 * one - quarter).abs() < 1e-12);
            }
            assert_eq!(scaled(editor, 0.0).delta(subject(&x)).unwrap(), vec![0.0; 3]);
        }
    }

    #[test]
    fn a_term_that_two_editors_share_is_patched_once() {
        let (x, donor) = ([1.0f32, 2.0, 0.0], [3.0f32, -1.0, 0.5]);
        let joint = |target: f64| Editor::Terms {
            terms: vec![
                Term::linear(&[1.0, 0.0, 0.0], &[0.0; 3], &[2.0, 0.0, 1.0], target),
                Term::linear(&[0.0, 1.0, 0.0], &[0.0; 3], &[0.0, 1.0, 0.0], target),
            ],
            dose: 1.0,
        };
        // The editors of two letters read and write alike and differ in their targets only.
        let (own, other) = (joint(0.25), joint(-3.0));
        let once = Editor::patch_delta(&[&own], subject(&x), subject(&donor)).unwrap();
        let both = Editor::patch_delta(&[&own, &other], subject(&x), subject(&donor)).unwrap();
        assert_eq!(once, vec![4.0, -3.0, 2.0]);
        assert_eq!(once, both);
    }

    #[test]
    fn patching_everything_gives_the_donor_and_widths_are_checked() {
        let (x, donor) = ([1.0f32, 2.0], [5.0f32, -1.0]);
        let full = Editor::FullSite { target: vec![0.0; 2] };
        let delta = Editor::patch_delta(&[&full], subject(&x), subject(&donor)).unwrap();
        assert_eq!(delta, vec![4.0, -3.0]);
        assert!(Editor::FullSite { target: vec![0.0; 3] }.delta(subject(&x)).is_err());
        let latent = Term {
            reader: Reader::Latent { latent: 0 },
            write: vec![0.0; 2],
            target: 0.0,
        };
        let editor = Editor::Terms {
            terms: vec![latent],
            dose: 1.0,
        };
        assert!(editor.reads_latents() && editor.delta(subject(&x)).is_err());
    }
}
