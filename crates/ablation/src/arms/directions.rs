//! Arms made of linear algebra: means, probes, LEACE, nullspaces, and given subspaces.
//!
//! Deliberately absent: fitting. What is fitted on all train words lives in [`Directions`]; subspaces that are trained or iterated
//! come from [`crate::das`] and [`linear_probe::inlp`].

use linear_probe::inlp::Inlp;

use super::Arm;
use crate::directions::{Directions, Labelled, off_class_mean_of};
use crate::editor::{Editor, Term};

/// Changes nothing; MS and O are 0.
#[must_use]
pub fn null(classes: usize) -> Arm {
    Arm::fixed("null", vec![Editor::Null; classes])
}

/// Replaces the vector by the mean of the other letters' words: MS is 1 by definition.
#[must_use]
pub fn full_site(directions: &Directions) -> Arm {
    let editors = directions
        .off_mean
        .iter()
        .map(|mean| Editor::FullSite { target: mean.clone() });
    Arm::fixed("full-site", editors.collect())
}

/// Rank-1 LEACE of each letter: the reference arm.
#[must_use]
pub fn leace_1(directions: &Directions, train: &Labelled) -> Arm {
    let editors = directions.leace.iter().enumerate().map(|(class, leace)| {
        let target = off_mean_read(&leace.reads, &leace.mu, train, class);
        Editor::linear(&leace.reads, &leace.mu, &leace.writes, target)
    });
    Arm::fixed("leace-1", editors.collect())
}

/// Joint LEACE of all letters: every letter coordinate goes to the other letters' mean.
#[must_use]
pub fn leace_joint(directions: &Directions, train: &Labelled) -> Arm {
    let leace = &directions.leace_joint;
    let d = leace.d;
    let pairs: Vec<(&[f64], &[f64])> = leace.reads.chunks_exact(d).zip(leace.writes.chunks_exact(d)).collect();
    let targets: Vec<Vec<f64>> = pairs
        .iter()
        .map(|(read, _)| off_mean_reads(read, &leace.mu, train))
        .collect();
    let editor = |class: usize| {
        let terms = pairs
            .iter()
            .zip(&targets)
            .map(|((r, w), t)| Term::linear(r, &leace.mu, w, t[class]));
        Editor::Terms {
            terms: terms.collect(),
            dose: 1.0,
        }
    };
    Arm::fixed(
        &format!("leace-{}", leace.rank),
        (0..train.classes).map(editor).collect(),
    )
}

/// Projection onto the logistic probe's weight: read and write are one vector.
#[must_use]
pub fn lr(directions: &Directions, train: &Labelled) -> Arm {
    Arm::fixed(
        "lr",
        (0..train.classes)
            .map(|c| projection(directions.lr.direction(c), train, c))
            .collect(),
    )
}

/// Projection onto the difference of class means.
#[must_use]
pub fn diff_mean(directions: &Directions, train: &Labelled) -> Arm {
    let rows = directions.diff.directions.chunks_exact(train.d);
    Arm::fixed(
        "diff-mean",
        rows.enumerate().map(|(c, v)| projection(v, train, c)).collect(),
    )
}

/// Logistic read, Haufe write: reads with the probe's weights and writes the pattern `Sigma w` that goes with them in the data
/// (Haufe et al. 2014), scaled so that one application moves the read onto its target. Separates reading from writing.
#[must_use]
pub fn lr_haufe(directions: &Directions, train: &Labelled) -> Arm {
    let editor = |class: usize| {
        let read = directions.lr.direction(class);
        let mut write = directions.spectrum.covary(read);
        let unit: f64 = read.iter().zip(&write).map(|(r, w)| r * w).sum();
        if unit <= 0.0 {
            // A read along which the words do not vary has no pattern.
            return Editor::Null;
        }
        for w in &mut write {
            *w /= unit;
        }
        let zero = vec![0.0; read.len()];
        let target = off_mean_read(read, &zero, train, class);
        Editor::linear(read, &zero, &write, target)
    };
    Arm::fixed("lr-haufe", (0..train.classes).map(editor).collect())
}

/// Projection onto the directions that iterative nullspace projection removed, one subspace per class.
#[must_use]
pub fn inlp(found: &[Inlp], directions: &Directions) -> Arm {
    let bases: Vec<Vec<f64>> = found.iter().map(|found| found.basis.clone()).collect();
    subspace("inlp", &bases, directions)
}

/// Brings the coordinates in one orthonormal subspace per class to their off-class means; patching replaces them by the donor's.
///
/// # Shapes
/// - `bases`: `[classes]` of `[rank, d]`, orthonormal rows; an empty one changes nothing
#[must_use]
pub fn subspace(name: &str, bases: &[Vec<f64>], directions: &Directions) -> Arm {
    let editors = bases.iter().zip(&directions.off_mean).map(|(basis, mean)| {
        let zero = vec![0.0; mean.len()];
        let terms = basis.chunks_exact(mean.len()).map(|v| {
            let target = v.iter().zip(mean).map(|(v, m)| v * m).sum();
            Term::linear(v, &zero, v, target)
        });
        Editor::Terms {
            terms: terms.collect(),
            dose: 1.0,
        }
    });
    Arm::fixed(name, editors.collect())
}

fn projection(v: &[f64], train: &Labelled, class: usize) -> Editor {
    let square: f64 = v.iter().map(|v| v * v).sum();
    let read: Vec<f64> = v.iter().map(|v| v / square).collect();
    let zero = vec![0.0; v.len()];
    let target = off_mean_read(&read, &zero, train, class);
    Editor::linear(&read, &zero, v, target)
}

fn off_mean_reads(read: &[f64], mu: &[f64], train: &Labelled) -> Vec<f64> {
    let values = (0..train.n()).map(|i| {
        read.iter()
            .zip(train.row(i))
            .zip(mu)
            .map(|((r, &x), m)| r * (f64::from(x) - m))
            .sum::<f64>()
    });
    off_class_mean_of(values, &train.y, train.classes)
}

fn off_mean_read(read: &[f64], mu: &[f64], train: &Labelled, class: usize) -> f64 {
    off_mean_reads(read, mu, train)[class]
}
