//! What a weight file holds, whichever format it has.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::entry::Entry;
use crate::fault::Fault;
use crate::format::Container;
use crate::inflate::Packed;
use crate::zip::Archive;
use crate::{CheckpointError, WeightFormat, header, npy, npz, torch};

/// Everything that opening a file finds out about it. Byte ranges lie inside the file.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) format: WeightFormat,
    /// Free-form strings of a safetensors header.
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, Entry>,
    /// Plain values of a torch file.
    pub(crate) values: BTreeMap<String, Value>,
}

/// Reads what `bytes`, the whole content of `file`, says about itself.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    match Container::of(bytes) {
        Container::Other => safetensors(file, bytes),
        Container::Npy => npy(file, bytes),
        Container::Zip => zip(file, bytes),
        Container::LegacyTorch => Err(Fault::refused(
            "it was saved by PyTorch before 1.6, or with `_use_new_zipfile_serialization=False`",
            torch::SAVE_AGAIN,
        )
        .into_error(file, WeightFormat::Torch)),
        Container::Pickle => Err(Fault::refused(
            "it is a Python pickle and not an archive of `torch.save`",
            "in Python: load it and save its tensors with `safetensors.torch.save_file`",
        )
        .into_error(file, WeightFormat::Torch)),
    }
}

/// Reads a safetensors file.
pub(crate) fn safetensors(file: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    let header = header::parse(file, bytes)?;
    Ok(Contents {
        metadata: header.metadata,
        ..Contents::new(WeightFormat::Safetensors, header.tensors)
    })
}

/// Reads one array.
pub(crate) fn npy(file: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    let name = stem(file);
    let packed = Packed {
        range: 0..bytes.len(),
        deflated: None,
    };
    let entry = npy::entry(bytes, packed, &name).map_err(|fault| fault.into_error(file, WeightFormat::Npy))?;
    Ok(Contents::new(WeightFormat::Npy, BTreeMap::from([(name, entry)])))
}

/// Reads an archive, whose members tell what it is.
pub(crate) fn zip(file: &Path, bytes: &[u8]) -> Result<Contents, CheckpointError> {
    let archive = Archive::parse(bytes).map_err(|fault| fault.into_error(file, probable_format(bytes)))?;
    if let Some(pickle) = torch::recognises(&archive) {
        let (tensors, values) =
            torch::load(&archive, pickle, &stem(file)).map_err(|fault| fault.into_error(file, WeightFormat::Torch))?;
        return Ok(Contents {
            values,
            ..Contents::new(WeightFormat::Torch, tensors)
        });
    }
    if npz::recognises(&archive) {
        let tensors = npz::tensors(&archive).map_err(|fault| fault.into_error(file, WeightFormat::Npz))?;
        return Ok(Contents::new(WeightFormat::Npz, tensors));
    }
    let fault = Fault::refused(
        "it is a zip archive with neither `data.pkl` nor arrays (`.npy`)",
        "name the weight file itself; an archive of files must be unpacked first",
    );
    Err(fault.into_error(file, WeightFormat::Torch))
}

/// The format of an archive without a readable directory, from the name of its first member.
fn probable_format(bytes: &[u8]) -> WeightFormat {
    let length = bytes.get(26).copied().unwrap_or_default();
    let name = bytes.get(30..30 + usize::from(length)).unwrap_or_default();
    if name.ends_with(b".npy") {
        WeightFormat::Npz
    } else {
        WeightFormat::Torch
    }
}

impl Contents {
    const fn new(format: WeightFormat, tensors: BTreeMap<String, Entry>) -> Self {
        Self {
            format,
            metadata: BTreeMap::new(),
            tensors,
            values: BTreeMap::new(),
        }
    }
}

/// The name of a tensor that has none of its own.
fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
