//! What `torch.save` writes: a zip archive with a pickle (`data.pkl`) and one member per storage (`data/0`, `data/1`, ...).
//!
//! The pickle names tensors inside nested dictionaries, lists and objects. They are flattened to dotted names, as `PyTorch` itself
//! names the parameters of nested modules, and everything that is no tensor becomes a value of JSON under its dotted name. No Python
//! is run, so an object of a class is only its name, its arguments and its attributes.
//!
//! Deliberately absent: `TorchScript` archives, whose pickles need the code beside them, quantised and sparse tensors, and files of
//! `PyTorch` before 1.6, which are no archives. All are refused, with the way out.

mod flatten;
mod tensor;
mod value;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::entry::Entry;
use crate::fault::Fault;
use crate::pickle;
use crate::zip::Archive;

/// How to bring a file into the form that is read.
pub(crate) const SAVE_AGAIN: &str = "save it again with a current PyTorch: \
    `torch.save(torch.load(old, map_location=\"cpu\", weights_only=True), new)`";

/// Name of the pickle, behind the archive's own folder.
const PICKLE: &str = "data.pkl";
/// Longest `byteorder` member: `little` or `big`.
const MAX_BYTE_ORDER: usize = 16;

/// A `torch.save` archive.
struct Saved<'f, 'a> {
    archive: &'f Archive<'a>,
    /// The folder that all members lie in, with its slash.
    folder: &'f str,
}

/// Name of the pickle, if the archive has one.
pub(crate) fn recognises<'f>(archive: &'f Archive<'_>) -> Option<&'f str> {
    archive.names().find(|name| {
        name.strip_suffix(PICKLE)
            .is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
    })
}

/// Tensors and plain values of an archive.
pub(crate) type Loaded = (BTreeMap<String, Entry>, BTreeMap<String, Value>);

/// Reads the archive with the pickle `member`. A lone tensor or value is called `stem`.
pub(crate) fn load(archive: &Archive<'_>, member: &str, stem: &str) -> Result<Loaded, Fault> {
    let folder = member.strip_suffix(PICKLE).unwrap_or_default();
    if archive.contains(&format!("{folder}constants.pkl")) {
        return Err(Fault::refused(
            "it is a TorchScript archive, a program with weights",
            "in Python: `torch.save(torch.jit.load(old, map_location=\"cpu\").state_dict(), new)`",
        ));
    }
    let order = archive.read(&format!("{folder}byteorder"), MAX_BYTE_ORDER)?;
    if let Some(order) = order
        && order.trim_ascii() != b"little"
    {
        return Err(Fault::refused(
            format!("its byte order is `{}`", String::from_utf8_lossy(&order)),
            "save it again on a little-endian machine",
        ));
    }
    let bytes = archive
        .read(member, pickle::MAX_PICKLE)?
        .ok_or_else(|| Fault::tensor(member, "the archive has no member of this name"))?;
    let graph = pickle::parse(&bytes).map_err(|reason| Fault::tensor(member, reason))?;
    flatten::flatten(&Saved { archive, folder }, &graph, bytes.len(), stem)
}

/// Reads a pickle with no storages beside it.
pub(crate) fn pickle_alone(bytes: &[u8]) {
    let archive = Archive::empty();
    if let Ok(graph) = pickle::parse(bytes) {
        drop(flatten::flatten(
            &Saved {
                archive: &archive,
                folder: "",
            },
            &graph,
            bytes.len(),
            "fuzz",
        ));
    }
}
