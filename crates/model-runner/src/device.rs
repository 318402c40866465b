//! Which device runs the passes, and in which number type.
//!
//! Names are `flex` (the CPU engine), `wgpu` or `wgpu:N` (an adapter, with the cargo feature `wgpu`), and `flex-graph`: the engine
//! for other devices on burn's CPU backend, by which tests run it where there is no adapter. Deliberately absent: choosing a device
//! unasked, and falling back to another one.

use std::fmt;
use std::str::FromStr;

use burn::prelude::Device;
use burn::tensor::DType;

#[cfg(feature = "wgpu")]
use crate::adapters;
use crate::error::{ModelError, Result};

/// What a device is, whatever its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// This crate's CPU engine; gradients on burn's CPU backend.
    Flex,
    /// The device engine on burn's CPU backend.
    FlexGraph,
    /// An adapter of Vulkan, Metal or DirectX 12.
    Wgpu,
}

/// A device that exists and is open.
#[derive(Clone, Debug)]
pub struct ComputeDevice {
    kind: DeviceKind,
    burn: Device,
    label: String,
}

impl ComputeDevice {
    /// The CPU engine.
    #[must_use]
    pub fn flex() -> Self {
        Self {
            kind: DeviceKind::Flex,
            burn: Device::flex(),
            label: "flex".to_owned(),
        }
    }

    /// Opens the device of a name.
    ///
    /// # Errors
    /// The name is unknown, its backend is not compiled into this binary, or there is no such adapter.
    pub fn open(name: &str) -> Result<Self> {
        match name {
            "flex" => Ok(Self::flex()),
            "flex-graph" => Ok(Self {
                kind: DeviceKind::FlexGraph,
                label: name.to_owned(),
                ..Self::flex()
            }),
            "ndarray" => refuse(name, "is not compiled into this binary; `flex` replaces it"),
            _ => match name.strip_prefix("wgpu") {
                Some("") => open_adapter(name, 0),
                Some(number) => match number.strip_prefix(':').and_then(|number| number.parse().ok()) {
                    Some(number) => open_adapter(name, number),
                    None => refuse(
                        name,
                        "is unknown; expected `flex`, `wgpu` or `wgpu:N`, N an adapter's number from 0",
                    ),
                },
                None => refuse(name, "is unknown; expected `flex`, `wgpu` or `wgpu:N`"),
            },
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    /// For people: with the adapter's name where it is one, `wgpu:0 (llvmpipe, Vulkan)`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// burn's handle.
    #[must_use]
    pub fn burn(&self) -> &Device {
        &self.burn
    }

    /// Refuses a number type that passes cannot use here.
    ///
    /// # Errors
    /// The device lacks it.
    pub fn check(&self, precision: Precision) -> Result<()> {
        let Some(dtype) = precision.dtype() else { return Ok(()) };
        let name = self.label();
        match self.kind {
            DeviceKind::Flex => refuse(
                name,
                &format!(
                    "cannot run in {precision}\nhint: the CPU engine computes in f32, whatever the weights are stored in; use `--dtype f32`, or `--device wgpu` on a GPU that has {precision}"
                ),
            ),
            _ if self.burn.supports_dtype(dtype) => Ok(()),
            _ => refuse(
                name,
                &format!("does not compute in {precision}\nhint: use `--dtype f32`"),
            ),
        }
    }
}

impl DeviceKind {
    /// Its name without a number, as in a record's spec: results of two kinds differ in their last digits.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::FlexGraph => "flex-graph",
            Self::Wgpu => "wgpu",
        }
    }
}

/// Number type of the matrix products with weights. Everything else (stream, norms, softmax, logits) is f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// IEEE half: 5 bits of exponent, so that large intermediate values overflow.
    F16,
    /// The upper half of an f32.
    Bf16,
}

impl Precision {
    /// What weights and the inputs of their products are stored in, where that is not f32.
    pub(crate) fn dtype(self) -> Option<DType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            _ => Err(ModelError::Precision { name: text.to_owned() }),
        }
    }
}

/// burn's handle of a device; see [`ComputeDevice::open`].
///
/// # Errors
/// As [`ComputeDevice::open`].
pub fn device(name: &str) -> Result<Device> {
    Ok(ComputeDevice::open(name)?.burn)
}

/// Names and labels of the devices that are there, `flex` first. Opens none.
#[must_use]
pub fn devices() -> Vec<(String, String)> {
    let mut all = vec![("flex".to_owned(), "flex".to_owned())];
    #[cfg(feature = "wgpu")]
    all.extend(
        adapters::labels()
            .into_iter()
            .enumerate()
            .map(|(i, label)| (format!("wgpu:{i}"), label)),
    );
    all.dedup();
    all
}

/// Whether this binary was built with the feature `wgpu`.
#[must_use]
pub fn has_wgpu() -> bool {
    cfg!(feature = "wgpu")
}

fn refuse<T>(name: &str, reason: &str) -> Result<T> {
    Err(ModelError::Device {
        name: name.to_owned(),
        reason: reason.to_owned(),
    })
}

#[cfg(not(feature = "wgpu"))]
fn open_adapter(name: &str, _number: usize) -> Result<ComputeDevice> {
    refuse(
        name,
        "is not compiled into this binary\nhint: build it with `--features wgpu`, or use `--device flex`",
    )
}

#[cfg(feature = "wgpu")]
fn open_adapter(name: &str, number: usize) -> Result<ComputeDevice> {
    match adapters::open(number) {
        Ok((burn, label)) => Ok(ComputeDevice {
            kind: DeviceKind::Wgpu,
            burn,
            label,
        }),
        Err(reason) => refuse(name, &reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_others_refused_with_a_remedy() {
        assert_eq!(ComputeDevice::open("flex").unwrap().kind(), DeviceKind::Flex);
        for bad in ["", "abacus", "wgpu:", "wgpu:x", "wgpu:-1", "wgpu0", "ndarray"] {
            let error = ComputeDevice::open(bad).unwrap_err().to_string();
            assert!(error.contains("flex"), "{error}");
        }
        let error = ComputeDevice::open("wgpu:4242").unwrap_err().to_string();
        assert!(error.contains("hint: "), "{error}");
    }

    #[test]
    fn the_cpu_engine_refuses_half_precision() {
        let flex = ComputeDevice::flex();
        assert!(flex.check(Precision::F32).is_ok());
        let error = flex.check("bf16".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("bf16") && error.contains("f32"), "{error}");
        assert!("f64".parse::<Precision>().is_err());
    }
}
