//! `--device` and `--dtype`: where the passes of a verb run.

use std::path::Path;

use clap::Args;
use model_runner::{Budget, ComputeDevice, Precision, Transformer};

use crate::size::Size;

/// Where passes run, and in which number type.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceArgs {
    /// Device of the model's passes: `flex` (CPU), `wgpu` or `wgpu:N` (a GPU by number; needs a build with `--features wgpu`).
    #[arg(long, default_value = "flex", value_name = "NAME", help_heading = "How it runs")]
    pub(crate) device: String,
    /// Number type of products with weights: `f32`; on a GPU that has them also `f16` and `bf16`.
    #[arg(long, default_value = "f32", value_name = "TYPE", help_heading = "How it runs")]
    pub(crate) dtype: String,
    /// Memory that widened weights, kept prefixes and blocks of captures and edits share; what does not fit is run in smaller
    /// parts or again, with the same results.
    #[arg(long, default_value = "8GiB", value_name = "SIZE", help_heading = "How it runs")]
    pub(crate) memory: Size,
}

impl DeviceArgs {
    /// Opens the device; refuses what it cannot do.
    pub(crate) fn open(&self) -> anyhow::Result<(ComputeDevice, Precision)> {
        let precision: Precision = self.dtype.parse()?;
        let device = ComputeDevice::open(&self.device)?;
        device.check(precision)?;
        Ok((device, precision))
    }

    /// A model on it.
    pub(crate) fn model(&self, folder: &Path) -> anyhow::Result<Transformer> {
        let (device, precision) = self.open()?;
        Ok(Transformer::open_on(
            folder,
            &device,
            precision,
            Budget::of(self.memory.0),
        )?)
    }

    /// What changes results: `flex` or `wgpu`, whatever its number, and the number type. Adapters of one kind are told apart by the
    /// record's environment only.
    pub(crate) fn kind(&self) -> anyhow::Result<&'static str> {
        Ok(self.open()?.0.kind().name())
    }

    /// For keys that were made before there was a choice: nothing where passes run as they did then.
    pub(crate) fn key(&self) -> anyhow::Result<Option<(&'static str, String)>> {
        let kind = self.kind()?;
        Ok((kind != "flex").then(|| (kind, self.dtype.clone())))
    }
}
