//! Whether a latent's misses depend on the word: the test that separates absorption from noise.
//!
//! Within each letter, the log-odds that the latent is silent on a word of its letter are regressed on what the word is. Slopes
//! that are not 0 mean that errors are differential: corrections that assume random misclassification do not apply, and
//! only the word-by-word accounting does.

use stats::{LogisticPlan, LogisticRows, benjamini_hochberg, logistic_within, usable_columns};

use crate::error::{AblationError, Result};

/// Fewest letters within which a covariate must vary. Errors clustered by letter are far too small for a covariate that only a
/// few letters inform (Cameron & Miller 2015, section VI.D): five capital words in four letters can look certain.
pub const MIN_VARYING: usize = 6;

/// One word of a letter.
#[derive(Clone, Debug, PartialEq)]
pub struct WordOutcome {
    /// Its letter.
    pub class: usize,
    /// Whether the letter's latent is silent on it.
    pub silent: bool,
    /// Covariates in their own units, `[covariates]`.
    pub covariates: Vec<f64>,
}

/// What a covariate does.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariate {
    /// Name.
    pub name: String,
    /// Log-odds of silence per standard deviation of the covariate.
    pub slope: stats::Slope,
    /// Benjamini-Hochberg over the covariates of one regression.
    pub q: f64,
}

/// A regression of silence on covariates.
#[derive(Clone, Debug, PartialEq)]
pub struct Differential {
    /// The covariates that could be used, in the order given.
    pub covariates: Vec<Covariate>,
    /// Covariates that could not be used, with the reason.
    pub unusable: Vec<(String, String)>,
    /// Words used.
    pub words: usize,
    /// Letters used: the latent is silent on some of their words and not on others.
    pub letters: usize,
    /// The ridge on slopes.
    pub ridge: f64,
}

/// Regresses silence on covariates within letters. Covariates are scaled to a standard deviation of 1 over the words of
/// letters that take part.
///
/// # Shapes
/// - `names`: `[covariates]`; `words`: `[words]`
///
/// # Errors
/// A word has another number of covariates, too few letters have both outcomes, or no covariate is of use: each must vary within
/// at least [`MIN_VARYING`] letters and be no combination of those before it.
pub fn differential(names: &[&str], words: &[WordOutcome]) -> Result<Differential> {
    if let Some(bad) = words.iter().find(|w| w.covariates.len() != names.len()) {
        return Err(AblationError::Edit(format!(
            "a word has {} covariates, {} have names",
            bad.covariates.len(),
            names.len()
        )));
    }
    let classes = words.iter().map(|w| w.class + 1).max().unwrap_or(0);
    let mut seen = vec![[false; 2]; classes];
    for word in words {
        seen[word.class][usize::from(word.silent)] = true;
    }
    let used: Vec<&WordOutcome> = words.iter().filter(|w| seen[w.class] == [true; 2]).collect();
    let y: Vec<bool> = used.iter().map(|w| w.silent).collect();
    let letter: Vec<usize> = used.iter().map(|w| w.class).collect();
    let columns: Vec<Vec<f64>> = (0..names.len()).map(|c| standardised(&used, c)).collect();
    let table = |which: &[usize]| -> Vec<f64> {
        (0..used.len())
            .flat_map(|row| which.iter().map(move |&c| (row, c)))
            .map(|(row, c)| columns[c][row])
            .collect()
    };
    let all: Vec<usize> = (0..names.len()).collect();
    let varying: Vec<usize> = all.iter().map(|&c| letters_in_which(&columns[c], &letter)).collect();
    let informed: Vec<usize> = all.iter().copied().filter(|&c| varying[c] >= MIN_VARYING).collect();
    let none = || {
        AblationError::Edit(format!(
            "no covariate varies within at least {MIN_VARYING} letters whose latent is silent on some of their words"
        ))
    };
    if informed.is_empty() {
        return Err(none());
    }
    let x = table(&informed);
    let independent = usable_columns(LogisticRows {
        x: &x,
        columns: informed.len(),
        y: &y,
        letter: &letter,
    })?;
    let kept: Vec<usize> = independent.into_iter().map(|at| informed[at]).collect();
    if kept.is_empty() {
        return Err(none());
    }
    let x = table(&kept);
    let plan = LogisticPlan::default();
    let rows = LogisticRows {
        x: &x,
        columns: kept.len(),
        y: &y,
        letter: &letter,
    };
    let fit = logistic_within(rows, &plan)?;
    let p: Vec<f64> = fit.slopes.iter().map(|s| s.p).collect();
    let covariates = kept
        .iter()
        .zip(&fit.slopes)
        .zip(benjamini_hochberg(&p)?)
        .map(|((&c, &slope), q)| Covariate {
            name: names[c].to_owned(),
            slope,
            q,
        });
    Ok(Differential {
        covariates: covariates.collect(),
        unusable: all
            .into_iter()
            .filter(|c| !kept.contains(c))
            .map(|c| (names[c].to_owned(), unusable(varying[c])))
            .collect(),
        words: fit.rows,
        letters: fit.letters,
        ridge: plan.ridge,
    })
}

fn unusable(varying: usize) -> String {
    if varying < MIN_VARYING {
        format!("varies within {varying} letters, at least {MIN_VARYING} are needed")
    } else {
        "is a combination of the covariates before it".to_owned()
    }
}

/// Number of letters within which a covariate has more than one value.
fn letters_in_which(column: &[f64], letter: &[usize]) -> usize {
    let mut range: std::collections::BTreeMap<usize, (f64, f64)> = std::collections::BTreeMap::new();
    for (&value, &letter) in column.iter().zip(letter) {
        let (lo, hi) = range.entry(letter).or_insert((value, value));
        (*lo, *hi) = (lo.min(value), hi.max(value));
    }
    range.values().filter(|(lo, hi)| hi > lo).count()
}

/// A covariate less its mean, over its standard deviation; 0 throughout where it has none.
fn standardised(words: &[&WordOutcome], column: usize) -> Vec<f64> {
    let values: Vec<f64> = words.iter().map(|w| w.covariates[column]).collect();
    let (Ok(mean), Ok(sd)) = (stats::mean(&values), stats::sd(&values)) else {
        return vec![0.0; values.len()];
    };
    let scale = if sd > 0.0 { 1.0 / sd } else { 0.0 };
    values.iter().map(|v| (v - mean) * scale).collect()
}
