//! What linear algebra knows about the letters at a site: probes, means, LEACE.

use linear_probe::metrics::{Evaluation, evaluate};
use linear_probe::{
    C_GRID, Design, DiffOfMeans, Labels, Leace, LogisticConfig, LogisticProbe, Moments, Shrinkage, Spectrum,
    Validation, diff_of_means, fit_with_validation,
};

use crate::error::Result;

/// Site vectors with their letters as classes `0..classes`.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// `[n, d_model]`.
    pub x: Vec<f32>,
    /// `[n]`.
    pub y: Vec<usize>,
    /// Width of a row.
    pub d: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Labelled {
    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        self.y.len()
    }

    /// Row `i`, `[d_model]`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        &self.x[i * self.d..(i + 1) * self.d]
    }

    pub(crate) fn design(&self) -> Result<Design<'_>> {
        Ok(Design::new(&self.x, self.n(), self.d)?)
    }

    pub(crate) fn labels(&self) -> Result<Labels> {
        Ok(Labels::new(&self.y, self.classes)?)
    }
}

/// Directions fitted on train words.
#[derive(Clone, Debug)]
pub struct Directions {
    /// One-vs-rest logistic regressions.
    pub lr: LogisticProbe,
    /// The inverse regularisation chosen on an inner split.
    pub lr_c: f64,
    /// Class mean minus mean of the others, per class.
    pub diff: DiffOfMeans,
    /// Rank-1 LEACE per class.
    pub leace: Vec<Leace>,
    /// LEACE of all classes at once.
    pub leace_joint: Leace,
    /// Mean of the other classes' vectors, per class.
    pub off_mean: Vec<Vec<f64>>,
    /// Principal components of the train words, and lengths in their deviations.
    pub spectrum: Spectrum,
}

impl Directions {
    /// Fits all of them.
    ///
    /// # Errors
    /// A class has no words, a value is not finite, or a fit fails.
    pub fn fit(train: &Labelled, seed: u64) -> Result<Self> {
        let (design, labels) = (train.design()?, train.labels()?);
        let validation = Validation {
            grid: &C_GRID,
            held_out: 0.2,
            seed: stats::seed::sub_seed(seed, "probe/validation"),
            config: LogisticConfig::balanced(1.0),
        };
        let fitted = fit_with_validation(design, &labels, &validation)?;
        let moments = Moments::new(design, &labels)?;
        Ok(Self {
            lr: fitted.fit.probe,
            lr_c: fitted.c,
            diff: diff_of_means(design, &labels)?,
            leace: Leace::per_class(&moments, Shrinkage::LedoitWolf)?,
            leace_joint: Leace::joint(&moments, Shrinkage::LedoitWolf)?,
            off_mean: off_class_means(train),
            spectrum: Spectrum::new(&moments, Shrinkage::LedoitWolf)?,
        })
    }

    /// The logistic probe's scores as a classifier of other words (threshold 0).
    ///
    /// # Errors
    /// Widths differ.
    pub fn evaluate_lr(&self, words: &Labelled) -> Result<Evaluation> {
        let scores = self.lr.scores(words.design()?)?;
        Ok(evaluate(&scores, &words.labels()?, 0.0)?)
    }
}

/// `E[x | y != c]` for every class, f64.
pub(crate) fn off_class_means(train: &Labelled) -> Vec<Vec<f64>> {
    let d = train.d;
    let mut sums = vec![vec![0.0; d]; train.classes];
    let mut counts = vec![0usize; train.classes];
    for i in 0..train.n() {
        counts[train.y[i]] += 1;
        for (sum, &x) in sums[train.y[i]].iter_mut().zip(train.row(i)) {
            *sum += f64::from(x);
        }
    }
    let total: Vec<f64> = (0..d).map(|j| sums.iter().map(|s| s[j]).sum()).collect();
    (0..train.classes)
        .map(|c| {
            let n = (train.n() - counts[c]).max(1) as f64;
            total.iter().zip(&sums[c]).map(|(all, own)| (all - own) / n).collect()
        })
        .collect()
}

/// `E[value | y != c]` for every class.
pub(crate) fn off_class_mean_of(values: impl Iterator<Item = f64>, y: &[usize], classes: usize) -> Vec<f64> {
    let mut sums = vec![0.0; classes];
    let mut counts = vec![0usize; classes];
    for (value, &class) in values.zip(y) {
        sums[class] += value;
        counts[class] += 1;
    }
    let (total, n): (f64, usize) = (sums.iter().sum(), counts.iter().sum());
    (0..classes)
        .map(|c| (total - sums[c]) / (n - counts[c]).max(1) as f64)
        .collect()
}
