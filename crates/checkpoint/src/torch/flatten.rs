//! From nested dictionaries, lists and objects to dotted names.
//!
//! A pickle may share values, so that a few bytes describe a tree of any size, and may contain itself. The size of what is made here
//! is therefore counted: it stays within a fixed multiple of the pickle's length. A value inside itself is cut off with a mark.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::value::{class, plain};
use super::{Loaded, PICKLE, Saved, tensor};
use crate::entry::Entry;
use crate::fault::Fault;
use crate::pickle::{Extra, Graph, Id, Node};

/// Deepest nesting of dictionaries, lists and objects.
const MAX_DEPTH: usize = 200;
/// Units that may be spent per byte of the pickle: one unit is a byte of a name or text, or an element of an array.
const UNITS_PER_BYTE: usize = 32;
/// Units for pickles too short to earn any.
const FREE_UNITS: usize = 1 << 16;
/// Units of an entry in a table of names.
const ENTRY_UNITS: usize = 16;
/// Dictionaries of a module whose keys are those of the module itself.
const TRANSPARENT: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// How much may still be made.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) fn spend(&mut self, units: usize) -> Result<(), Fault> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Fault::tensor(PICKLE, "it repeats its values too often")),
        }
    }
}

pub(super) fn flatten(saved: &Saved<'_, '_>, graph: &Graph<'_>, length: usize, stem: &str) -> Result<Loaded, Fault> {
    let mut flattener = Flattener {
        saved,
        graph,
        stem,
        budget: Budget {
            left: length.saturating_mul(UNITS_PER_BYTE).saturating_add(FREE_UNITS),
        },
        open: BTreeSet::new(),
        tensors: BTreeMap::new(),
        values: BTreeMap::new(),
    };
    flattener.visit("", graph.root(), 0)?;
    let tensors = flattener.tensors.into_iter().map(|(name, (_, entry))| (name, entry));
    Ok((tensors.collect(), flattener.values))
}

struct Flattener<'f, 'a> {
    saved: &'f Saved<'f, 'a>,
    graph: &'f Graph<'f>,
    stem: &'f str,
    budget: Budget,
    /// Containers that the walk is inside of.
    open: BTreeSet<Id>,
    tensors: BTreeMap<String, (Id, Entry)>,
    values: BTreeMap<String, Value>,
}

impl<'f> Flattener<'f, '_> {
    fn visit(&mut self, name: &str, id: Id, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::tensor(
                PICKLE,
                format!("it is nested more than {MAX_DEPTH} deep"),
            ));
        }
        self.budget.spend(ENTRY_UNITS + name.len())?;
        if let Some(rebuild) = tensor::rebuild(self.graph, id) {
            return self.tensor(name, id, &rebuild);
        }
        if let Some(value) = plain(self.graph, id, &mut self.budget)? {
            self.value(name, value);
            return Ok(());
        }
        if !self.open.insert(id) {
            self.value(name, json!({ "__cycle__": true }));
            return Ok(());
        }
        let graph = self.graph;
        match graph.node(id) {
            Node::Dict(entries) => self.entries(name, entries, depth)?,
            Node::List(items) => self.items(name, items, depth)?,
            Node::Tuple(items) => self.items(name, items, depth)?,
            Node::Call {
                callable,
                arguments,
                extra,
            } => self.object(name, *callable, *arguments, extra.as_deref(), depth)?,
            // Storages without a tensor: nothing says what they are for.
            _ => self.value(name, class("torch", "Storage")),
        }
        self.open.remove(&id);
        Ok(())
    }

    fn tensor(&mut self, name: &str, id: Id, rebuild: &tensor::Rebuild<'_>) -> Result<(), Fault> {
        let name = self.or_stem(name);
        let entry = rebuild
            .entry(self.saved, self.graph)
            .map_err(|reason| Fault::tensor(&*name, reason))?;
        self.budget.spend(ENTRY_UNITS * entry.shape.len())?;
        match self.tensors.get(&*name) {
            None => {
                self.tensors.insert(name.into_owned(), (id, entry));
                Ok(())
            }
            Some((same, _)) if *same == id => Ok(()),
            Some(_) => Err(Fault::tensor(&*name, "two tensors have this name")),
        }
    }

    /// The first value of a name stays: attributes of an object may repeat its entries.
    fn value(&mut self, name: &str, value: Value) {
        let name = self.or_stem(name).into_owned();
        self.values.entry(name).or_insert(value);
    }

    fn or_stem<'n>(&self, name: &'n str) -> Cow<'n, str>
    where
        'f: 'n,
    {
        if name.is_empty() { self.stem.into() } else { name.into() }
    }

    fn entries(&mut self, name: &str, entries: &[(Id, Id)], depth: usize) -> Result<(), Fault> {
        if entries.is_empty() {
            self.value(name, json!({}));
        }
        for (index, &(key, value)) in entries.iter().enumerate() {
            let key = self.key(key, index)?;
            self.visit(&join(name, &key), value, depth + 1)?;
        }
        Ok(())
    }

    fn items(&mut self, name: &str, items: &[Id], depth: usize) -> Result<(), Fault> {
        for (index, &item) in items.iter().enumerate() {
            self.visit(&join(name, &index.to_string()), item, depth + 1)?;
        }
        Ok(())
    }

    /// The text of a key; keys without one are numbered.
    fn key(&mut self, key: Id, index: usize) -> Result<String, Fault> {
        Ok(match plain(self.graph, key, &mut self.budget)? {
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
            None => format!("#{index}"),
        })
    }

    fn object(
        &mut self,
        name: &str,
        callable: Id,
        arguments: Id,
        extra: Option<&Extra>,
        depth: usize,
    ) -> Result<(), Fault> {
        let (module, class_name) = self.class(callable);
        self.budget.spend(module.len() + class_name.len())?;
        self.value(name, class(&module, &class_name));
        let arguments = self.graph.tuple(arguments).unwrap_or_default();
        self.items(&join(name, "__args__"), arguments, depth)?;
        let Some(extra) = extra else { return Ok(()) };
        if !extra.items.is_empty() {
            self.items(name, &extra.items, depth)?;
        }
        if !extra.pairs.is_empty() {
            self.entries(name, &extra.pairs, depth)?;
        }
        match extra.state {
            Some(state) => self.state(name, state, depth + 1),
            None => Ok(()),
        }
    }

    fn class(&self, id: Id) -> (Cow<'f, str>, Cow<'f, str>) {
        match *self.graph.node(id) {
            Node::Global { module, name } => (String::from_utf8_lossy(module), String::from_utf8_lossy(name)),
            _ => ("".into(), "unknown".into()),
        }
    }

    /// Attributes: a dictionary, or a pair of dictionaries if the class has slots.
    fn state(&mut self, name: &str, state: Id, depth: usize) -> Result<(), Fault> {
        let graph = self.graph;
        match graph.node(state) {
            Node::None => Ok(()),
            Node::Dict(entries) => self.attributes(name, entries, depth),
            Node::Tuple(parts) if matches!(**parts, [a, b] if is_attributes(graph, a) && is_attributes(graph, b)) => {
                for &part in parts {
                    if let Node::Dict(entries) = graph.node(part) {
                        self.attributes(name, entries, depth)?;
                    }
                }
                Ok(())
            }
            _ => self.visit(&join(name, "__state__"), state, depth),
        }
    }

    fn attributes(&mut self, name: &str, entries: &[(Id, Id)], depth: usize) -> Result<(), Fault> {
        let graph = self.graph;
        let is_module = TRANSPARENT
            .iter()
            .all(|part| entries.iter().any(|&(key, _)| graph.text(key) == Some(part)));
        for (index, &(key, value)) in entries.iter().enumerate() {
            let transparent = is_module && graph.text(key).is_some_and(|key| TRANSPARENT.contains(&key));
            if transparent && let Node::Dict(entries) = graph.node(value) {
                for (index, &(key, value)) in entries.iter().enumerate() {
                    let key = self.key(key, index)?;
                    self.visit(&join(name, &key), value, depth + 1)?;
                }
            } else {
                let key = self.key(key, index)?;
                self.visit(&join(name, &key), value, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn is_attributes(graph: &Graph<'_>, id: Id) -> bool {
    matches!(graph.node(id), Node::None | Node::Dict(_))
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}
