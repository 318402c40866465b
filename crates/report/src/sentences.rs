//! The end of a run in one to three sentences.
//!
//! A table makes its reader compare; these sentences do it for them, with interval and p value in the same breath. They judge by
//! the numbers they are given and compute nothing.

mod mediation;

use crate::number;

pub use mediation::{Choice, Mediation, Together, mediate};

/// A measured number of something that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Name of the arm or SAE.
    pub name: String,
    /// The point estimate.
    pub value: f64,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
}

/// The paired difference between the reference arm and the best SAE.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Reference minus SAE.
    pub value: f64,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
    /// p value of the paired test.
    pub p: Option<f64>,
    /// Independent units of the test, with their name: `26 letters`.
    pub units: String,
}

/// Everything that [`conclude`] speaks about.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// What the numbers measure, as a noun: `mediated share`.
    pub measure: String,
    /// The arms that the SAE is held against, the main reference first.
    pub references: Vec<Named>,
    /// The best SAE arm, if one was measured.
    pub best_sae: Option<Named>,
    /// How far the SAE is behind the main reference.
    pub gap: Option<Gap>,
    /// Where the gap went: parts of it by name, in the order to be told.
    pub parts: Vec<Named>,
    /// Level of the test, for example 0.05.
    pub alpha: f64,
}

/// `0.81 [0.76, 0.86]`.
#[must_use]
pub fn estimate(value: f64, lo: Option<f64>, hi: Option<f64>, digits: usize) -> String {
    number::with_interval(value, lo, hi, digits)
}

/// `p = 0.012`, and `p < 0.001` for anything smaller.
#[must_use]
pub fn p_value(p: f64) -> String {
    match p {
        p if !(0.0..=1.0).contains(&p) => "p unknown".to_owned(),
        p if p < 0.001 => "p < 0.001".to_owned(),
        p => format!("p = {p:.3}"),
    }
}

/// One to three sentences: what was measured, whether the SAE is behind, and where the difference went.
#[must_use]
pub fn conclude(conclusion: &Conclusion) -> Vec<String> {
    let mut sentences = Vec::new();
    let names: Vec<String> = conclusion.references.iter().map(named).collect();
    let measure = capital(&conclusion.measure);
    match (&conclusion.best_sae, names.is_empty()) {
        (Some(sae), false) => {
            sentences.push(format!("{measure}: {}; best SAE arm {}.", names.join(", "), named(sae)));
        }
        (Some(sae), true) => sentences.push(format!("{measure}: best SAE arm {}.", named(sae))),
        (None, false) => sentences.push(format!("{measure}: {}.", names.join(", "))),
        (None, true) => return vec![format!("{measure}: nothing was measured.")],
    }
    if let (Some(gap), Some(sae), Some(reference)) =
        (&conclusion.gap, &conclusion.best_sae, conclusion.references.first())
    {
        sentences.push(gap_sentence(gap, &sae.name, &reference.name, conclusion.alpha));
        if !conclusion.parts.is_empty() {
            let parts: Vec<String> = conclusion.parts.iter().map(named).collect();
            sentences.push(format!("The gap divides into {}.", parts.join(", ")));
        }
    }
    sentences
}

fn gap_sentence(gap: &Gap, sae: &str, reference: &str, alpha: f64) -> String {
    let size = estimate(gap.value, gap.lo, gap.hi, 2);
    let p = gap.p.map(|p| format!(", {}", p_value(p))).unwrap_or_default();
    let clear = match (gap.p, gap.lo, gap.hi) {
        (Some(p), _, _) => p < alpha,
        (None, Some(lo), Some(hi)) => lo > 0.0 || hi < 0.0,
        _ => false,
    };
    let verdict = match clear {
        true if gap.value > 0.0 => format!("`{sae}` is behind `{reference}`"),
        true => format!("`{sae}` is ahead of `{reference}`"),
        false => format!("these data do not separate `{sae}` from `{reference}`"),
    };
    format!("Paired gap {size}{p} ({}): {verdict}.", gap.units)
}

fn named(named: &Named) -> String {
    format!("`{}` {}", named.name, estimate(named.value, named.lo, named.hi, 2))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
