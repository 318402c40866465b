//! What the latents of one word carry along a probe direction.
//!
//! Deliberately absent: latents that are zero. They carry nothing, so no definition needs them.

use sae::{Sae, SparseLatents};
use serde::{Deserialize, Serialize};

use super::SILENT;
use super::error::{AbsorptionError, finite};
use crate::select::contribution_scale;

/// A non-zero latent of a word.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The latent.
    pub latent: u32,
    /// Its activation, in the SAE's units.
    pub activation: f64,
    /// Cosine of its decoder row with the probe direction.
    pub cosine: f64,
    /// What it adds to the vector's projection on the unit probe direction, in the vector's units.
    pub carried: f64,
}

/// What of a decoder row is multiplied with the activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accounting {
    /// Its cosine with the probe, as `SAEBench` does: right for decoder rows of unit length only.
    Cosine,
    /// Its projection on the unit probe direction: right for all decoders.
    Exact,
}

/// All decoder rows along one probe direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    cosines: Vec<f64>,
    products: Vec<f64>,
}

impl Along {
    /// From plain numbers; both `[d_sae]`.
    ///
    /// - `cosines`: of every decoder row with the direction
    /// - `products`: projection of every decoder row on the unit direction
    ///
    /// # Errors
    /// Arrays of different length.
    pub fn new(cosines: Vec<f64>, products: Vec<f64>) -> Result<Self, AbsorptionError> {
        if cosines.len() != products.len() {
            return Err(AbsorptionError::Length {
                what: "projections of decoder rows",
                expected: cosines.len(),
                found: products.len(),
            });
        }
        Ok(Self { cosines, products })
    }

    /// For a decoder with rows of unit length, where cosine and projection are the same.
    #[must_use]
    pub fn unit_rows(cosines: Vec<f64>) -> Self {
        Self {
            products: cosines.clone(),
            cosines,
        }
    }

    /// Cosines, `[d_sae]`.
    #[must_use]
    pub fn cosines(&self) -> &[f64] {
        &self.cosines
    }

    pub(super) fn into_cosines(self) -> Vec<f64> {
        self.cosines
    }

    /// Projections on the unit direction, `[d_sae]`.
    #[must_use]
    pub fn products(&self) -> &[f64] {
        &self.products
    }
}

/// Every decoder row along a direction (`[d_out]`, any length but zero, which gives zeros).
#[must_use]
pub fn decoder_along(sae: &Sae, direction: &[f64]) -> Along {
    let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (mut cosines, mut products) = (Vec::with_capacity(sae.d_sae()), Vec::with_capacity(sae.d_sae()));
    sae.visit_decoder(|_, rows| {
        for row in rows.chunks_exact(direction.len()) {
            let dot: f64 = row.iter().zip(direction).map(|(&w, v)| f64::from(w) * v).sum();
            let norm = row.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
            let over = |divisor: f64| if divisor > 0.0 { dot / divisor } else { 0.0 };
            cosines.push(over(norm * length));
            products.push(over(length));
        }
    });
    Along { cosines, products }
}

/// One word along the probe direction of its letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    projection: f64,
    entries: Vec<Entry>,
}

impl Word {
    /// From plain numbers. `projection`: of the vector on the unit probe direction, without the
    /// probe's bias and without centring; `entries`: in any order.
    ///
    /// # Errors
    /// A number that is not finite, or a latent that is listed twice.
    pub fn new(projection: f64, mut entries: Vec<Entry>) -> Result<Self, AbsorptionError> {
        finite("the projection on the probe", projection)?;
        for entry in &entries {
            finite("an activation", entry.activation)?;
            finite("a cosine", entry.cosine)?;
            finite("a contribution", entry.carried)?;
        }
        entries.sort_by_key(|entry| entry.latent);
        match entries.windows(2).find(|pair| pair[0].latent == pair[1].latent) {
            Some(pair) => Err(AbsorptionError::Twice { latent: pair[0].latent }),
            None => Ok(Self { projection, entries }),
        }
    }

    /// Reads a row of encoded vectors. A row whose input was normalised carries its contributions
    /// in the units of the vector before that.
    ///
    /// # Errors
    /// A number that is not finite, or decoder rows of another SAE.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn of_row(
        latents: &SparseLatents,
        row: usize,
        projection: f64,
        decoder: &Along,
        accounting: Accounting,
    ) -> Result<Self, AbsorptionError> {
        if decoder.cosines.len() != latents.width() {
            return Err(AbsorptionError::Length {
                what: "decoder rows",
                expected: latents.width(),
                found: decoder.cosines.len(),
            });
        }
        let per_unit = match accounting {
            Accounting::Cosine => &decoder.cosines,
            Accounting::Exact => &decoder.products,
        };
        let scale = f64::from(contribution_scale(latents, row));
        let (index, value) = latents.row(row);
        let entries = index.iter().zip(value).map(|(&latent, &activation)| Entry {
            latent,
            activation: f64::from(activation),
            cosine: decoder.cosines[latent as usize],
            carried: f64::from(activation) * scale * per_unit[latent as usize],
        });
        Self::new(projection, entries.collect())
    }

    /// Projection of the vector on the unit probe direction.
    #[must_use]
    pub fn projection(&self) -> f64 {
        self.projection
    }

    /// Its non-zero latents, ascending.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A latent's entry; `None` where it is zero.
    #[must_use]
    pub fn get(&self, latent: u32) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&latent, |entry| entry.latent).ok()?;
        Some(&self.entries[at])
    }

    /// Whether some of `latents` has an activation of at least `silent` in magnitude.
    #[must_use]
    pub fn any_fires(&self, latents: &[u32], silent: f64) -> bool {
        let fires = |&latent: &u32| self.get(latent).is_some_and(|entry| entry.activation.abs() >= silent);
        latents.iter().any(fires)
    }

    /// Number of latents that fire ([`SILENT`]).
    #[must_use]
    pub fn l0(&self) -> usize {
        let fires = |entry: &&Entry| entry.activation.abs() >= SILENT;
        self.entries.iter().filter(fires).count()
    }

    /// What the latents of `main` carry together. One that is listed twice counts once.
    pub(super) fn carried_by(&self, main: &[u32]) -> f64 {
        let of_main = self.entries.iter().filter(|entry| main.contains(&entry.latent));
        of_main.map(|entry| entry.carried).sum()
    }

    /// The largest positive contributions among latents outside `main` whose cosine is at least
    /// `cosine`, largest first, at most `most`; equal ones by ascending latent.
    pub(super) fn carriers(&self, main: &[u32], cosine: f64, most: usize) -> Vec<Entry> {
        let pool = self.entries.iter().copied();
        let mut pool: Vec<Entry> = pool
            .filter(|entry| entry.carried > 0.0 && entry.cosine >= cosine && !main.contains(&entry.latent))
            .collect();
        pool.sort_by(|a, b| b.carried.total_cmp(&a.carried).then(a.latent.cmp(&b.latent)));
        pool.truncate(most);
        pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(latent: u32, carried: f64) -> Entry {
        Entry {
            latent,
            activation: 2.0 * carried,
            cosine: 0.5,
            carried,
        }
    }

    #[test]
    fn refuses_what_cannot_be_scored() {
        let twice = Word::new(1.0, vec![entry(3, 1.0), entry(1, 1.0), entry(3, 2.0)]);
        assert_eq!(twice, Err(AbsorptionError::Twice { latent: 3 }));
        assert!(Word::new(f64::NAN, vec![]).is_err());
        assert!(Word::new(1.0, vec![entry(0, f64::INFINITY)]).is_err());
        assert!(Along::new(vec![0.0; 2], vec![0.0]).is_err());
        let latents = SparseLatents::new(3, vec![0, 0], vec![], vec![]);
        let along = Along::unit_rows(vec![0.0; 2]);
        assert!(Word::of_row(&latents, 0, 1.0, &along, Accounting::Exact).is_err());
    }

    #[test]
    fn entries_are_found_whatever_their_order() {
        let word = Word::new(1.0, vec![entry(7, 0.25), entry(2, 0.5), entry(4, 0.5), entry(9, -1.0)]).expect("valid");
        assert_eq!(word.get(7).map(|entry| entry.carried), Some(0.25));
        assert_eq!(word.get(5), None);
        assert_eq!(word.l0(), 4);
        assert!(word.any_fires(&[5, 9], SILENT), "a negative activation fires");
        assert!(!word.any_fires(&[5], SILENT));
        assert!(
            (word.carried_by(&[2, 2, 9]) + 0.5).abs() < 1e-15,
            "twice listed counts once"
        );
        let latents: Vec<u32> = word.carriers(&[], 0.0, 2).iter().map(|entry| entry.latent).collect();
        assert_eq!(latents, [2, 4]);
        let latents: Vec<u32> = word.carriers(&[2], 0.0, 9).iter().map(|entry| entry.latent).collect();
        assert_eq!(latents, [4, 7], "main and negative ones do not carry");
    }

    #[test]
    fn accounting_differs_where_rows_are_not_unit() {
        let latents = SparseLatents::new(2, vec![0, 1], vec![1], vec![3.0]);
        let along = Along::new(vec![0.0, 0.5], vec![0.0, 2.0]).expect("same length");
        let carried = |accounting| {
            let word = Word::of_row(&latents, 0, 1.0, &along, accounting).expect("valid");
            word.entries()[0].carried
        };
        assert!((carried(Accounting::Cosine) - 1.5).abs() < 1e-15);
        assert!((carried(Accounting::Exact) - 6.0).abs() < 1e-15);
    }
}
