//! Plain values of a pickle as JSON.
//!
//! JSON has no place for some of Python's values: integers beyond 64 bits become decimal text (hexadecimal beyond 128 bits), `nan`
//! and infinities the text that Python's `json` writes, tuples and sets arrays, types the text `torch.float32`, and anything that
//! is imported or made by a call `{"__class__": "module.Name"}`.

use serde_json::{Value, json};

use super::flatten::Budget;
use crate::fault::Fault;
use crate::pickle::{Graph, Id, Node};

/// Deepest nesting of lists that becomes one value.
const MAX_DEPTH: usize = 64;

/// The value of `id`, or `None` if it is a dictionary, an object with contents, or has one of these inside.
pub(super) fn plain(graph: &Graph<'_>, id: Id, budget: &mut Budget) -> Result<Option<Value>, Fault> {
    plain_at(graph, id, budget, 0)
}

fn plain_at(graph: &Graph<'_>, id: Id, budget: &mut Budget, depth: usize) -> Result<Option<Value>, Fault> {
    if depth > MAX_DEPTH {
        return Ok(None);
    }
    let node = graph.node(id);
    budget.spend(match node {
        Node::Text(bytes) | Node::Long(bytes) => 1 + bytes.len(),
        Node::Global { module, name } => 1 + module.len() + name.len(),
        _ => 1,
    })?;
    Ok(Some(match node {
        Node::None => Value::Null,
        &Node::Bool(value) => value.into(),
        &Node::Int(value) => value.into(),
        Node::Long(bytes) => long(bytes).into(),
        &Node::Float(value) => float(value),
        Node::Text(bytes) => String::from_utf8_lossy(bytes).into(),
        Node::Bytes(_) => class("builtins", "bytes"),
        Node::List(items) => return array(graph, items, budget, depth),
        Node::Tuple(items) => return array(graph, items, budget, depth),
        Node::Dict(_) | Node::Persistent(_) => return Ok(None),
        Node::Global { module, name } => global(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name)),
        Node::Call {
            callable, arguments, ..
        } => return call(graph, *callable, *arguments, budget, depth),
    }))
}

fn array(graph: &Graph<'_>, items: &[Id], budget: &mut Budget, depth: usize) -> Result<Option<Value>, Fault> {
    let mut values = Vec::new();
    for &item in items {
        match plain_at(graph, item, budget, depth + 1)? {
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(values.into()))
}

/// Calls whose result is a plain value.
fn call(
    graph: &Graph<'_>,
    callable: Id,
    arguments: Id,
    budget: &mut Budget,
    depth: usize,
) -> Result<Option<Value>, Fault> {
    let (Some(name), Some(arguments)) = (graph.global(callable), graph.tuple(arguments)) else {
        return Ok(None);
    };
    match (name, arguments) {
        (("torch", "Size") | ("builtins" | "__builtin__", "set" | "frozenset" | "tuple" | "list"), &[items]) => {
            plain_at(graph, items, budget, depth + 1)
        }
        (("torch", "device"), &[kind]) => plain_at(graph, kind, budget, depth + 1),
        (("torch", "device"), &[kind, index]) => Ok(graph
            .text(kind)
            .zip(graph.count(index))
            .map(|(kind, index)| format!("{kind}:{index}").into())),
        (("numpy.core.multiarray" | "numpy._core.multiarray", "scalar"), &[dtype, bytes]) => {
            Ok(numpy_scalar(graph, dtype, bytes))
        }
        (("_codecs", "encode"), _) => Ok(Some(class("builtins", "bytes"))),
        _ => Ok(None),
    }
}

/// What stands for an object or a class.
pub(super) fn class(module: &str, name: &str) -> Value {
    json!({ "__class__": format!("{module}.{name}") })
}

fn global(module: &str, name: &str) -> Value {
    let is_type = module == "torch"
        && (["float", "bfloat", "int", "uint", "complex"].iter())
            .filter_map(|prefix| name.strip_prefix(prefix))
            .any(|bits| bits.starts_with(|c: char| c.is_ascii_digit()))
        || (module, name) == ("torch", "bool");
    if is_type {
        format!("{module}.{name}").into()
    } else {
        class(module, name)
    }
}

fn float(value: f64) -> Value {
    if value.is_finite() {
        value.into()
    } else if value.is_nan() {
        "NaN".into()
    } else if value > 0.0 {
        "Infinity".into()
    } else {
        "-Infinity".into()
    }
}

fn long(bytes: &[u8]) -> String {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    if bytes.len() <= 16 {
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        return i128::from_le_bytes(wide).to_string();
    }
    // Two's complement by hand: invert and add one, so that the digits are those of the magnitude.
    let mut carry = negative;
    let magnitude: Vec<u8> = (bytes.iter())
        .map(|&byte| {
            let (byte, overflow) = if negative { !byte } else { byte }.overflowing_add(carry.into());
            carry = overflow;
            byte
        })
        .collect();
    let nibbles = magnitude.iter().rev().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = nibbles
        .skip_while(|&nibble| nibble == 0)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16));
    let sign = if negative { "-0x" } else { "0x" };
    sign.chars().chain(digits).collect()
}

/// The number that `numpy.core.multiarray.scalar` makes of a type and its bytes.
fn numpy_scalar(graph: &Graph<'_>, dtype: Id, bytes: Id) -> Option<Value> {
    let Node::Call { arguments, extra, .. } = graph.node(dtype) else {
        return None;
    };
    let kind = graph.text(*graph.tuple(*arguments)?.first()?)?;
    let state = extra.as_ref().and_then(|extra| graph.tuple(extra.state?));
    let order = state.and_then(|state| graph.text(*state.get(1)?));
    if order == Some(">") {
        return None;
    }
    let bytes = raw_bytes(graph, bytes)?;
    Some(match kind {
        "f8" => float(f64::from_le_bytes(bytes.try_into().ok()?)),
        "f4" => float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        "f2" => float(half::f16::from_le_bytes(bytes.try_into().ok()?).into()),
        "i8" => i64::from_le_bytes(bytes.try_into().ok()?).into(),
        "i4" => i32::from_le_bytes(bytes.try_into().ok()?).into(),
        "i2" => i16::from_le_bytes(bytes.try_into().ok()?).into(),
        "i1" => i8::from_le_bytes(bytes.try_into().ok()?).into(),
        "u8" => u64::from_le_bytes(bytes.try_into().ok()?).into(),
        "u4" => u32::from_le_bytes(bytes.try_into().ok()?).into(),
        "u2" => u16::from_le_bytes(bytes.try_into().ok()?).into(),
        "u1" => u8::from_le_bytes(bytes.try_into().ok()?).into(),
        "b1" => (u8::from_le_bytes(bytes.try_into().ok()?) != 0).into(),
        _ => return None,
    })
}

/// Up to eight bytes; protocol 2 has none of its own and encodes them as Latin-1 text.
fn raw_bytes(graph: &Graph<'_>, id: Id) -> Option<Vec<u8>> {
    match graph.node(id) {
        Node::Bytes(bytes) => (bytes.len() <= 8).then(|| bytes.to_vec()),
        Node::Call {
            callable, arguments, ..
        } if graph.global(*callable) == Some(("_codecs", "encode")) => {
            let text = graph.text(*graph.tuple(*arguments)?.first()?)?;
            let bytes: Option<Vec<u8>> = text.chars().take(9).map(|c| u8::try_from(c).ok()).collect();
            bytes.filter(|bytes| bytes.len() <= 8)
        }
        _ => None,
    }
}
