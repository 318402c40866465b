//! Principal components of activations, and lengths in units of how far activations vary.
//!
//! One decomposition of the covariance serves three questions: which directions hold most of the variance, what pattern a read
//! direction goes with (`Sigma w`, Haufe et al. 2014), and how unusual a displacement is (its Mahalanobis length).
//!
//! Deliberately absent: randomised or truncated decompositions; the covariance of a residual stream is small enough for all of it.

use faer::Side;

use crate::error::ProbeError;
use crate::moments::{Moments, Shrinkage};

/// Eigenvalues and eigenvectors of a covariance, largest variance first.
#[derive(Clone, Debug)]
pub struct Spectrum {
    d: usize,
    /// Variances of the sample covariance, `[d]`, falling, never below 0.
    values: Vec<f64>,
    /// `[d, d]`, one unit vector a row.
    vectors: Vec<f64>,
    /// Variances of the shrunk covariance, in the same order.
    shrunk: Vec<f64>,
}

impl Spectrum {
    /// Decomposes the covariance of `moments`; `shrinkage` is what [`Spectrum::mahalanobis`] divides by.
    ///
    /// # Errors
    /// [`ProbeError::Singular`] if the decomposition fails or the shrunk covariance is not positive definite; a shrinkage out of range.
    pub fn new(moments: &Moments, shrinkage: Shrinkage) -> Result<Self, ProbeError> {
        let d = moments.mean.len();
        let (keep, add) = moments.mix(shrinkage)?;
        // Shrinkage pulls towards a multiple of the identity: the eigenvectors stay.
        let eigen = moments
            .covariance
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| ProbeError::Singular)?;
        let values: Vec<f64> = eigen
            .S()
            .column_vector()
            .iter()
            .rev()
            .map(|value| value.max(0.0))
            .collect();
        let shrunk: Vec<f64> = values.iter().map(|value| keep * value + add).collect();
        if shrunk.iter().any(|&value| !(value > 0.0 && value.is_finite())) {
            return Err(ProbeError::Singular);
        }
        let columns = eigen.U();
        let vectors = (0..d)
            .rev()
            .flat_map(|j| (0..d).map(move |i| columns[(i, j)]))
            .collect();
        Ok(Self {
            d,
            values,
            vectors,
            shrunk,
        })
    }

    /// Number of columns of the activations.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// Variances along the components, `[d]`, falling.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// A component, `[d]`, unit length.
    ///
    /// # Panics
    /// Panics if there is no such component.
    #[must_use]
    pub fn vector(&self, component: usize) -> &[f64] {
        &self.vectors[component * self.d..(component + 1) * self.d]
    }

    /// How many of the largest components hold at least `share` of the variance; at least 1.
    #[must_use]
    pub fn components_for(&self, share: f64) -> usize {
        let total: f64 = self.values.iter().sum();
        let mut held = 0.0;
        let enough = self.values.iter().position(|value| {
            held += value;
            held >= share * total
        });
        enough.map_or(self.d, |at| at + 1)
    }

    /// `Sigma v` with the sample covariance, `[d]`.
    #[must_use]
    pub fn covary(&self, v: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.d];
        for (component, value) in self.vectors.chunks_exact(self.d).zip(&self.values) {
            let along = value * inner(component, v);
            for (out, u) in out.iter_mut().zip(component) {
                *out += along * u;
            }
        }
        out
    }

    /// `|Sigma^-1/2 v|` with the shrunk covariance: the length of `v` where each direction is measured in its own deviations. A
    /// draw from the activations' distribution has about `sqrt(d)`.
    #[must_use]
    pub fn mahalanobis(&self, v: &[f64]) -> f64 {
        let components = self.vectors.chunks_exact(self.d).zip(&self.shrunk);
        components
            .map(|(component, value)| inner(component, v).powi(2) / value)
            .sum::<f64>()
            .sqrt()
    }
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Design, Labels};

    /// Columns of variance 4, 1 and .25 that do not covary, and labels that do not matter.
    fn moments() -> Moments {
        let mut x = Vec::new();
        for bits in 0..8u8 {
            let sign = |bit: u8| if bits >> bit & 1 == 1 { 1.0f32 } else { -1.0 };
            x.extend([sign(0), 2.0 * sign(1), 0.5 * sign(2)]);
        }
        let labels = Labels::new(&[0, 1, 0, 1, 0, 1, 0, 1], 2).expect("valid");
        Moments::new(Design::new(&x, 8, 3).expect("valid"), &labels).expect("valid")
    }

    #[test]
    fn components_fall_in_variance_and_lengths_count_deviations() {
        let none = Shrinkage::Ridge { relative: 0.0 };
        let spectrum = Spectrum::new(&moments(), none).expect("valid");
        for (found, expected) in spectrum.values().iter().zip([4.0, 1.0, 0.25]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!((spectrum.vector(0)[1].abs() - 1.0).abs() < 1e-12);
        // 4 of 5.25 is 76 %, 5 of 5.25 is 95 %.
        assert_eq!(spectrum.components_for(0.7), 1);
        assert_eq!(spectrum.components_for(0.9), 2);
        assert_eq!(spectrum.components_for(1.0), 3);
        let covaried = spectrum.covary(&[1.0, 1.0, 2.0]);
        for (found, expected) in covaried.iter().zip([1.0, 4.0, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        // Three deviations along the second column, four along the third.
        assert!((spectrum.mahalanobis(&[0.0, 6.0, 2.0]) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_covariance_without_full_rank_needs_shrinkage() {
        let x = [1.0, 1.0, -1.0, -1.0, 2.0, 2.0, -2.0, -2.0];
        let labels = Labels::new(&[0, 1, 0, 1], 2).expect("valid");
        let moments = Moments::new(Design::new(&x, 4, 2).expect("valid"), &labels).expect("valid");
        let with = |relative| Spectrum::new(&moments, Shrinkage::Ridge { relative });
        assert!(with(0.1).is_ok());
        assert!(with(-1.0).is_err());
    }
}
