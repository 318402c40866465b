//! Which device runs the passes.

use burn::prelude::Device;

use crate::error::{ModelError, Result};

/// Parses a device name; `flex` is the only one compiled in so far.
///
/// `flex` runs inference on this crate's CPU engine and gradients on burn's flex backend.
///
/// # Errors
/// The name is unknown, or its backend is not compiled into this binary.
pub fn device(name: &str) -> Result<Device> {
    let refuse = |reason: &str| {
        Err(ModelError::Device {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })
    };
    match name {
        "flex" => Ok(Device::flex()),
        _ if name == "ndarray" || name == "wgpu" || name.starts_with("wgpu:") => {
            refuse("is not compiled into this binary; `flex` is")
        }
        _ => refuse("is unknown; expected `flex`"),
    }
}
