//! `SAELens` 6 folders: `cfg.json` and `sae_weights.safetensors`.
//!
//! Weights are widened to f32 on reading. Thresholds stay f32 on writing even where the rest is bf16, as `SAELens` does:
//! rounding a threshold moves which latents fire.

use std::collections::BTreeMap;
use std::path::Path;

use checkpoint::write::{self, TensorData};
use checkpoint::{Checkpoint, content_hash};

use crate::{Architecture, Sae, SaeConfig, SaeError, Weights, cfg_json};

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
    /// Opens a folder in the `SAELens` 6 layout.
    ///
    /// # Errors
    /// [`SaeError::Field`] and [`SaeError::MissingField`] for a configuration that this crate cannot apply exactly,
    /// [`SaeError::Tensor`] and [`SaeError::Checkpoint`] for weights that do not fit it.
    pub fn open(folder: &Path) -> Result<Self, SaeError> {
        let (cfg, file) = (folder.join(CFG), folder.join(WEIGHTS));
        let config = cfg_json::read(&cfg)?;
        let weights = read_weights(&config, &file)?;
        let mut sae = Self::new(config, weights).map_err(|error| in_file(error, &cfg, &file))?;
        let lines = format!("{}  {WEIGHTS}\n{}  {CFG}\n", content_hash(&file)?, content_hash(&cfg)?);
        sae.file_hash = Some(blake3::hash(lines.as_bytes()).to_hex().to_string());
        Ok(sae)
    }

    /// Writes a folder that [`Sae::open`] and `SAELens` 6 read.
    ///
    /// # Errors
    /// [`SaeError::Checkpoint`] if the folder cannot be written.
    pub fn save(&self, folder: &Path, dtype: StoredDtype) -> Result<(), SaeError> {
        let (d_in, d_sae) = (self.config.d_in, self.config.d_sae);
        let tensor = |name: &str, shape: &[usize], values| match dtype {
            StoredDtype::F32 => TensorData::f32(name, shape, values),
            StoredDtype::Bf16 => TensorData::bf16(name, shape, values),
        };
        let mut tensors = vec![
            tensor("W_enc", &[d_in, d_sae], self.weights.w_enc.as_slice()),
            tensor("b_enc", &[d_sae], &self.weights.b_enc),
            tensor("W_dec", &[d_sae, d_in], &self.weights.w_dec),
            tensor("b_dec", &[d_in], &self.weights.b_dec),
        ];
        if self.config.architecture == Architecture::JumpRelu {
            tensors.push(TensorData::f32("threshold", &[d_sae], &self.weights.threshold));
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
        format!("{:#}\n", cfg_json::to_json(&self.config, name))
    }

    /// Identity of the autoencoder, as 64 hexadecimal digits.
    ///
    /// For one that was opened, `b3sum sae_weights.safetensors cfg.json | b3sum` in its folder prints the same. For one made in
    /// memory it is a hash of the configuration and of the weights' bytes; no file has that hash.
    #[must_use]
    pub fn content_hash(&self) -> String {
        if let Some(hash) = &self.file_hash {
            return hash.clone();
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.cfg_text(StoredDtype::F32).as_bytes());
        let Weights {
            w_enc,
            b_enc,
            w_dec,
            b_dec,
            threshold,
        } = &self.weights;
        for values in [w_enc, b_enc, w_dec, b_dec, threshold] {
            hasher.update(&write::f32_bytes(values));
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn read_weights(config: &SaeConfig, file: &Path) -> Result<Weights, SaeError> {
    let checkpoint = Checkpoint::open(file)?;
    let (d_in, d_sae) = (config.d_in, config.d_sae);
    let read = |name: &str, shape: &[usize]| -> Result<Vec<f32>, SaeError> {
        let view = checkpoint.get(name)?;
        view.expect_shape(shape)?;
        Ok(view.to_f32()?)
    };
    let jumps = config.architecture == Architecture::JumpRelu;
    let refuse = |tensor: &str, reason: &str, hint: &str| {
        Err(SaeError::Tensor {
            file: file.to_owned(),
            tensor: tensor.to_owned(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        })
    };
    for name in checkpoint.names() {
        match name {
            "W_enc" | "b_enc" | "W_dec" | "b_dec" => {}
            "threshold" if jumps => {}
            // A leftover of fine-tuning; SAELens 6 does not apply it, so it may only be the identity.
            "scaling_factor" => {
                if checkpoint
                    .get(name)?
                    .to_f32()?
                    .iter()
                    .any(|&factor| (factor - 1.0).abs() > 0.0)
                {
                    return refuse(
                        name,
                        "it is not all ones",
                        "fold it into `W_dec` and save the autoencoder again",
                    );
                }
            }
            "threshold" => {
                return refuse(
                    name,
                    "the architecture in `cfg.json` has no thresholds",
                    "`architecture` may have to be `jumprelu`",
                );
            }
            _ => {
                return refuse(
                    name,
                    "the architecture in `cfg.json` has no such tensor",
                    "weights and `cfg.json` may be of different autoencoders",
                );
            }
        }
    }
    Ok(Weights {
        w_enc: read("W_enc", &[d_in, d_sae])?,
        b_enc: read("b_enc", &[d_sae])?,
        w_dec: read("W_dec", &[d_sae, d_in])?,
        b_dec: read("b_dec", &[d_in])?,
        threshold: if jumps {
            read("threshold", &[d_sae])?
        } else {
            Vec::new()
        },
    })
}

/// Says in which file a part that does not fit stands.
fn in_file(error: SaeError, cfg: &Path, weights: &Path) -> SaeError {
    match error {
        SaeError::Invalid {
            field: field @ ("k" | "d_in" | "d_sae"),
            expected,
            found,
        } => SaeError::Field {
            file: cfg.to_owned(),
            field: field.to_owned(),
            value: found,
            reason: format!("expected {expected}"),
            hint: "correct the configuration".to_owned(),
        },
        SaeError::Invalid { field, expected, found } => SaeError::Tensor {
            file: weights.to_owned(),
            tensor: field.to_owned(),
            reason: format!("expected {expected}, found {found}"),
            hint: "the weights are damaged; fetch or train them again".to_owned(),
        },
        other => other,
    }
}
