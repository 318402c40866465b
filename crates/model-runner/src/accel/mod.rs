//! The device engine: whole passes on a GPU, through the graph of array operations.
//!
//! A chunk is uploaded once, runs through all its layers there, and what was asked for comes back once, at the end: between upload
//! and result nothing waits for the device. Weights are uploaded once, tensor by tensor; the embedding stays in the mapped file, of
//! which only the rows of the tokens at hand are uploaded. Deliberately absent: falling back to the CPU for anything.

mod gate;
mod head;

use std::ops::Range;
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::DType;
use checkpoint::Checkpoint;

use crate::config::ModelConfig;
use crate::device::{ComputeDevice, DeviceKind, Precision};
use crate::error::{ModelError, Result};
use crate::host::PrefixCache;
use crate::names::HookName;
use crate::plain::{Blocks, Pass, Past};
use gate::Gate;
pub(crate) use head::Head;

/// Most bytes of one array of a chunk. Adapters bind at least 128 MiB to a kernel; two chunks of a dozen arrays fit any GPU that the
/// weights fit.
const ARRAY_BYTES: usize = 96 << 20;

/// Rows of the stream beyond which a product gets no faster.
const MOST_ROWS: usize = 8192;

/// Keys that a query is assumed to see when chunks are sized.
const USUAL_KEYS: usize = 256;

/// Chunks on the device at a time: one computes while the other's data are on their way.
const IN_FLIGHT: usize = 2;

/// A model's blocks on a device.
pub(crate) struct DeviceEngine {
    config: ModelConfig,
    blocks: Arc<Blocks>,
    device: ComputeDevice,
    precision: Precision,
    gate: Gate,
}

/// A chunk of prompts and where it runs.
pub(crate) struct Chunk<'a> {
    /// `[batch, seq, d_model]`.
    pub(crate) x: Vec<f32>,
    pub(crate) batch: usize,
    pub(crate) layers: Range<usize>,
    pub(crate) prefix: Option<&'a PrefixCache>,
    pub(crate) last_only: bool,
}

impl DeviceEngine {
    pub(crate) fn new(
        config: &ModelConfig,
        checkpoint: &Checkpoint,
        device: &ComputeDevice,
        precision: Precision,
    ) -> Result<Self> {
        device.check(precision)?;
        // burn's CPU backend computes on the threads that wait at the gate: it must not be closed there.
        let permits = match device.kind() {
            DeviceKind::Wgpu => IN_FLIGHT,
            DeviceKind::Flex | DeviceKind::FlexGraph => usize::MAX,
        };
        Ok(Self {
            blocks: Arc::new(Blocks::upload(config, checkpoint, device.burn(), precision)?),
            config: config.clone(),
            device: device.clone(),
            precision,
            gate: Gate::new(permits),
        })
    }

    pub(crate) fn device(&self) -> &ComputeDevice {
        &self.device
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    pub(crate) fn blocks(&self) -> Arc<Blocks> {
        Arc::clone(&self.blocks)
    }

    /// How many prompts of `seq` positions one chunk should hold.
    pub(crate) fn chunk_size(&self, seq: usize) -> usize {
        let config = &self.config;
        let widest = config
            .intermediate_size
            .max(config.hidden_size)
            .max(config.heads * config.head_dim.max(USUAL_KEYS));
        let rows = (ARRAY_BYTES / (4 * widest)).clamp(1, MOST_ROWS);
        (rows / seq.max(1)).max(1)
    }

    /// The stream leaving the last layer, `[batch * seq, d_model]` or `[batch, d_model]`.
    pub(crate) fn run(&self, chunk: Chunk<'_>) -> Result<Vec<f32>> {
        let _turn = self.gate.enter();
        let (x, pass) = self.upload(chunk);
        read(self.blocks.run(x, &pass, self.device.burn(), false, |_| Ok(()))?)
    }

    /// The stream leaving each of `kept`, which ascend and end with the chunk's last layer.
    pub(crate) fn run_keeping(&self, chunk: Chunk<'_>, kept: &[usize]) -> Result<Vec<Vec<f32>>> {
        let _turn = self.gate.enter();
        let (x, pass) = self.upload(chunk);
        let mut streams = Vec::with_capacity(kept.len());
        self.blocks.run(x, &pass, self.device.burn(), false, |step| {
            if kept.contains(&step.layer) {
                streams.push(step.x.clone());
            }
            Ok(())
        })?;
        streams.into_iter().map(read).collect()
    }

    /// Logits of chosen tokens at each prompt's last position, `[batch, tokens]`.
    pub(crate) fn run_to_logits(&self, chunk: Chunk<'_>, head: &Head) -> Result<Vec<f32>> {
        let _turn = self.gate.enter();
        let (x, pass) = self.upload(chunk);
        let last = self.blocks.last(x, &pass, self.device.burn())?;
        read(self.head_logits(last, head))
    }

    /// Keys and values of one prompt's positions, the prefix's included.
    pub(crate) fn prefix(&self, chunk: Chunk<'_>) -> Result<Vec<Past>> {
        let _turn = self.gate.enter();
        let past = chunk.prefix.map(PrefixCache::device).transpose()?;
        let (x, pass) = self.upload(chunk);
        let mut kept = Vec::with_capacity(pass.layers.len());
        self.blocks.run(x, &pass, self.device.burn(), false, |step| {
            kept.push(match past.map(|past| &past[step.layer]) {
                Some(past) if past.len > 0 => Past {
                    len: past.len + step.own.len,
                    k: Tensor::cat(vec![past.k.clone(), step.own.k], 1),
                    v: Tensor::cat(vec![past.v.clone(), step.own.v], 1),
                },
                _ => step.own,
            });
            Ok(())
        })?;
        Ok(kept)
    }

    /// As [`DeviceEngine::run`], showing hook points, each read back after its layer.
    pub(crate) fn run_tapped(
        &self,
        chunk: Chunk<'_>,
        wanted: &dyn Fn(HookName) -> bool,
        tap: &mut dyn FnMut(HookName, &[f32]),
    ) -> Result<Vec<f32>> {
        let _turn = self.gate.enter();
        let (x, pass) = self.upload(chunk);
        let x = self.blocks.run(x, &pass, self.device.burn(), true, |step| {
            for (point, value) in step.seen {
                let hook = HookName {
                    layer: step.layer,
                    point,
                };
                if wanted(hook) {
                    tap(hook, &read(value)?);
                }
            }
            Ok(())
        })?;
        read(x)
    }

    fn upload<'a>(&self, chunk: Chunk<'a>) -> (Tensor<3>, Pass<'a>) {
        let d = self.config.hidden_size;
        let seq = chunk.x.len() / (chunk.batch * d);
        let data = TensorData::new(chunk.x, [chunk.batch, seq, d]);
        let pass = Pass {
            layers: chunk.layers,
            prefix: chunk.prefix,
            last_only: chunk.last_only,
        };
        (Tensor::from_data(data, self.device.burn()), pass)
    }
}

/// A tensor's values; waits until they are computed.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor
        .try_into_data()
        .map_err(|error| ModelError::Run(format!("reading from the device: {error:?}")))?;
    let data = if data.dtype() == DType::F32 {
        data
    } else {
        data.convert::<f32>()
    };
    data.try_into_vec::<f32>()
        .map_err(|error| ModelError::Run(format!("reading from the device: {error:?}")))
}
