//! Calls that make a tensor, and where its numbers are.
//!
//! Argument order is that of `torch/_utils.py`: storage, offset, size, stride, then what only training needs.

use super::Saved;
use crate::Dtype;
use crate::entry::Entry;
use crate::fault::Fault;
use crate::pickle::{Graph, Id, Node};
use crate::strided::MAX_DIMENSIONS;

/// Wrappers around wrappers that are looked through: a parameter of a subclass of a tensor has two.
const MAX_WRAPPERS: usize = 8;
/// The class of storages that do not say their type.
const UNTYPED: &str = "UntypedStorage";

/// A call that makes a tensor.
pub(super) enum Rebuild<'g> {
    /// A view of a storage.
    Strided(Strided<'g>),
    /// Any other, such as a quantised or a sparse one or an array of `NumPy`, by module and name of the function.
    Other((&'g str, &'g str)),
}

/// The arguments of a call that makes a view of a storage.
pub(super) struct Strided<'g> {
    arguments: &'g [Id],
    /// Place of the type among the arguments, if the storage does not say it.
    dtype: Option<usize>,
    /// Place of the dictionary of lazy operations.
    metadata: usize,
}

/// The tensor that `id` makes, if it does.
pub(super) fn rebuild<'g>(graph: &'g Graph<'_>, id: Id) -> Option<Rebuild<'g>> {
    let Node::Call {
        callable, arguments, ..
    } = *graph.node(id)
    else {
        return None;
    };
    let (mut callable, mut arguments) = (callable, graph.tuple(arguments)?);
    for _ in 0..MAX_WRAPPERS {
        match graph.global(callable)? {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                return Some(Rebuild::Strided(Strided {
                    arguments,
                    dtype: None,
                    metadata: 6,
                }));
            }
            ("torch._utils", "_rebuild_tensor_v3") => {
                return Some(Rebuild::Strided(Strided {
                    arguments,
                    dtype: Some(6),
                    metadata: 7,
                }));
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                let Node::Call {
                    callable: inner,
                    arguments: of_inner,
                    ..
                } = *graph.node(*arguments.first()?)
                else {
                    return None;
                };
                (callable, arguments) = (inner, graph.tuple(of_inner)?);
            }
            // A function, the subclass, the function's arguments and attributes.
            ("torch._tensor" | "torch.tensor", "_rebuild_from_type_v2" | "_rebuild_from_type") => {
                (callable, arguments) = (*arguments.first()?, graph.tuple(*arguments.get(2)?)?);
            }
            other @ ("torch._utils", name) if name.starts_with("_rebuild_") => return Some(Rebuild::Other(other)),
            other @ (
                "numpy.core.multiarray" | "numpy._core.multiarray" | "numpy.core.numeric" | "numpy._core.numeric",
                "_reconstruct" | "_frombuffer",
            ) => return Some(Rebuild::Other(other)),
            _ => return None,
        }
    }
    None
}

impl Rebuild<'_> {
    /// The tensor's place in the archive. The error says what is wrong.
    pub(super) fn entry(&self, saved: &Saved<'_, '_>, graph: &Graph<'_>) -> Result<Entry, String> {
        match self {
            Self::Strided(strided) => strided.entry(saved, graph),
            Self::Other((module, name)) => {
                let found = format!("a tensor that `{module}.{name}` makes");
                Ok(Entry::mapped(Err(found), Vec::new(), 0..0))
            }
        }
    }
}

impl Strided<'_> {
    fn entry(&self, saved: &Saved<'_, '_>, graph: &Graph<'_>) -> Result<Entry, String> {
        let &[storage, offset, size, stride, ..] = self.arguments else {
            return Err("its description lacks storage, offset, size or stride".to_owned());
        };
        let offset = graph.count(offset).ok_or("its offset is not a count")?;
        let (shape, strides) = (counts(graph, size, "size")?, counts(graph, stride, "stride")?);
        if shape.len() != strides.len() {
            return Err(format!("size {shape:?} and stride {strides:?} differ in length"));
        }
        let (class, key, claimed) = storage_parts(graph, storage)?;
        let dtype = match self.dtype {
            Some(place) => self
                .arguments
                .get(place)
                .map_or(Err(String::new()), |&id| dtype(graph, id)),
            None => storage_dtype(class),
        };
        let packed = saved
            .archive
            .locate(&format!("{}data/{key}", saved.folder))
            .map_err(Fault::reason)?;
        let dtype = match dtype {
            Ok(dtype) if self.is_lazy(graph) => Err(format!("{dtype}, conjugate or negated when it is used")),
            dtype => dtype,
        };
        let dtype = match dtype {
            Ok(dtype) => dtype,
            Err(found) => return Ok(Entry::mapped(Err(found), shape, packed.range)),
        };
        // A typed storage counts elements, an untyped one bytes.
        let unit = if class.1 == UNTYPED { 1 } else { dtype.size() };
        if claimed.checked_mul(unit).is_none_or(|bytes| bytes > packed.size()) {
            return Err(format!(
                "its storage `{key}` should hold {claimed} elements and has {} bytes",
                packed.size()
            ));
        }
        let skip = offset
            .checked_mul(dtype.size())
            .ok_or("its offset is beyond any file")?;
        Entry::strided(dtype, shape, strides, packed, skip)
    }

    fn is_lazy(&self, graph: &Graph<'_>) -> bool {
        let metadata = self.arguments.get(self.metadata).map(|&id| graph.node(id));
        matches!(metadata, Some(Node::Dict(entries)) if !entries.is_empty())
    }
}

/// Class, key and size of the storage that a persistent id describes.
fn storage_parts<'a>(graph: &Graph<'a>, id: Id) -> Result<((&'a str, &'a str), &'a str, usize), String> {
    let parts = match *graph.node(id) {
        Node::Persistent(id) => graph.tuple(id),
        _ => None,
    };
    let Some(&[tag, class, key, _location, count, ..]) = parts else {
        return Err("its storage is not described by five parts".to_owned());
    };
    match (
        graph.text(tag),
        graph.global(class),
        graph.text(key),
        graph.count(count),
    ) {
        (Some("storage"), Some(class), Some(key), Some(count)) => Ok((class, key, count)),
        _ => Err("the description of its storage is malformed".to_owned()),
    }
}

fn counts(graph: &Graph<'_>, id: Id, what: &str) -> Result<Vec<usize>, String> {
    // `torch.Size` is a call in some versions and a tuple in others.
    let tuple = match *graph.node(id) {
        Node::Call { arguments, .. } => graph.tuple(arguments).and_then(|arguments| arguments.first().copied()),
        _ => Some(id),
    };
    let items = tuple
        .and_then(|id| graph.tuple(id))
        .filter(|items| items.len() <= MAX_DIMENSIONS);
    items
        .and_then(|items| items.iter().map(|&item| graph.count(item)).collect())
        .ok_or_else(|| format!("its {what} is not a tuple of at most {MAX_DIMENSIONS} counts"))
}

fn storage_dtype((module, name): (&str, &str)) -> Result<Dtype, String> {
    let dtype = match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" | UNTYPED => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return Err(format!("`{module}.{name}`")),
    };
    if matches!(module, "torch" | "torch.cuda" | "torch.storage") {
        Ok(dtype)
    } else {
        Err(format!("`{module}.{name}`"))
    }
}

fn dtype(graph: &Graph<'_>, id: Id) -> Result<Dtype, String> {
    let (module, name) = graph.global(id).unwrap_or_default();
    match (module, name) {
        ("torch", "float64") => Ok(Dtype::F64),
        ("torch", "float32") => Ok(Dtype::F32),
        ("torch", "float16") => Ok(Dtype::F16),
        ("torch", "bfloat16") => Ok(Dtype::BF16),
        ("torch", "int64") => Ok(Dtype::I64),
        ("torch", "int32") => Ok(Dtype::I32),
        ("torch", "int16") => Ok(Dtype::I16),
        ("torch", "int8") => Ok(Dtype::I8),
        ("torch", "uint8") => Ok(Dtype::U8),
        ("torch", "bool") => Ok(Dtype::Bool),
        _ => Err(format!("`{module}.{name}`")),
    }
}
