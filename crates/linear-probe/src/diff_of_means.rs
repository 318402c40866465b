//! The difference of class means, `v_c = mu_c - mu_notc`.
//!
//! It reads worse than logistic regression and writes better: it points where words of the class
//! really are. Deliberately absent: normalisation, which is the caller's choice (the length is the
//! distance between the means, in units of the activations).

use serde::{Deserialize, Serialize};

use crate::blocks::Centred;
use crate::design::Design;
use crate::error::ProbeError;
use crate::labels::Labels;

/// One direction per class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffOfMeans {
    /// Number of columns of the activations.
    pub d: usize,
    /// `[n_classes, d]`, row-major.
    pub directions: Vec<f64>,
}

/// Mean of the rows of each class minus mean of all other rows.
///
/// # Shapes
/// - `design`: `[n, d]`
/// - `labels`: `[n]`
///
/// # Errors
/// Labels of another length, or a class without positives or negatives.
pub fn diff_of_means(design: Design<'_>, labels: &Labels) -> Result<DiffOfMeans, ProbeError> {
    labels.require_fittable(design.n())?;
    let centred = Centred::new(design);
    let sums = class_sums(&centred, labels);
    let n = design.n() as f64;
    let directions = (0..labels.n_classes())
        .flat_map(|class| {
            // With the overall mean removed, mu_notc = -n_c mu_c / (n - n_c).
            let count = labels.counts()[class] as f64;
            let scale = n / (count * (n - count));
            sums[class].iter().map(move |sum| sum * scale).collect::<Vec<_>>()
        })
        .collect();
    Ok(DiffOfMeans {
        d: design.d(),
        directions,
    })
}

/// Sum of the centred rows of each class, `[n_classes][d]`.
pub(crate) fn class_sums(centred: &Centred<'_>, labels: &Labels) -> Vec<Vec<f64>> {
    let indicators: Vec<Vec<f64>> = (0..labels.n_classes())
        .map(|class| {
            labels
                .classes()
                .iter()
                .map(|&c| f64::from(u8::from(c == class)))
                .collect()
        })
        .collect();
    let columns: Vec<&[f64]> = indicators.iter().map(Vec::as_slice).collect();
    let sums = centred.adjoint(&columns);
    (0..columns.len())
        .map(|class| sums.col_as_slice(class).to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let x = [1.0, 0.0, 3.0, 0.0, 0.0, 6.0];
        let design = Design::new(&x, 3, 2).expect("valid");
        let labels = Labels::new(&[0, 0, 1], 2).expect("valid");
        let found = diff_of_means(design, &labels).expect("valid").directions;
        for (found, expected) in found.iter().zip([2.0, -6.0, -2.0, 6.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
