//! Reading a JSON object field by field, so that what nobody asked for can be named at the end.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::SaeError;

/// The fields of an object that have not been taken yet.
pub(crate) struct Fields {
    file: PathBuf,
    prefix: &'static str,
    left: Map<String, Value>,
}

impl Fields {
    pub(crate) fn new(file: &Path, prefix: &'static str, left: Map<String, Value>) -> Self {
        Self {
            file: file.to_owned(),
            prefix,
            left,
        }
    }

    /// Takes a field; null counts as absent.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.left.shift_remove(field).filter(|value| !value.is_null())
    }

    /// What is left.
    pub(crate) fn into_rest(self) -> Map<String, Value> {
        self.left
    }

    pub(crate) fn refuse(&self, field: &str, value: &Value, reason: &str, hint: &str) -> SaeError {
        SaeError::Field {
            file: self.file.clone(),
            field: format!("{}{field}", self.prefix),
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        }
    }

    fn missing(&self, field: &str, hint: &str) -> SaeError {
        SaeError::MissingField {
            file: self.file.clone(),
            field: format!("{}{field}", self.prefix),
            hint: hint.to_owned(),
        }
    }

    /// A required positive integer; `12.0` counts as 12.
    pub(crate) fn positive(&mut self, field: &str) -> Result<usize, SaeError> {
        let value = self
            .take(field)
            .ok_or_else(|| self.missing(field, "add it: a positive integer"))?;
        integer(&value)
            .filter(|&number| number > 0)
            .ok_or_else(|| self.refuse(field, &value, "not a positive integer", "write a positive integer"))
    }

    /// A boolean, required unless there is a default.
    pub(crate) fn boolean(&mut self, field: &str, default: Option<bool>) -> Result<bool, SaeError> {
        match (self.take(field), default) {
            (Some(Value::Bool(value)), _) => Ok(value),
            (Some(value), _) => Err(self.refuse(field, &value, "not a boolean", "write `true` or `false`")),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.missing(field, "add it: `true` or `false`")),
        }
    }

    /// A required string.
    pub(crate) fn string(&mut self, field: &str, hint: &str) -> Result<String, SaeError> {
        match self.take(field) {
            Some(Value::String(value)) => Ok(value),
            Some(value) => Err(self.refuse(field, &value, "not a string", hint)),
            None => Err(self.missing(field, hint)),
        }
    }

    /// Every field must have been taken.
    pub(crate) fn finish(self, hint: &str) -> Result<(), SaeError> {
        match self.left.iter().next() {
            None => Ok(()),
            Some((field, value)) => Err(self.refuse(field, value, "this program does not know this field", hint)),
        }
    }
}

/// A JSON number that is a whole count.
fn integer(value: &Value) -> Option<usize> {
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).ok();
    }
    let number = value.as_f64()?;
    // Exact: a float below 2^53 without a fractional part is that integer.
    (number.fract() == 0.0 && (0.0..9.0e15).contains(&number)).then_some(number as usize)
}
