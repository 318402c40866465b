//! Opening any checkpoint, writing `SAELens` 6 folders, and the identity of an autoencoder as a hash.
//!
//! Weights are f32 once they are read, at once or when they are used. Thresholds stay f32 on writing even where the rest is bf16, as `SAELens` does:
//! rounding a threshold moves which latents fire.

use std::collections::BTreeMap;
use std::path::Path;

use checkpoint::write::{self, TensorData};

use crate::{Architecture, Format, OpenOptions, Sae, SaeError, Weights, formats};

const CFG: &str = "cfg.json";
const WEIGHTS: &str = "sae_weights.safetensors";

/// Type in which [`Sae::save`] stores weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredDtype {
    /// Exactly as in memory.
    F32,
    /// Rounded to the nearest bfloat16.
    Bf16,
}

impl Sae {
    /// Opens a checkpoint of any known format, recognised from its files: a folder, or a weight file with its configuration
    /// beside it. What was found is in [`Sae::identity`].
    ///
    /// # Errors
    /// [`SaeError::Unrecognised`] for files of no format, [`SaeError::Unsupported`] for kinds that are not computed,
    /// [`SaeError::Field`] and [`SaeError::MissingField`] for a configuration that this crate cannot apply exactly,
    /// [`SaeError::Undecided`] for one that leaves something open, [`SaeError::Tensor`] and [`SaeError::Checkpoint`] for weights
    /// that do not fit it.
    pub fn open(path: &Path) -> Result<Self, SaeError> {
        OpenOptions::new().open(path)
    }

    /// Opens a checkpoint as this format, without recognising it.
    ///
    /// # Errors
    /// Those of [`Sae::open`].
    pub fn open_as(path: &Path, format: Format) -> Result<Self, SaeError> {
        OpenOptions::new().format(format).open(path)
    }

    /// Writes a folder that [`Sae::open`] and `SAELens` 6 read. Weights that stay in their file are widened in memory for it.
    ///
    /// # Errors
    /// [`SaeError::Save`] for what `SAELens` 6 has no words for, [`SaeError::Checkpoint`] if the folder cannot be written.
    pub fn save(&self, folder: &Path, dtype: StoredDtype) -> Result<(), SaeError> {
        if let Some(reason) = formats::unwritable(&self.config) {
            return Err(SaeError::Save {
                reason: reason.to_owned(),
            });
        }
        let (d_in, d_sae, d_out) = (self.config.d_in, self.config.d_sae, self.d_out());
        let tensor = |name: &str, shape: &[usize], values| match dtype {
            StoredDtype::F32 => TensorData::f32(name, shape, values),
            StoredDtype::Bf16 => TensorData::bf16(name, shape, values),
        };
        let vectors = &self.parts.vectors;
        let (w_enc, w_dec) = (self.parts.encoder.dense(false), self.parts.decoder.dense(true));
        let mut tensors = vec![
            tensor("W_enc", &[d_in, d_sae], &*w_enc),
            tensor("W_dec", &[d_sae, d_out], &w_dec),
            tensor("b_dec", &[d_out], &vectors.b_dec),
        ];
        if self.config.architecture == Architecture::Gated {
            tensors.push(tensor("b_gate", &[d_sae], &vectors.b_gate));
            tensors.push(tensor("b_mag", &[d_sae], &vectors.b_mag));
            tensors.push(tensor("r_mag", &[d_sae], &vectors.r_mag));
        } else {
            tensors.push(tensor("b_enc", &[d_sae], &vectors.b_enc));
        }
        if self.config.output.skip {
            tensors.push(tensor("W_skip", &[d_out, d_in], &vectors.w_skip));
        }
        if self.config.architecture == Architecture::JumpRelu {
            tensors.push(TensorData::f32("threshold", &[d_sae], &vectors.threshold));
        }
        // The configuration comes last: a folder with a `cfg.json` is complete.
        write::safetensors(&folder.join(WEIGHTS), &tensors, &BTreeMap::new())?;
        write::atomic(&folder.join(CFG), self.cfg_text(dtype).as_bytes())?;
        Ok(())
    }

    fn cfg_text(&self, dtype: StoredDtype) -> String {
        let name = match dtype {
            StoredDtype::F32 => "float32",
            StoredDtype::Bf16 => "bfloat16",
        };
        format!("{:#}\n", formats::to_json(&self.config, name))
    }

    /// Identity of the autoencoder, as 64 hexadecimal digits.
    ///
    /// For one that was opened it is what `b3sum {files} | b3sum` prints for the files of [`Sae::identity`] without their folders,
    /// such as `b3sum sae_weights.safetensors cfg.json | b3sum`; options of [`OpenOptions`] that were given add a line each. For one
    /// made in memory it is a hash of the configuration and of the weights' bytes; no file has that hash.
    #[must_use]
    pub fn content_hash(&self) -> String {
        if let Some(hash) = &self.file_hash {
            return hash.clone();
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.cfg_text(StoredDtype::F32).as_bytes());
        let Weights {
            w_enc: _,
            b_enc,
            w_dec: _,
            b_dec,
            threshold,
            b_gate,
            b_mag,
            r_mag,
            w_skip,
        } = &self.parts.vectors;
        // One matrix at a time, where they have to be widened for it.
        hasher.update(&write::f32_bytes(&self.parts.encoder.dense(false)));
        hasher.update(&write::f32_bytes(b_enc));
        hasher.update(&write::f32_bytes(&self.parts.decoder.dense(true)));
        for values in [b_dec, threshold, b_gate, b_mag, r_mag, w_skip] {
            hasher.update(&write::f32_bytes(values));
        }
        hasher.finalize().to_hex().to_string()
    }
}
