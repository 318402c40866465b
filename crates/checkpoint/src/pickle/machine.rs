//! The stack machine, one function per family of opcodes.

use std::collections::BTreeMap;

use super::{Extra, Graph, Id, Node};
use crate::reader::Reader;

/// Longest pickle that is read, bytes. The pickles of state dictionaries hold names and shapes, not numbers: a few kilobytes.
pub(crate) const MAX_PICKLE: usize = 1 << 25;
const HIGHEST_PROTOCOL: u8 = 5;

const NONE: Id = Id(0);
const FALSE: Id = Id(1);
const TRUE: Id = Id(2);

const ENDS: &str = "it ends in the middle of an instruction";
const UNDERFLOW: &str = "it takes from an empty stack";
const NO_TARGET: &str = "it adds to something that is no container";

/// Runs the program in `bytes`. The error says what is wrong and where.
pub(crate) fn parse(bytes: &[u8]) -> Result<Graph<'_>, String> {
    if bytes.len() > MAX_PICKLE {
        return Err(format!("it has {} bytes, the limit is {MAX_PICKLE}", bytes.len()));
    }
    let mut machine = Machine {
        input: Reader::new(bytes),
        nodes: vec![Node::None, Node::Bool(false), Node::Bool(true)],
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    let root = machine
        .run()
        .map_err(|reason| format!("{reason} (at byte {})", machine.input.position()))?;
    Ok(Graph {
        nodes: machine.nodes,
        root,
    })
}

struct Machine<'a> {
    input: Reader<'a>,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Stack heights at which a group of operands begins.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

/// Whether an opcode belonged to the family that was asked.
type Known = Result<bool, String>;

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let opcode = self.input.u8().ok_or("it ends without a result")?;
            if opcode == b'.' {
                return self.pop();
            }
            let known = self.number(opcode)?
                || self.text(opcode)?
                || self.container(opcode)?
                || self.filling(opcode)?
                || self.object(opcode)?
                || self.stack(opcode)?;
            if !known {
                return Err(format!("it has the instruction 0x{opcode:02x}, which is not read"));
            }
        }
    }

    fn number(&mut self, opcode: u8) -> Known {
        let node = match opcode {
            b'K' => Node::Int(self.input.u8().ok_or(ENDS)?.into()),
            b'M' => Node::Int(self.input.u16().ok_or(ENDS)?.into()),
            b'J' => Node::Int(i32::from_le_bytes(self.input.array().ok_or(ENDS)?).into()),
            0x8a => {
                let length = self.input.u8().ok_or(ENDS)?;
                long(self.input.take(length.into()).ok_or(ENDS)?)
            }
            0x8b => long(self.counted(4)?),
            b'G' => Node::Float(f64::from_be_bytes(self.input.array().ok_or(ENDS)?)),
            _ => return Ok(false),
        };
        self.push_node(node);
        Ok(true)
    }

    fn text(&mut self, opcode: u8) -> Known {
        let node = match opcode {
            0x8c | b'U' => Node::Text(self.counted(1)?),
            b'X' | b'T' => Node::Text(self.counted(4)?),
            0x8d => Node::Text(self.counted(8)?),
            b'C' => Node::Bytes(self.counted(1)?),
            b'B' => Node::Bytes(self.counted(4)?),
            0x8e | 0x96 => Node::Bytes(self.counted(8)?),
            _ => return Ok(false),
        };
        self.push_node(node);
        Ok(true)
    }

    fn container(&mut self, opcode: u8) -> Known {
        let node = match opcode {
            b'N' => return Ok(self.push(NONE)),
            0x88 => return Ok(self.push(TRUE)),
            0x89 => return Ok(self.push(FALSE)),
            b']' | 0x8f => Node::List(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            b')' => Node::Tuple(Box::default()),
            b't' => Node::Tuple(self.pop_group()?.into()),
            0x91 => Node::List(self.pop_group()?),
            0x85..=0x87 => Node::Tuple(self.pop_many((opcode - 0x84).into())?.into()),
            _ => return Ok(false),
        };
        self.push_node(node);
        Ok(true)
    }

    /// Adds what is on the stack to the container below it.
    fn filling(&mut self, opcode: u8) -> Known {
        let added = match opcode {
            b'a' => self.pop_many(1)?,
            b's' => self.pop_many(2)?,
            b'e' | b'u' | 0x90 => self.pop_group()?,
            _ => return Ok(false),
        };
        let target = self.top()?;
        let node = &mut self.nodes[target.0 as usize];
        if matches!(opcode, b's' | b'u') {
            let (pairs, []) = added.as_chunks::<2>() else {
                return Err("it sets a key without a value".to_owned());
            };
            let pairs = pairs.iter().map(|&[key, value]| (key, value));
            match node {
                Node::Dict(entries) => entries.extend(pairs),
                Node::Call { extra, .. } => extra.get_or_insert_default().pairs.extend(pairs),
                _ => return Err(NO_TARGET.to_owned()),
            }
        } else {
            match node {
                Node::List(items) => items.extend(added),
                Node::Call { extra, .. } => extra.get_or_insert_default().items.extend(added),
                _ => return Err(NO_TARGET.to_owned()),
            }
        }
        Ok(true)
    }

    fn object(&mut self, opcode: u8) -> Known {
        let node = match opcode {
            b'c' => Node::Global {
                module: self.input.line().ok_or(ENDS)?,
                name: self.input.line().ok_or(ENDS)?,
            },
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.nodes[module.0 as usize], &self.nodes[name.0 as usize]) {
                    (&Node::Text(module), &Node::Text(name)) => Node::Global { module, name },
                    _ => return Err("it imports something without a name".to_owned()),
                }
            }
            // Keyword arguments (0x92) belong to constructors that no weight file relies on.
            b'R' | 0x81 | 0x92 => {
                if opcode == 0x92 {
                    self.pop()?;
                }
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                if let Node::Call { extra, .. } = &mut self.nodes[target.0 as usize] {
                    extra.get_or_insert_default().state = Some(state);
                }
                return Ok(true);
            }
            b'Q' => Node::Persistent(self.pop()?),
            _ => return Ok(false),
        };
        self.push_node(node);
        Ok(true)
    }

    /// A call, or the dictionary that it makes.
    fn call(&self, callable: Id, arguments: Id) -> Node<'a> {
        let ordered = matches!(
            self.nodes[callable.0 as usize],
            Node::Global {
                module: b"collections",
                name: b"OrderedDict"
            }
        );
        let empty = matches!(&self.nodes[arguments.0 as usize], Node::Tuple(items) if items.is_empty());
        if ordered && empty {
            Node::Dict(Vec::new())
        } else {
            Node::Call {
                callable,
                arguments,
                extra: None,
            }
        }
    }

    fn stack(&mut self, opcode: u8) -> Known {
        match opcode {
            0x80 => {
                let protocol = self.input.u8().ok_or(ENDS)?;
                if protocol > HIGHEST_PROTOCOL {
                    return Err(format!("it has protocol {protocol}; up to {HIGHEST_PROTOCOL} is read"));
                }
            }
            0x95 => {
                self.input.take(8).ok_or(ENDS)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_group()?;
            }
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }
            b'q' => {
                let index = self.input.u8().ok_or(ENDS)?;
                self.memo.insert(index.into(), self.top()?);
            }
            b'r' => {
                let index = self.input.u32().ok_or(ENDS)?;
                self.memo.insert(index, self.top()?);
            }
            0x94 => {
                let index = self.memo.len() as u32;
                self.memo.insert(index, self.top()?);
            }
            b'h' => {
                let index = self.input.u8().ok_or(ENDS)?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = self.input.u32().ok_or(ENDS)?;
                self.recall(index)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn recall(&mut self, index: u32) -> Result<(), String> {
        let id = *self
            .memo
            .get(&index)
            .ok_or_else(|| format!("it refers to value {index}, which it has not stored"))?;
        self.push(id);
        Ok(())
    }

    /// Bytes behind a length of `width` bytes. A negative length is larger than any pickle.
    fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        let field = self.input.take(width).ok_or(ENDS)?;
        let length = field.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        usize::try_from(length)
            .ok()
            .and_then(|length| self.input.take(length))
            .ok_or_else(|| ENDS.to_owned())
    }

    /// Always `true`, for the callers that report an opcode as known.
    fn push(&mut self, id: Id) -> bool {
        self.stack.push(id);
        true
    }

    fn push_node(&mut self, node: Node<'a>) {
        // Fits: there is less than one node per byte, and `MAX_PICKLE` is far below.
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(node);
        self.stack.push(id);
    }

    /// The last value above the last mark.
    fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if self.stack.len() > floor => Ok(id),
            _ => Err(UNDERFLOW.to_owned()),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(UNDERFLOW.to_owned()),
        }
    }

    /// Everything above the last mark, which goes too.
    fn pop_group(&mut self) -> Result<Vec<Id>, String> {
        let start = self.marks.pop().ok_or("it takes a group that it has not begun")?;
        Ok(self.stack.split_off(start))
    }
}

fn long(bytes: &[u8]) -> Node<'_> {
    if bytes.len() > 8 {
        return Node::Long(bytes);
    }
    let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) {
        0xff
    } else {
        0
    };
    let mut wide = [sign; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}

const _: () = {
    // The memory of a graph is a small multiple of its pickle's length.
    assert!(size_of::<Node<'_>>() <= 40 && size_of::<Extra>() <= 64);
};
