//! Decisions that a caller may take when opening a checkpoint, where the files leave one open.
//!
//! Without any, [`Sae::open`] reads what the files say and refuses what they do not decide. An option that a format has no use for
//! is an error: it would otherwise look as if it had been followed.

use std::path::Path;

use crate::{Format, Sae, SaeError, formats};

/// Where the encoder and the decoder of an opened autoencoder are.
///
/// Both ways compute the same: latents and reconstructions differ at most by the order in which f32 products are summed. A matrix
/// that its file holds deflated or strided (some `.npz` and torch files) is unpacked into memory in its stored type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residency {
    /// [`Residency::Mapped`] if they are more than 2 GiB in f32, else [`Residency::Resident`].
    #[default]
    Auto,
    /// Widened to f32 in memory.
    Resident,
    /// In the mapped file, in the type that they are stored in; what is used is widened when it is used. A decoder that is stored
    /// `[d_out, d_sae]` is gathered value by value for each active latent, which is slow where the file is not in memory.
    Mapped,
}

/// How to open a checkpoint. [`OpenOptions::new`] decides nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    pub(crate) format: Option<Format>,
    pub(crate) k: Option<usize>,
    pub(crate) norm_scaling_factor: Option<f32>,
    pub(crate) stored_threshold: bool,
    pub(crate) residency: Residency,
}

impl OpenOptions {
    /// Nothing decided.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the files as this format instead of recognising it.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Active latents per row, for formats that have it in a name only (Qwen-Scope).
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = Some(k);
        self
    }

    /// The factor that activations were multiplied with in training, for files that do not hold it (`SAELens` with
    /// `expected_average_only_in`, `OpenMOSS` without an average norm). It is folded as `SAELens` does:
    /// `W_enc *= s`, `W_dec /= s`, `b_dec /= s`.
    #[must_use]
    pub fn norm_scaling_factor(mut self, factor: f32) -> Self {
        self.norm_scaling_factor = Some(factor);
        self
    }

    /// Uses the stored threshold of a `dictionary_learning` `AutoEncoderTopK` instead of top-k: its `use_threshold=True`.
    #[must_use]
    pub fn stored_threshold(mut self) -> Self {
        self.stored_threshold = true;
        self
    }

    /// Where the matrices are kept; [`Residency::Auto`] if nothing is said. No numbers depend on it, and no hash.
    #[must_use]
    pub fn residency(mut self, residency: Residency) -> Self {
        self.residency = residency;
        self
    }

    /// Opens a file or folder.
    ///
    /// # Errors
    /// Those of [`Sae::open`], and [`SaeError::Option`] for an option that the format has no use for.
    pub fn open(&self, path: &Path) -> Result<Sae, SaeError> {
        formats::open(path, self)
    }

    /// One line per decision that changes what is computed, for the content hash.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::new();
        let mut line = |text: String| {
            lines.push_str(&text);
            lines.push('\n');
        };
        if let Some(k) = self.k {
            line(format!("k={k}"));
        }
        if let Some(factor) = self.norm_scaling_factor {
            line(format!("norm_scaling_factor={factor}"));
        }
        if self.stored_threshold {
            line("stored_threshold".to_owned());
        }
        lines
    }
}
