//! Subspaces trained on the patch objective: distributed alignment search (Geiger et al. 2024) with one subspace per letter.
//!
//! The supervised skyline of linear edits. Patching a word of letter `c` from a donor of letter `c'` replaces the coordinates in
//! both letters' subspaces by the donor's, as the benchmark patches every arm: with `D = x' - x` and orthonormal rows `U_c` the
//! vector becomes `x + U_c^T U_c D + U_c'^T U_c' D`. The loss is the cross-entropy of the donor's letter among the 26 answers. With
//! `g` the gradient at the patched vector, `dL/dU = (U D) g^T + (U g) D^T`.
//!
//! All subspaces are trained together on pairs of train words, by Adam with the rows made orthonormal again (QR by Gram-Schmidt)
//! after every step. Two things are not as in textbook Adam. The part of the gradient within the subspace is taken out first: it
//! would only lengthen the rows, and divided by its own size it would drown the part that turns them. And there is one second
//! moment per subspace, so that training does not depend on the basis that the stream happens to be written in.
//!
//! Training sees the model through [`Gradients`], so that it is tested on a planted read-out.
//!
//! Deliberately absent: validation and early stopping (the number of steps is fixed and small), and a rotation of the whole space:
//! only the rows that are swapped matter.

use model_runner::plain::PlainModel;
use rand::RngExt;

use crate::arms::Arm;
use crate::directions::Directions;
use crate::editor::norm;
use crate::effects::LetterLogits;
use crate::error::{AblationError, Result};
use crate::readout::{Captured, Readout};

/// A read-out that can be differentiated.
pub trait Gradients: Readout {
    /// Gradient, at the replaced vectors, of each edit's weighted sum of letter logits.
    ///
    /// # Shapes
    /// - `rows`: `[edits]`; `vectors`: `[edits, d_model]`; `weights`: `[edits]` of 26
    /// - returns: `[edits, d_model]`
    ///
    /// # Errors
    /// Sizes disagree, or the model refuses the run.
    fn gradients(&self, rows: &[usize], vectors: &[f32], weights: &[LetterLogits]) -> Result<Vec<f32>>;
}

/// Captured prompts of a model that also runs on an autodiff device.
#[derive(Clone, Copy)]
pub struct Differentiable<'a> {
    /// The prompts.
    pub captured: Captured<'a>,
    /// The same model on an autodiff device.
    pub plain: &'a PlainModel,
    /// The 26 answer tokens.
    pub answers: &'a [u32; 26],
}

impl Readout for Differentiable<'_> {
    fn rows(&self) -> usize {
        self.captured.rows()
    }

    fn d(&self) -> usize {
        self.captured.d()
    }

    fn site(&self, row: usize) -> &[f32] {
        self.captured.site(row)
    }

    fn set(&self, row: usize) -> u32 {
        self.captured.set(row)
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        self.captured.edited_logits(rows, vectors)
    }
}

impl Gradients for Differentiable<'_> {
    fn gradients(&self, rows: &[usize], vectors: &[f32], weights: &[LetterLogits]) -> Result<Vec<f32>> {
        let Captured { stage, capture } = self.captured;
        let weights: Vec<f32> = weights.iter().flatten().copied().collect();
        let found = stage.site_gradients(self.plain, capture, (rows, vectors), (self.answers, &weights))?;
        Ok(found.1)
    }
}

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DasConfig {
    /// Rank of every subspace, at least 1.
    pub rank: usize,
    /// Adam steps.
    pub steps: usize,
    /// Pairs of words per step.
    pub batch: usize,
    /// Learning rate: about the angle by which a subspace turns in the first steps, radians.
    pub rate: f64,
    /// Run seed; initial rows and pairs have their own names under it.
    pub seed: u64,
}

impl DasConfig {
    /// The settings of the benchmark for a rank.
    #[must_use]
    pub fn of_rank(rank: usize, seed: u64) -> Self {
        Self {
            rank,
            steps: 100,
            batch: 128,
            rate: 0.1,
            seed,
        }
    }
}

/// Trained subspaces and how the training went.
#[derive(Clone, Debug)]
pub struct Das {
    /// `[classes]` of `[rank, d]`, orthonormal rows.
    pub bases: Vec<Vec<f64>>,
    /// Mean loss of each step's pairs before the step, nats.
    pub losses: Vec<f64>,
}

impl Das {
    /// The arm, named `das-RANK`. Erasing brings the coordinates to their off-class means.
    #[must_use]
    pub fn arm(&self, directions: &Directions, rank: usize) -> Arm {
        crate::arms::subspace(&format!("das-{rank}"), &self.bases, directions)
    }
}

/// A word and the donor whose value is patched in.
type WordPair = (usize, usize);

/// Trains one subspace per class on pairs of the readout's rows. Donors come from prompts with the same examples where there are
/// any of another letter, else from all prompts. A subspace starts at the difference of class means, with random further rows.
///
/// `class_of`: class of each row that may be used (the first rows of the readout); `letters`: alphabet index of each class.
///
/// # Errors
/// A rank of 0 or above the width, sizes that disagree, words of fewer than two classes, or the model refuses a run.
pub fn train(
    readout: &dyn Gradients,
    (class_of, letters): (&[usize], &[usize]),
    directions: &Directions,
    config: &DasConfig,
) -> Result<Das> {
    let d = readout.d();
    let bad = config.rank == 0 || config.rank > d || config.batch == 0 || class_of.len() > readout.rows();
    if bad || class_of.iter().any(|&class| class >= letters.len()) {
        return Err(AblationError::Edit(format!(
            "subspaces of rank {} in {d} dimensions cannot be trained on {} words",
            config.rank,
            class_of.len()
        )));
    }
    let donors = donors(readout, class_of)?;
    let mut bases = initial(directions, letters.len(), config)?;
    let mut adam: Vec<Adam> = bases.iter().map(|basis| Adam::new(basis.len())).collect();
    let mut draw = stats::seed::rng(config.seed, &format!("das/pairs/rank={}", config.rank));
    let words: Vec<usize> = (0..class_of.len()).filter(|&row| !donors[row].is_empty()).collect();
    let mut losses = Vec::with_capacity(config.steps);
    for step in 0..config.steps {
        let pairs: Vec<WordPair> = (0..config.batch)
            .map(|_| {
                let row = words[draw.random_range(0..words.len())];
                (row, donors[row][draw.random_range(0..donors[row].len())])
            })
            .collect();
        let (loss, mut gradients) = loss_and_gradient(readout, &pairs, (class_of, letters), &bases)?;
        losses.push(loss);
        // The rate falls to a tenth: the last steps settle.
        let done = step as f64 / config.steps as f64;
        let rate = config.rate * (1.0 - 0.9 * done);
        for ((basis, gradient), adam) in bases.iter_mut().zip(&mut gradients).zip(&mut adam) {
            tangent(basis, gradient, d);
            adam.step(basis, gradient, rate);
            orthonormalise(basis, d)?;
        }
    }
    Ok(Das { bases, losses })
}

/// Rows of another class for each row, from the same examples where there are any.
fn donors(readout: &dyn Gradients, class_of: &[usize]) -> Result<Vec<Vec<usize>>> {
    let n = class_of.len();
    let found: Vec<Vec<usize>> = (0..n)
        .map(|row| {
            let other = |same_set: bool| -> Vec<usize> {
                (0..n)
                    .filter(|&o| class_of[o] != class_of[row] && (!same_set || readout.set(o) == readout.set(row)))
                    .collect()
            };
            let near = other(true);
            if near.is_empty() { other(false) } else { near }
        })
        .collect();
    if found.iter().all(Vec::is_empty) {
        return Err(AblationError::Edit(
            "patching needs words of at least two letters".to_owned(),
        ));
    }
    Ok(found)
}

fn initial(directions: &Directions, classes: usize, config: &DasConfig) -> Result<Vec<Vec<f64>>> {
    let d = directions.spectrum.d();
    (0..classes)
        .map(|class| {
            let mut rng = stats::seed::rng(config.seed, &format!("das/init/rank={}/class={class}", config.rank));
            let mut basis = directions.diff.directions[class * d..(class + 1) * d].to_vec();
            basis.extend((d..config.rank * d).map(|_| rng.random::<f64>() - 0.5));
            orthonormalise(&mut basis, d)?;
            Ok(basis)
        })
        .collect()
}

/// Mean loss of some pairs, and its gradient for every subspace.
fn loss_and_gradient(
    readout: &dyn Gradients,
    pairs: &[WordPair],
    (class_of, letters): (&[usize], &[usize]),
    bases: &[Vec<f64>],
) -> Result<(f64, Vec<Vec<f64>>)> {
    let d = readout.d();
    let rows: Vec<usize> = pairs.iter().map(|pair| pair.0).collect();
    let mut differences = Vec::with_capacity(pairs.len());
    let mut vectors = Vec::with_capacity(pairs.len() * d);
    for &(row, donor) in pairs {
        let (x, y) = (readout.site(row), readout.site(donor));
        let difference: Vec<f64> = x.iter().zip(y).map(|(&x, &y)| f64::from(y) - f64::from(x)).collect();
        let mut patched: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        for class in [class_of[row], class_of[donor]] {
            for u in bases[class].chunks_exact(d) {
                let along = inner(u, &difference);
                for (x, u) in patched.iter_mut().zip(u) {
                    *x += along * u;
                }
            }
        }
        vectors.extend(patched.iter().map(|&x| x as f32));
        differences.push(difference);
    }
    let logits = readout.edited_logits(&rows, &vectors)?;
    let mut loss = 0.0;
    let mut weights = Vec::with_capacity(pairs.len());
    for (&(_, donor), logits) in pairs.iter().zip(&logits) {
        let target = letters[class_of[donor]];
        let (nats, weight) = cross_entropy(logits, target);
        loss += nats / pairs.len() as f64;
        weights.push(weight);
    }
    let gradients = readout.gradients(&rows, &vectors, &weights)?;
    let mut out: Vec<Vec<f64>> = bases.iter().map(|basis| vec![0.0; basis.len()]).collect();
    for ((&(row, donor), difference), g) in pairs.iter().zip(&differences).zip(gradients.chunks_exact(d)) {
        let g: Vec<f64> = g.iter().map(|&g| f64::from(g) / pairs.len() as f64).collect();
        for class in [class_of[row], class_of[donor]] {
            let rows = bases[class].chunks_exact(d).zip(out[class].chunks_exact_mut(d));
            for (u, out) in rows {
                let (along, slope) = (inner(u, difference), inner(u, &g));
                for ((out, g), difference) in out.iter_mut().zip(&g).zip(difference) {
                    *out += along * g + slope * difference;
                }
            }
        }
    }
    Ok((loss, out))
}

/// Cross-entropy of a letter among the 26, nats, and its gradient with respect to the logits.
fn cross_entropy(logits: &LetterLogits, target: usize) -> (f64, LetterLogits) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - top).exp()).collect();
    let sum: f64 = exp.iter().sum();
    let mut weight = [0.0; 26];
    for (letter, (weight, exp)) in weight.iter_mut().zip(&exp).enumerate() {
        *weight = (exp / sum - f64::from(u8::from(letter == target))) as f32;
    }
    (sum.ln() - f64::from(logits[target] - top), weight)
}

/// Adam's running moments of one subspace (Kingma & Ba 2015).
struct Adam {
    first: Vec<f64>,
    /// Of the gradient's squared length.
    second: f64,
    steps: i32,
}

impl Adam {
    fn new(n: usize) -> Self {
        Self {
            first: vec![0.0; n],
            second: 0.0,
            steps: 0,
        }
    }

    fn step(&mut self, values: &mut [f64], gradient: &[f64], rate: f64) {
        const BETA: (f64, f64) = (0.9, 0.99);
        let square: f64 = gradient.iter().map(|g| g * g).sum();
        // A letter that no pair of this batch has keeps its subspace.
        if square == 0.0 {
            return;
        }
        self.steps += 1;
        let (one, two) = (1.0 - BETA.0.powi(self.steps), 1.0 - BETA.1.powi(self.steps));
        self.second = BETA.1 * self.second + (1.0 - BETA.1) * square;
        let size = (self.second / two).sqrt();
        for ((value, g), first) in values.iter_mut().zip(gradient).zip(&mut self.first) {
            *first = BETA.0 * *first + (1.0 - BETA.0) * g;
            *value -= rate * (*first / one) / size;
        }
    }
}

/// The part of a gradient that turns a subspace: each row without its part in the subspace.
fn tangent(basis: &[f64], gradient: &mut [f64], d: usize) {
    for g in gradient.chunks_exact_mut(d) {
        for u in basis.chunks_exact(d) {
            let along = inner(u, g);
            for (g, u) in g.iter_mut().zip(u) {
                *g -= along * u;
            }
        }
    }
}

/// Makes rows orthonormal in order: the Q of a QR decomposition by Gram-Schmidt, twice for rounding.
fn orthonormalise(basis: &mut [f64], d: usize) -> Result<()> {
    for at in 0..basis.len() / d {
        let (done, rest) = basis.split_at_mut(at * d);
        let row = &mut rest[..d];
        for _ in 0..2 {
            for other in done.chunks_exact(d) {
                let along = inner(other, row);
                for (v, u) in row.iter_mut().zip(other) {
                    *v -= along * u;
                }
            }
        }
        let length = norm(row);
        if length.is_nan() || length <= 1e-30 {
            return Err(AblationError::Edit(
                "a trained subspace lost a dimension: its rows are not finite or depend on each other".to_owned(),
            ));
        }
        for v in row {
            *v /= length;
        }
    }
    Ok(())
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
