//! Parameters on the host, and their tensors on a device.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use burn::prelude::*;
use burn::tensor::{DType, Gradients};
use checkpoint::Checkpoint;
use checkpoint::write::TensorData as FileTensor;

use crate::config::{Layout, ModelConfig};
use crate::device::Precision;
use crate::error::{ModelError, Result};
use crate::layout::{Names, Piece, tensor_shapes};

/// All parameters of a model on the host, in the order and layout of its checkpoint.
#[derive(Clone, Debug)]
pub struct ParamSet {
    pub(crate) names: Vec<String>,
    pub(crate) shapes: Vec<Vec<usize>>,
    pub(crate) values: Vec<Vec<f32>>,
}

impl ParamSet {
    /// All parameters zero.
    #[must_use]
    pub fn zeros(config: &ModelConfig) -> Self {
        let (names, shapes): (Vec<_>, Vec<_>) = tensor_shapes(config).into_iter().unzip();
        let values = shapes.iter().map(|shape| vec![0.0; shape.iter().product()]).collect();
        Self { names, shapes, values }
    }

    /// The parameters of a checkpoint, widened to f32.
    ///
    /// # Errors
    /// A tensor is missing or has another shape than `config` says.
    pub fn read(config: &ModelConfig, checkpoint: &Checkpoint) -> Result<Self> {
        let mut set = Self::zeros(config);
        // The checkpoint may use another prefix; the set keeps the usual names, in the same order.
        let stored = Names::of(config, checkpoint).shapes();
        for ((name, shape), values) in stored.iter().zip(&mut set.values) {
            let view = checkpoint.get(name)?;
            view.expect_shape(shape)?;
            *values = view.to_f32()?;
        }
        Ok(set)
    }

    /// Writes `model.safetensors`, rounded to bf16.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_bf16(&self, path: &Path) -> Result<()> {
        let tensors: Vec<_> = self
            .names
            .iter()
            .zip(&self.shapes)
            .zip(&self.values)
            .map(|((name, shape), values)| FileTensor::bf16(name, shape, values))
            .collect();
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        checkpoint::write::safetensors(path, &tensors, &metadata)?;
        Ok(())
    }

    /// How many tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many numbers.
    #[must_use]
    pub fn count(&self) -> usize {
        self.values.iter().map(Vec::len).sum()
    }
}

/// A parameter tensor of either rank.
pub(crate) enum AnyTensor {
    Matrix(Tensor<2>),
    Vector(Tensor<1>),
}

impl AnyTensor {
    /// Its gradient on the host; zeros where the loss does not depend on it.
    ///
    /// # Errors
    /// It cannot be read as f32.
    pub(crate) fn gradient(&self, gradients: &mut Gradients, len: usize) -> Result<Vec<f32>> {
        let data = match self {
            Self::Matrix(tensor) => tensor.grad_remove(gradients).map(Tensor::into_data),
            Self::Vector(tensor) => tensor.grad_remove(gradients).map(Tensor::into_data),
        };
        let Some(data) = data else { return Ok(vec![0.0; len]) };
        let values = data.convert::<f32>().try_into_vec::<f32>();
        values.map_err(|e| ModelError::Training(format!("reading a gradient: {e:?}")))
    }
}

/// Every parameter as a tensor of one device, under its checkpoint name.
///
/// A burn tensor is a counted reference, so that layers share the leaves without copies and a fused tensor is one leaf.
pub(crate) struct Leaves {
    index: BTreeMap<String, usize>,
    tensors: Vec<AnyTensor>,
}

impl Leaves {
    /// With `tracked`, tensors are leaves whose gradients can be asked for.
    pub(crate) fn new(params: &ParamSet, device: &Device, tracked: bool) -> Self {
        let tensors = params.shapes.iter().zip(&params.values).map(|(shape, values)| {
            if let [rows, columns] = shape[..] {
                let tensor = Tensor::<2>::from_data(TensorData::new(values.clone(), [rows, columns]), device);
                AnyTensor::Matrix(if tracked { tensor.require_grad() } else { tensor })
            } else {
                let tensor = Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device);
                AnyTensor::Vector(if tracked { tensor.require_grad() } else { tensor })
            }
        });
        Self {
            tensors: tensors.collect(),
            index: params.names.iter().cloned().zip(0..).collect(),
        }
    }

    /// In the order of the [`ParamSet`].
    pub(crate) fn all(&self) -> &[AnyTensor] {
        &self.tensors
    }

    fn get(&self, name: &str) -> Option<&AnyTensor> {
        self.tensors.get(*self.index.get(name)?)
    }

    pub(crate) fn matrix(&self, name: &str) -> Result<Tensor<2>> {
        match self.get(name) {
            Some(AnyTensor::Matrix(tensor)) => Ok(tensor.clone()),
            _ => Err(ModelError::Run(format!(
                "there is no matrix `{name}` among the parameters"
            ))),
        }
    }

    pub(crate) fn vector(&self, name: &str) -> Result<Tensor<1>> {
        match self.get(name) {
            Some(AnyTensor::Vector(tensor)) => Ok(tensor.clone()),
            _ => Err(ModelError::Run(format!(
                "there is no vector `{name}` among the parameters"
            ))),
        }
    }
}

/// Where a block's parameters come from.
pub(super) enum Source<'a> {
    /// Tensors that are there already, in checkpoint layout.
    Leaves(&'a Leaves),
    /// A mapped checkpoint, from which tensors go to the device one by one, as constants.
    Checkpoint {
        checkpoint: &'a Checkpoint,
        device: &'a Device,
        precision: Precision,
    },
}

/// Weight `[outputs, inputs]` (or `[inputs, outputs]`, where stored so), bias, and which outputs are taken.
type Part = (Tensor<2>, Option<Tensor<1>>, Piece);

impl Source<'_> {
    /// Whether nobody asks for gradients of the parameters themselves.
    pub(super) fn constant(&self) -> bool {
        matches!(self, Self::Checkpoint { .. })
    }

    /// Whether weights are `[outputs, inputs]` whatever the checkpoint does.
    pub(super) fn transposed(&self) -> bool {
        self.constant()
    }

    /// What products with weights are computed in, where it is not f32.
    pub(super) fn dtype(&self) -> Option<DType> {
        match self {
            Self::Leaves(_) => None,
            Self::Checkpoint { precision, .. } => precision.dtype(),
        }
    }

    /// A vector, in f32; with `plus_one`, 1 is added.
    pub(super) fn vector(&self, name: &str, plus_one: bool) -> Result<Tensor<1>> {
        match self {
            Self::Leaves(leaves) => leaves.vector(name),
            Self::Checkpoint { checkpoint, device, .. } => {
                let mut values = checkpoint.get(name)?.to_f32()?;
                if plus_one {
                    for value in &mut values {
                        *value += 1.0;
                    }
                }
                let len = values.len();
                Ok(Tensor::from_data(TensorData::new(values, [len]), *device))
            }
        }
    }

    /// One piece of a projection. From a checkpoint only the outputs that the piece takes are uploaded.
    pub(super) fn linear(&self, config: &ModelConfig, piece: Piece, bias: bool) -> Result<Part> {
        let (weight, offset) = (format!("{}.weight", piece.tensor), format!("{}.bias", piece.tensor));
        match self {
            Self::Leaves(leaves) => {
                let bias = bias.then(|| leaves.vector(&offset)).transpose()?;
                Ok((leaves.matrix(&weight)?, bias, piece))
            }
            Self::Checkpoint { checkpoint, device, .. } => {
                let values = rows_of(checkpoint, &weight, &piece, config.layout == Layout::Gpt2)?;
                let outputs: usize = piece.outputs.iter().map(Range::len).sum();
                let input = values.len() / outputs.max(1);
                let data = TensorData::new(values, [outputs, input]);
                let weight = match self.dtype() {
                    Some(dtype) => Tensor::from_data(data.convert_dtype(dtype), (*device, dtype)),
                    None => Tensor::from_data(data, *device),
                };
                let bias = bias
                    .then(|| -> Result<Tensor<1>> {
                        let stored = checkpoint.get(&offset)?.to_f32()?;
                        let taken: Vec<f32> = piece
                            .outputs
                            .iter()
                            .flat_map(|range| stored[range.clone()].to_vec())
                            .collect();
                        Ok(Tensor::from_data(TensorData::new(taken, [outputs]), *device))
                    })
                    .transpose()?;
                let whole = Piece {
                    tensor: piece.tensor,
                    outputs: std::iter::once(0..outputs).collect(),
                    stored: outputs,
                };
                Ok((weight, bias, whole))
            }
        }
    }
}

/// The weights of a piece's outputs, `[outputs, inputs]`; `in_out`: they are stored `[inputs, outputs]`.
fn rows_of(checkpoint: &Checkpoint, name: &str, piece: &Piece, in_out: bool) -> Result<Vec<f32>> {
    let view = checkpoint.get(name)?;
    let mut values = Vec::new();
    if !in_out {
        for range in &piece.outputs {
            view.extend_rows_f32(range.clone(), &mut values)?;
        }
        return Ok(values);
    }
    let stored = view.to_f32()?;
    for output in piece.outputs.iter().cloned().flatten() {
        values.extend(stored.iter().skip(output).step_by(piece.stored));
    }
    Ok(values)
}
