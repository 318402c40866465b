//! What a Python pickle describes, without doing any of it.
//!
//! A pickle is a program for a small stack machine. Python runs it: it imports what the program names and calls what it imported.
//! Here the program only builds a graph of [`Node`]s, in which a call is a node that names the callable and holds its arguments. No
//! name has an effect; what a call means, if anything, is decided by whoever reads the graph.
//!
//! The graph has at most one node per byte of the pickle, text and bytes are borrowed from it, and nothing here recurses. Nodes refer
//! to each other by number, so the graph may be shared and cyclic; readers must expect both.
//!
//! Protocols 2 to 5, as `pickle.py` and `pickletools.py` of `CPython` describe them. Deliberately absent: the text opcodes of
//! protocol 0 and 1, the extension registry and out-of-band buffers, which `torch.save` does not write.

mod machine;

pub(crate) use machine::{MAX_PICKLE, parse};

/// Number of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// A value of a pickle.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond `Int`: two's complement, little-endian.
    Long(&'a [u8]),
    Float(f64),
    /// Text in UTF-8, possibly with lone surrogates.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// A list, a set or a frozen set.
    List(Vec<Id>),
    Tuple(Box<[Id]>),
    /// A dictionary; attributes that a subclass adds are not kept.
    Dict(Vec<(Id, Id)>),
    /// Something that is imported: a class, a function or a constant.
    Global {
        module: &'a [u8],
        name: &'a [u8],
    },
    /// An object that calling `callable` makes.
    Call {
        callable: Id,
        arguments: Id,
        extra: Option<Box<Extra>>,
    },
    /// A reference to something outside the pickle.
    Persistent(Id),
}

/// What is done to an object once it is made.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Its attributes, or whatever it makes them from.
    pub(crate) state: Option<Id>,
    /// Elements, if it is a list.
    pub(crate) items: Vec<Id>,
    /// Entries, if it is a dictionary.
    pub(crate) pairs: Vec<(Id, Id)>,
}

/// All values of a pickle.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
}

/// Longest text that has a meaning: a name or a key. Longer ones may be shared by many nodes, and checking each again would cost
/// the product of the two.
const MAX_SHORT: usize = 1024;

fn short(text: &[u8]) -> Option<&str> {
    (text.len() <= MAX_SHORT).then(|| str::from_utf8(text).ok())?
}

impl<'a> Graph<'a> {
    /// The value that was pickled.
    pub(crate) const fn root(&self) -> Id {
        self.root
    }

    pub(crate) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The module and name of a node that is imported, if they are short.
    pub(crate) fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        match *self.node(id) {
            Node::Global { module, name } => Some((short(module)?, short(name)?)),
            _ => None,
        }
    }

    /// The elements of a tuple.
    pub(crate) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// An integer that counts something.
    pub(crate) fn count(&self, id: Id) -> Option<usize> {
        match *self.node(id) {
            Node::Int(value) => value.try_into().ok(),
            _ => None,
        }
    }

    /// Short text without lone surrogates.
    pub(crate) fn text(&self, id: Id) -> Option<&'a str> {
        match *self.node(id) {
            Node::Text(text) => short(text),
            _ => None,
        }
    }
}
