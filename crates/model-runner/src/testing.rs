//! The device that tests run on: one suite for all of them.
//!
//! Not an interface of this crate; it stands here because the tests of several crates need it.

use std::path::Path;

use crate::budget::Budget;
use crate::device::{ComputeDevice, DeviceKind, Precision};
use crate::error::Result;
use crate::transformer::Transformer;

/// Names the device of the tests, as `--device` does; `flex` where it is not set.
pub const VARIABLE: &str = "VERNIER_TEST_DEVICE";

/// The device of the tests.
///
/// # Errors
/// There is no such device.
pub fn device() -> Result<ComputeDevice> {
    ComputeDevice::open(&std::env::var(VARIABLE).unwrap_or_else(|_| "flex".to_owned()))
}

/// A model on it, in f32.
///
/// # Errors
/// There is no such device, or the checkpoint is refused.
pub fn open(folder: &Path) -> Result<Transformer> {
    Transformer::open_on(folder, &device()?, Precision::F32, Budget::default())
}

/// Whether tests run on the CPU engine.
///
/// # Errors
/// There is no such device.
pub fn on_host() -> Result<bool> {
    Ok(device()?.kind() == DeviceKind::Flex)
}
