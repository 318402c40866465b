//! The SAE whose latents are probed, with unit decoder rows where that is legal.
//!
//! Deliberately absent: transcoders' targets; latents are all that a probe reads.

use clap::Args;
use sae::Sae;

use crate::dump::OpenArgs;
use crate::locate;

/// The encoder. As [`OpenArgs`], but its `--k` is `--sae-k`, because `--k` is that of k-sparse probes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "An SAE that encodes --x first (lr-sgd, k-sparse)")]
pub(crate) struct SaeArgs {
    /// SAE: a folder or file, or a place in the Hugging Face cache such as `owner/name:path`.
    #[arg(long, value_name = "SAE")]
    pub(super) sae: Option<String>,
    /// Leave decoder norms where they are instead of folding them into the latents.
    #[arg(long, requires = "sae")]
    no_fold: bool,
    /// Read the files as this format instead of recognising it.
    #[arg(long, value_name = "NAME", requires = "sae")]
    sae_format: Option<String>,
    /// Active latents per row, where only a name says it (Qwen-Scope).
    #[arg(long, value_name = "N", requires = "sae")]
    sae_k: Option<usize>,
    /// Factor that activations were multiplied with in training, where it was not stored.
    #[arg(long, value_name = "S", requires = "sae")]
    norm_scaling_factor: Option<f32>,
    /// Use the stored threshold of a `dictionary_learning` `AutoEncoderTopK` instead of top-k.
    #[arg(long, requires = "sae")]
    stored_threshold: bool,
}

impl SaeArgs {
    /// The encoder, if one was named, and whether its decoder norms are folded.
    pub(super) fn open(&self) -> anyhow::Result<Option<(Sae, bool)>> {
        let Some(name) = &self.sae else {
            return Ok(None);
        };
        let open = OpenArgs {
            sae_format: self.sae_format.clone(),
            k: self.sae_k,
            norm_scaling_factor: self.norm_scaling_factor,
            stored_threshold: self.stored_threshold,
        };
        folded(open.open(&locate::sae(name)?.path)?, self.no_fold).map(Some)
    }
}

/// The SAE with unit decoder rows, as released benchmarks fold it, and whether it has them. Where folding would change which
/// latents fire it stays as it is, and stderr says so.
pub(crate) fn folded(opened: Sae, no_fold: bool) -> anyhow::Result<(Sae, bool)> {
    if no_fold {
        return Ok((opened, false));
    }
    match opened.fold_decoder_norms() {
        Ok(sae) => Ok((sae, true)),
        Err(sae::SaeError::Fold { reason, .. }) => {
            eprintln!("warning: decoder norms are not folded: {reason}");
            Ok((opened, false))
        }
        Err(other) => Err(other.into()),
    }
}
