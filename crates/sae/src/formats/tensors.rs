//! Reading tensors by name into the layout of [`crate::Weights`], with a verdict for each.
//!
//! Matrices that a format stores the other way round are turned over block by block, so that the peak is the result and a few rows.

use std::path::Path;
use std::sync::Arc;

use checkpoint::{Checkpoint, CheckpointError, TensorView};

use crate::identity::TensorRecord;
use crate::matrix::Matrix;
use crate::{SaeError, Verdict};

/// Rows that are turned over at a time.
const ROWS: usize = 64;

/// The tensors of a weight file, and the verdicts on those that were asked for.
pub(super) struct Tensors<'a> {
    checkpoint: &'a Arc<Checkpoint>,
    file: &'a Path,
    /// In front of every name, such as `ae.`.
    prefix: &'static str,
    log: Vec<TensorRecord>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(checkpoint: &'a Arc<Checkpoint>, file: &'a Path, prefix: &'static str) -> Self {
        Self {
            checkpoint,
            file,
            prefix,
            log: Vec::new(),
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.checkpoint.contains(&self.full(name))
    }

    /// Whether a tensor has a verdict.
    pub(super) fn seen(&self, name: &str) -> bool {
        let name = self.full(name);
        self.log.iter().any(|record| record.name == name)
    }

    /// The first of several names that is there, or the first.
    pub(super) fn first_of(&self, names: &[&'static str]) -> &'static str {
        names
            .iter()
            .find(|name| self.has(name))
            .or(names.first())
            .copied()
            .unwrap_or_default()
    }

    fn view(&self, name: &str) -> Result<TensorView<'a>, SaeError> {
        Ok(self.checkpoint.get(&self.full(name))?)
    }

    fn record(&mut self, view: &TensorView<'_>, verdict: Verdict) {
        self.log.push(TensorRecord {
            name: view.name.to_owned(),
            shape: view.shape.to_vec(),
            dtype: view.dtype.to_string(),
            verdict,
        });
    }

    fn used(&mut self, name: &str, how: &str) -> Result<TensorView<'a>, SaeError> {
        let view = self.view(name)?;
        self.record(&view, Verdict::Used(how.to_owned()));
        Ok(view)
    }

    /// The shape of a matrix.
    pub(super) fn matrix_shape(&self, name: &str) -> Result<[usize; 2], SaeError> {
        let view = self.view(name)?;
        match *view.shape {
            [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            _ => Err(SaeError::Checkpoint(CheckpointError::Shape {
                file: view.file.to_owned(),
                tensor: view.name.to_owned(),
                expected: "a matrix that is not empty".to_owned(),
                found: view.shape.to_vec(),
            })),
        }
    }

    /// A tensor of exactly this shape.
    pub(super) fn read(&mut self, name: &str, shape: &[usize], how: &str) -> Result<Vec<f32>, SaeError> {
        let view = self.used(name, how)?;
        view.expect_shape(shape)?;
        Ok(view.to_f32()?)
    }

    /// A matrix stored with one row per latent, `[d_sae, width]`; nothing is read yet.
    pub(super) fn latent_rows(
        &mut self,
        name: &str,
        [d_sae, width]: [usize; 2],
        how: &str,
    ) -> Result<Matrix, SaeError> {
        self.stored(name, [d_sae, width], true, how)
    }

    /// A matrix stored with one column per latent, `[width, d_sae]`; nothing is read yet.
    pub(super) fn latent_columns(
        &mut self,
        name: &str,
        [width, d_sae]: [usize; 2],
        how: &str,
    ) -> Result<Matrix, SaeError> {
        self.stored(name, [width, d_sae], false, how)
    }

    fn stored(&mut self, name: &str, shape: [usize; 2], by_latent: bool, how: &str) -> Result<Matrix, SaeError> {
        let view = self.used(name, how)?;
        view.expect_shape(&shape)?;
        // Only the type is in question.
        view.extend_f32(0..0, &mut Vec::new())?;
        let [rows, columns] = shape;
        let size = if by_latent { [rows, columns] } else { [columns, rows] };
        Ok(Matrix::stored(
            Arc::clone(self.checkpoint),
            view.name.to_owned(),
            size,
            by_latent,
        ))
    }

    /// A matrix stored as `[rows, columns]`, turned over to `[columns, rows]`.
    pub(super) fn transposed(
        &mut self,
        name: &str,
        [rows, columns]: [usize; 2],
        how: &str,
    ) -> Result<Vec<f32>, SaeError> {
        let view = self.used(name, how)?;
        view.expect_shape(&[rows, columns])?;
        let mut out = vec![0.0; rows * columns];
        let mut block = Vec::new();
        for start in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - start);
            block.clear();
            view.extend_rows_f32(start..start + count, &mut block)?;
            for (column, out) in out.chunks_exact_mut(rows).enumerate() {
                for (row, out) in out[start..start + count].iter_mut().enumerate() {
                    *out = block[row * columns + column];
                }
            }
        }
        Ok(out)
    }

    /// A scalar, or a vector of one value per latent: expanded to one per latent.
    pub(super) fn per_latent(&mut self, name: &str, d_sae: usize, how: &str) -> Result<Vec<f32>, SaeError> {
        let view = self.used(name, how)?;
        let values = view.to_f32()?;
        match (view.shape, values.as_slice()) {
            ([] | [1], &[value]) => Ok(vec![value; d_sae]),
            (&[length], _) if length == d_sae => Ok(values),
            _ => {
                view.expect_shape(&[d_sae])?;
                Ok(values)
            }
        }
    }

    /// One float.
    pub(super) fn scalar(&mut self, name: &str, how: &str) -> Result<f64, SaeError> {
        let view = self.used(name, how)?;
        match *view.to_f64()? {
            [value] if value.is_finite() => Ok(value),
            [value] => Err(self.refuse(name, &format!("it is {value}"), "fetch the file again")),
            _ => Err(self.refuse(name, "it is not a single number", "fetch the file again")),
        }
    }

    /// Integers.
    pub(super) fn integers(&mut self, name: &str, how: &str) -> Result<Vec<i64>, SaeError> {
        Ok(self.used(name, how)?.to_i64()?)
    }

    /// Leaves tensors aside that change no number, as far as they are there.
    pub(super) fn ignore(&mut self, names: &[&str], why: &str) -> Result<(), SaeError> {
        for name in names {
            if self.has(name) {
                let view = self.view(name)?;
                self.record(&view, Verdict::Ignored(why.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether all values of a tensor are 1.
    pub(super) fn all_ones(&self, name: &str) -> Result<bool, SaeError> {
        let values = self.view(name)?.to_f32()?;
        // As close as the library's own test asks for.
        Ok(values.iter().all(|&value| (value - 1.0).abs() <= 1e-5))
    }

    pub(super) fn refuse(&self, name: &str, reason: &str, hint: &str) -> SaeError {
        SaeError::Tensor {
            file: self.file.to_owned(),
            tensor: self.full(name),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        }
    }

    /// Verdicts, where every tensor below the prefix must have been asked for.
    pub(super) fn finish(mut self, reason: &str, hint: &str) -> Result<Vec<TensorRecord>, SaeError> {
        let names: Vec<&str> = self.checkpoint.names().collect();
        for name in names {
            if self.log.iter().any(|record| record.name == name) {
                continue;
            }
            let Some(inner) = name.strip_prefix(self.prefix) else {
                let why = format!("outside `{}`: state of training", self.prefix.trim_end_matches('.'));
                let view = self.checkpoint.get(name)?;
                self.record(&view, Verdict::Ignored(why));
                continue;
            };
            return Err(self.refuse(inner, reason, hint));
        }
        Ok(self.log)
    }
}
