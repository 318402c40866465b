//! Coordinates of a given basis as the sparse code: neurons, or principal components.
//!
//! The question is whether an SAE's basis is better than one that nobody trained. Per class the coordinates are ranked by their
//! exact effect on selection words (as latents are), and the first `k` are edited together; this stands for the learned masks of
//! other benchmarks (MIB's differential binary masking) and sees train words only.
//!
//! Deliberately absent: greedy search over sets, and gradient-trained masks.

use super::Arm;
use crate::directions::{Directions, Labelled};
use crate::editor::{Editor, Term};
use crate::effects::{LetterLogits, log_odds};
use crate::error::{AblationError, Result};
use crate::readout::Readout;

/// An orthonormal basis of the site.
#[derive(Clone, Copy, Debug)]
pub enum Coordinates<'a> {
    /// The stream's own coordinates.
    Neurons(&'a Directions),
    /// Principal components of the train words.
    Pca(&'a Directions),
}

impl Coordinates<'_> {
    /// `neurons` or `pca`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Neurons(_) => "neurons",
            Self::Pca(_) => "pca",
        }
    }

    fn directions(&self) -> &Directions {
        match self {
            Self::Neurons(directions) | Self::Pca(directions) => directions,
        }
    }

    /// Unit vector of a coordinate, `[d]`.
    fn vector(&self, coordinate: usize) -> Vec<f64> {
        match self {
            Self::Neurons(directions) => {
                let mut unit = vec![0.0; directions.spectrum.d()];
                unit[coordinate] = 1.0;
                unit
            }
            Self::Pca(directions) => directions.spectrum.vector(coordinate).to_vec(),
        }
    }

    /// The editor that brings some coordinates to their off-class means.
    fn editor(&self, coordinates: &[usize], class: usize) -> Editor {
        let mean = &self.directions().off_mean[class];
        let zero = vec![0.0; mean.len()];
        let terms = coordinates.iter().map(|&coordinate| {
            let v = self.vector(coordinate);
            let target = inner(&v, mean);
            Term::linear(&v, &zero, &v, target)
        });
        Editor::Terms {
            terms: terms.collect(),
            dose: 1.0,
        }
    }

    /// The arm of the first `k` coordinates of each class, named `neurons:k=K` or `pca:k=K`.
    #[must_use]
    pub fn arm(&self, ranked: &[Vec<usize>], k: usize) -> Arm {
        let editors = ranked.iter().enumerate();
        Arm::fixed(
            &format!("{}:k={k}", self.name()),
            editors
                .map(|(class, order)| self.editor(&order[..k.min(order.len())], class))
                .collect(),
        )
    }

    /// The `most` coordinates of each class in which its mean lies furthest from the others', in deviations of all train words.
    fn candidates(&self, train: &Labelled, most: usize) -> Vec<Vec<usize>> {
        let directions = self.directions();
        let d = train.d;
        let vectors: Vec<Vec<f64>> = (0..d).map(|coordinate| self.vector(coordinate)).collect();
        let deviations: Vec<f64> = vectors
            .iter()
            .map(|v| inner(v, &directions.spectrum.covary(v)).max(0.0).sqrt())
            .collect();
        (0..train.classes)
            .map(|class| {
                let difference = &directions.diff.directions[class * d..(class + 1) * d];
                let apart: Vec<f64> = vectors
                    .iter()
                    .zip(&deviations)
                    .map(|(v, sd)| {
                        if *sd > 0.0 {
                            inner(v, difference).abs() / sd
                        } else {
                            0.0
                        }
                    })
                    .collect();
                let mut order: Vec<usize> = (0..d).collect();
                order.sort_by(|&a, &b| apart[b].total_cmp(&apart[a]).then(a.cmp(&b)));
                order.truncate(most);
                order
            })
            .collect()
    }
}

/// Coordinates of each class by falling total effect on that class's selection words, each brought to its off-class mean alone;
/// only supporting ones. The `most` coordinates that separate the class best are tried.
///
/// `class_of` and `clean`: class and unedited logits of each row of the readout; `letters`: alphabet index of each class.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn ranked_coordinates(
    coordinates: Coordinates<'_>,
    readout: &dyn Readout,
    train: &Labelled,
    (class_of, letters): (&[usize], &[usize]),
    clean: &[LetterLogits],
    most: usize,
) -> Result<Vec<Vec<usize>>> {
    if class_of.len() > readout.rows() || clean.len() < class_of.len() || letters.len() != train.classes {
        return Err(AblationError::Edit(
            "classes, answers and vectors of the selection words have different numbers of rows".to_owned(),
        ));
    }
    let candidates = coordinates.candidates(train, most);
    let edits: Vec<(usize, usize)> = class_of
        .iter()
        .enumerate()
        .flat_map(|(row, &class)| (0..candidates[class].len()).map(move |at| (row, at)))
        .collect();
    let mut sums: Vec<Vec<f64>> = candidates.iter().map(|c| vec![0.0; c.len()]).collect();
    let vectors: Vec<Vec<f64>> = (0..train.d).map(|coordinate| coordinates.vector(coordinate)).collect();
    for part in edits.chunks(readout.most_edits()) {
        let rows: Vec<usize> = part.iter().map(|edit| edit.0).collect();
        let mut edited = Vec::with_capacity(part.len() * train.d);
        for &(row, at) in part {
            let class = class_of[row];
            let v = &vectors[candidates[class][at]];
            let x = readout.site(row);
            let along: f64 = v.iter().zip(x).map(|(v, &x)| v * f64::from(x)).sum();
            let push = inner(v, &coordinates.directions().off_mean[class]) - along;
            edited.extend(x.iter().zip(v).map(|(&x, v)| (f64::from(x) + push * v) as f32));
        }
        let logits = readout.edited_logits(&rows, &edited)?;
        for (&(row, at), logits) in part.iter().zip(&logits) {
            let class = class_of[row];
            sums[class][at] += log_odds(&clean[row], letters[class]) - log_odds(logits, letters[class]);
        }
    }
    let ranked = candidates.into_iter().zip(sums).map(|(candidates, sums)| {
        let mut order: Vec<usize> = (0..candidates.len()).filter(|&at| sums[at] > 0.0).collect();
        order.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]).then(a.cmp(&b)));
        order.into_iter().map(|at| candidates[at]).collect()
    });
    Ok(ranked.collect())
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
