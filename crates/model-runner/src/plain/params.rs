//! Parameters on the host, and their tensors on a device.

use std::collections::BTreeMap;
use std::path::Path;

use burn::prelude::*;
use burn::tensor::Gradients;
use checkpoint::Checkpoint;
use checkpoint::write::TensorData as FileTensor;

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::weights::tensor_shapes;

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
        for ((name, shape), values) in set.names.iter().zip(&set.shapes).zip(&mut set.values) {
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

/// Makes device tensors of host parameters.
pub(crate) struct Tensors<'a> {
    pub(crate) params: &'a ParamSet,
    pub(crate) device: &'a Device,
    pub(crate) tracked: bool,
}

impl Tensors<'_> {
    pub(crate) fn matrix(&self, index: usize) -> Tensor<2> {
        let shape = &self.params.shapes[index];
        let data = TensorData::new(self.params.values[index].clone(), [shape[0], shape[1]]);
        let tensor = Tensor::from_data(data, self.device);
        if self.tracked { tensor.require_grad() } else { tensor }
    }

    pub(crate) fn vector(&self, index: usize) -> Tensor<1> {
        let data = TensorData::new(self.params.values[index].clone(), [self.params.shapes[index][0]]);
        let tensor = Tensor::from_data(data, self.device);
        if self.tracked { tensor.require_grad() } else { tensor }
    }
}
