//! Rows of activations with a class for each, from two tensors of a file.
//!
//! Everything that can be wrong with such tensors is said here once, with the file, the tensor and the way out. Deliberately
//! absent: soft labels, and rows without a class.

use std::path::{Path, PathBuf};

use checkpoint::{Checkpoint, TensorView};
use linear_probe::{Design, Labels, ProbeError, Rows, SparseRows};
use sae::{Sae, SparseLatents};

use crate::failure;

/// Values that are read at a time.
const BLOCK_VALUES: usize = 16 << 20;

/// Where activations and their classes are.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) x: String,
    pub(crate) y: String,
}

/// What becomes of the values on the way in.
#[derive(Clone, Copy)]
pub(crate) enum Reading<'a> {
    /// They stay as they are.
    Dense,
    /// They are latents, of which most are zero.
    Latents,
    /// They are encoded.
    Encoded(&'a Sae),
}

enum Values {
    Dense(Vec<f32>),
    Latents(SparseLatents),
}

/// Activations or latents, and the class of each row.
pub(crate) struct Labelled {
    pub(crate) source: Source,
    /// Numbers per row: the width of the activations or of the dictionary.
    pub(crate) d: usize,
    pub(crate) y: Vec<usize>,
    values: Values,
}

impl Labelled {
    /// Reads both tensors. `x` of more than two dimensions is taken as rows of its last one.
    pub(crate) fn read(source: &Source, reading: Reading<'_>) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::open(&source.file)?;
        let y = classes(source, checkpoint.get(&source.y)?)?;
        let x = checkpoint.get(&source.x)?;
        let d = row_width(source, x, y.len())?;
        if let Reading::Encoded(sae) = reading
            && sae.d_in() != d
        {
            return Err(source.wrong(
                &source.x,
                &format!("its rows have {d} values, the SAE reads {}", sae.d_in()),
                "the activations or the SAE are from another model or hook",
            ));
        }
        let (mut dense, mut gathered) = (Vec::new(), Gathered::default());
        let (mut block, step) = (Vec::new(), (BLOCK_VALUES / d).max(1));
        for from in (0..y.len()).step_by(step) {
            block.clear();
            x.extend_f32(from * d..y.len().min(from + step) * d, &mut block)?;
            if let Some(bad) = block.iter().position(|value| !value.is_finite()) {
                return Err(source.wrong(
                    &source.x,
                    &format!("row {}, column {} is {}", from + bad / d, bad % d, block[bad]),
                    "leave out such rows; f16 overflows at 65504, so dump activations as f32",
                ));
            }
            match reading {
                Reading::Dense => dense.append(&mut block),
                Reading::Latents => block.chunks_exact(d).for_each(|row| gathered.dense_row(row)),
                Reading::Encoded(sae) => gathered.rows(&sae.encode(&block)),
            }
        }
        let width = match reading {
            Reading::Encoded(sae) => sae.d_sae(),
            _ => d,
        };
        Ok(Self {
            source: source.clone(),
            d: width,
            y,
            values: match reading {
                Reading::Dense => Values::Dense(dense),
                _ => Values::Latents(gathered.finish(width)),
            },
        })
    }

    pub(crate) fn n(&self) -> usize {
        self.y.len()
    }

    /// The classes; `of` says what decided how many there are.
    pub(crate) fn labels(&self, classes: usize, of: &str) -> anyhow::Result<Labels> {
        match self.y.iter().position(|&class| class >= classes) {
            Some(row) => Err(self.source.wrong(
                &self.source.y,
                &format!(
                    "row {row} is class {}, but there are {classes} classes ({of})",
                    self.y[row]
                ),
                "classes are counted from 0",
            )),
            None => Labels::new(&self.y, classes).map_err(|error| self.source.refuse(&error)),
        }
    }

    /// The activations `[n, d]`; empty where they were read as latents.
    pub(crate) fn x(&self) -> &[f32] {
        match &self.values {
            Values::Dense(x) => x,
            Values::Latents(_) => &[],
        }
    }

    pub(crate) fn design(&self) -> anyhow::Result<Design<'_>> {
        Design::new(self.x(), self.n(), self.d).map_err(|error| self.source.refuse(&error))
    }

    pub(crate) fn sparse(&self) -> anyhow::Result<SparseRows<'_>> {
        match &self.values {
            Values::Latents(latents) => {
                let (indptr, index, value) = latents.arrays();
                SparseRows::new(self.d, indptr, index, value).map_err(|error| self.source.refuse(&error))
            }
            Values::Dense(_) => Err(failure::usage("these rows were not read as latents")),
        }
    }

    pub(crate) fn rows(&self) -> anyhow::Result<Rows<'_>> {
        Ok(match &self.values {
            Values::Dense(_) => self.design()?.into(),
            Values::Latents(_) => self.sparse()?.into(),
        })
    }
}

impl Source {
    /// An input error about one tensor.
    pub(crate) fn wrong(&self, tensor: &str, what: &str, hint: &str) -> anyhow::Error {
        wrong(&self.file, tensor, what, hint)
    }

    /// What the probe library refused, with where the numbers came from.
    pub(crate) fn refuse(&self, error: &ProbeError) -> anyhow::Error {
        let text = error.to_string().replace("; hint:", "\nhint:");
        match error {
            ProbeError::Setting { .. } => failure::usage(text),
            ProbeError::EmptyClass { .. } | ProbeError::FullClass { .. } => {
                failure::input(format!("`{}`: tensor `{}`: {text}", self.file.display(), self.y))
            }
            _ => failure::input(format!(
                "`{}`: tensors `{}` and `{}`: {text}",
                self.file.display(),
                self.x,
                self.y
            )),
        }
    }
}

/// An input error about one tensor of a file.
pub(crate) fn wrong(file: &Path, tensor: &str, what: &str, hint: &str) -> anyhow::Error {
    failure::input(format!("`{}`: tensor `{tensor}`: {what}\nhint: {hint}", file.display()))
}

fn classes(source: &Source, y: TensorView<'_>) -> anyhow::Result<Vec<usize>> {
    let labels = y.to_i64()?;
    if let Some(row) = labels.iter().position(|&label| label < 0) {
        return Err(source.wrong(
            &source.y,
            &format!("the class of row {row} is {}", labels[row]),
            "classes are counted from 0; leave out rows that have none",
        ));
    }
    if labels.is_empty() {
        return Err(failure::nothing_selected(format!(
            "`{}`: tensor `{}` holds no row",
            source.file.display(),
            source.y
        )));
    }
    Ok(labels.into_iter().map(|label| label as usize).collect())
}

fn row_width(source: &Source, x: TensorView<'_>, rows: usize) -> anyhow::Result<usize> {
    let d = match *x.shape {
        [_, .., d] if d > 0 => d,
        _ => {
            return Err(source.wrong(
                &source.x,
                &format!("its shape is {:?}, expected [rows, d]", x.shape),
                "name the activations with `--x` and the classes with `--y`",
            ));
        }
    };
    if x.elements() == rows * d {
        return Ok(d);
    }
    Err(source.wrong(
        &source.x,
        &format!(
            "its shape {:?} makes {} rows of {d}, but `{}` has {rows} classes",
            x.shape,
            x.elements() / d,
            source.y
        ),
        "each row needs one class; name two tensors that belong together",
    ))
}

/// Latents on their way.
#[derive(Default)]
struct Gathered {
    ends: Vec<usize>,
    index: Vec<u32>,
    value: Vec<f32>,
}

impl Gathered {
    fn dense_row(&mut self, row: &[f32]) {
        for (latent, &value) in (0..).zip(row).filter(|(_, value)| **value != 0.0) {
            self.index.push(latent);
            self.value.push(value);
        }
        self.ends.push(self.index.len());
    }

    fn rows(&mut self, latents: &SparseLatents) {
        for row in 0..latents.rows() {
            let (index, value) = latents.row(row);
            self.index.extend_from_slice(index);
            self.value.extend_from_slice(value);
            self.ends.push(self.index.len());
        }
    }

    fn finish(self, width: usize) -> SparseLatents {
        let indptr = std::iter::once(0).chain(self.ends).collect();
        SparseLatents::new(width, indptr, self.index, self.value)
    }
}
