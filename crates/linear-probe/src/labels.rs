//! One class per row.
//!
//! Deliberately absent: rows without a class and rows with several. A letter that is dropped from
//! a run is dropped from the classes, and the caller keeps the list of which class is which.

use crate::error::ProbeError;

/// Class of each row, every one below [`Labels::n_classes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    classes: Vec<usize>,
    counts: Vec<usize>,
}

impl Labels {
    /// Labels for classes `0..n_classes`. Classes without rows are allowed here (metrics report
    /// them); fitting refuses them.
    ///
    /// # Shapes
    /// - `classes`: `[n]`
    ///
    /// # Errors
    /// [`ProbeError::LabelOutOfRange`] for a label beyond the last class.
    pub fn new(classes: &[usize], n_classes: usize) -> Result<Self, ProbeError> {
        let mut counts = vec![0; n_classes];
        for (row, &class) in classes.iter().enumerate() {
            *counts
                .get_mut(class)
                .ok_or(ProbeError::LabelOutOfRange { row, class, n_classes })? += 1;
        }
        Ok(Self {
            classes: classes.to_vec(),
            counts,
        })
    }

    /// [`Labels::new`] for labels stored as bytes.
    ///
    /// # Errors
    /// [`ProbeError::LabelOutOfRange`] for a label beyond the last class.
    pub fn from_bytes(classes: &[u8], n_classes: usize) -> Result<Self, ProbeError> {
        let classes: Vec<usize> = classes.iter().map(|&class| usize::from(class)).collect();
        Self::new(&classes, n_classes)
    }

    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        self.classes.len()
    }

    /// Number of classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.counts.len()
    }

    /// Class of each row, `[n]`.
    #[must_use]
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Rows per class, `[n_classes]`.
    #[must_use]
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The labels of `rows`, in that order, with the same classes.
    ///
    /// # Errors
    /// [`ProbeError::RowOutOfRange`] for an index beyond the last row.
    pub fn select(&self, rows: &[usize]) -> Result<Self, ProbeError> {
        let n = self.n();
        let classes = rows
            .iter()
            .map(|&row| {
                self.classes
                    .get(row)
                    .copied()
                    .ok_or(ProbeError::RowOutOfRange { row, n })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(&classes, self.n_classes())
    }

    /// Refuses labels that do not fit `n` rows, or a class without positives or negatives.
    pub(crate) fn require_fittable(&self, n: usize) -> Result<(), ProbeError> {
        if self.n() != n {
            return Err(ProbeError::Length {
                what: "labels",
                expected: n,
                found: self.n(),
            });
        }
        if let Some(class) = self.counts.iter().position(|&count| count == 0) {
            return Err(ProbeError::EmptyClass { class });
        }
        match self.counts.iter().position(|&count| count == n) {
            Some(class) => Err(ProbeError::FullClass { class }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        let labels = Labels::from_bytes(&[0, 2, 2], 3).expect("valid");
        assert_eq!(labels.counts(), [1, 0, 2]);
        assert_eq!(labels.require_fittable(3), Err(ProbeError::EmptyClass { class: 1 }));
        assert!(matches!(labels.require_fittable(4), Err(ProbeError::Length { .. })));
        assert_eq!(
            Labels::new(&[0, 3], 3),
            Err(ProbeError::LabelOutOfRange {
                row: 1,
                class: 3,
                n_classes: 3
            })
        );
        let same = Labels::new(&[0, 0], 1).expect("valid");
        assert_eq!(same.require_fittable(2), Err(ProbeError::FullClass { class: 0 }));
    }
}
