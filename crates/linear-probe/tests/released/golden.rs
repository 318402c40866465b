//! Reading the golden files.
#![expect(clippy::unwrap_used, reason = "a missing or broken golden file should stop the test")]

use std::fs;
use std::path::PathBuf;

use linear_probe::sgd::SgdProbe;
use linear_probe::{Design, Labels, SparseRows};
use safetensors::SafeTensors;
use serde_json::Value;

pub(crate) const CLASSES: usize = 26;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden/synthetic", name]
        .iter()
        .collect()
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(path(name)).unwrap()).unwrap()
}

/// A golden file of tensors.
pub(crate) struct Tensors(Vec<u8>);

impl Tensors {
    pub(crate) fn open(name: &str) -> Self {
        Self(fs::read(path(name)).unwrap())
    }

    fn bytes<T, const N: usize>(&self, name: &str, from: impl Fn([u8; N]) -> T) -> Vec<T> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let (chunks, rest) = file.tensor(name).unwrap().data().as_chunks::<N>();
        assert!(rest.is_empty());
        chunks.iter().map(|&chunk| from(chunk)).collect()
    }

    pub(crate) fn f32(&self, name: &str) -> Vec<f32> {
        self.bytes(name, f32::from_le_bytes)
    }

    pub(crate) fn labels(&self, name: &str) -> Labels {
        let classes = self.bytes(name, i64::from_le_bytes);
        let classes: Vec<usize> = classes.into_iter().map(|class| class as usize).collect();
        Labels::new(&classes, CLASSES).unwrap()
    }

    /// Row orders `[epochs, n]`.
    pub(crate) fn orders(&self, name: &str, n: usize) -> Vec<Vec<usize>> {
        let rows = self.bytes(name, i16::from_le_bytes);
        let order = |order: &[i16]| order.iter().map(|&row| row as usize).collect();
        rows.chunks_exact(n).map(order).collect()
    }

    pub(crate) fn probe(&self, prefix: &str) -> SgdProbe {
        let weight = self.f32(&format!("{prefix}weight"));
        SgdProbe {
            d: weight.len() / CLASSES,
            weight,
            bias: self.f32(&format!("{prefix}bias")),
        }
    }
}

/// Activations, their letters, and latents of a small SAE.
pub(crate) struct Data {
    pub(crate) train: Vec<f32>,
    pub(crate) test: Vec<f32>,
    pub(crate) train_labels: Labels,
    pub(crate) test_labels: Labels,
    pub(crate) train_latents: Csr,
    pub(crate) test_latents: Csr,
}

pub(crate) const D: usize = 48;
pub(crate) const WIDTH: usize = 160;

pub(crate) fn data() -> Data {
    let file = Tensors::open("data.safetensors");
    let (train, test) = (file.f32("X_train"), file.f32("X_test"));
    let sae = Tensors::open("sae.safetensors");
    Data {
        train_latents: Csr::new(&encode(&sae, &train)),
        test_latents: Csr::new(&file.f32("sae_acts_test")),
        train_labels: file.labels("y_train"),
        test_labels: file.labels("y_test"),
        train,
        test,
    }
}

pub(crate) fn design(x: &[f32]) -> Design<'_> {
    Design::new(x, x.len() / D, D).unwrap()
}

/// `relu((x - b_dec) W_enc + b_enc)`.
fn encode(sae: &Tensors, x: &[f32]) -> Vec<f32> {
    let (weight, bias, shift) = (sae.f32("W_enc"), sae.f32("b_enc"), sae.f32("b_dec"));
    x.chunks_exact(D)
        .flat_map(|row| {
            let mut out = bias.clone();
            for ((x, shift), weight) in row.iter().zip(&shift).zip(weight.chunks_exact(WIDTH)) {
                for (out, weight) in out.iter_mut().zip(weight) {
                    *out += (x - shift) * weight;
                }
            }
            out.into_iter().map(|out| out.max(0.0))
        })
        .collect()
}

/// Owned sparse rows.
pub(crate) struct Csr {
    width: usize,
    indptr: Vec<usize>,
    index: Vec<u32>,
    value: Vec<f32>,
}

impl Csr {
    fn new(dense: &[f32]) -> Self {
        let (mut indptr, mut index, mut value) = (vec![0], Vec::new(), Vec::new());
        for row in dense.chunks_exact(WIDTH) {
            for (latent, &activation) in (0..).zip(row) {
                if activation > 0.0 {
                    index.push(latent);
                    value.push(activation);
                }
            }
            indptr.push(index.len());
        }
        Self {
            width: WIDTH,
            indptr,
            index,
            value,
        }
    }

    /// `n` rows of `active` latents each, scattered evenly.
    pub(crate) fn random(n: usize, width: usize, active: usize) -> Self {
        let entries = n * active;
        Self {
            width,
            indptr: (0..=n).map(|row| row * active).collect(),
            // An odd factor is invertible modulo a power of two: no latent twice in a row.
            index: (0..entries).map(|at| (at * 2_654_435_761 % width) as u32).collect(),
            value: (0..entries).map(|at| 1.0 + (at as f32).sin()).collect(),
        }
    }

    pub(crate) fn rows(&self) -> SparseRows<'_> {
        SparseRows::new(self.width, &self.indptr, &self.index, &self.value).unwrap()
    }
}
