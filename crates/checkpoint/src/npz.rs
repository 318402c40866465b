//! Archives of `NumPy` arrays: `name.npy` holds the array `name`.
//!
//! Members that are not arrays are passed over, as `NumPy` leaves them to the caller.

use std::collections::BTreeMap;

use crate::entry::Entry;
use crate::fault::Fault;
use crate::npy;
use crate::zip::Archive;

/// How the name of an array member ends.
const EXTENSION: &str = ".npy";

/// Whether the archive has arrays.
pub(crate) fn recognises(archive: &Archive<'_>) -> bool {
    archive.names().any(|name| name.ends_with(EXTENSION))
}

/// All arrays of the archive.
pub(crate) fn tensors(archive: &Archive<'_>) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut tensors = BTreeMap::new();
    for member in archive.names() {
        if let Some(name) = member.strip_suffix(EXTENSION) {
            let entry = npy::entry(archive.bytes(), archive.locate(member)?, name)?;
            tensors.insert(name.to_owned(), entry);
        }
    }
    Ok(tensors)
}
