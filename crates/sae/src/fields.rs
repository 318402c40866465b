//! Reading a JSON object field by field, with a verdict for each, so that what nobody asked for can be named at the end.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::identity::FieldRecord;
use crate::{SaeError, Verdict};

/// What a null is worth.
const NULL: &str = "null, which counts as absent";

/// The fields of an object that have not been taken yet, and the verdicts on those that were.
pub(crate) struct Fields {
    file: PathBuf,
    prefix: String,
    left: Map<String, Value>,
    log: Vec<FieldRecord>,
}

impl Fields {
    pub(crate) fn new(file: &Path, prefix: &str, left: Map<String, Value>) -> Self {
        Self {
            file: file.to_owned(),
            prefix: prefix.to_owned(),
            left,
            log: Vec::new(),
        }
    }

    /// Whether a field is there, null or not, and not taken yet.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.left.contains_key(field)
    }

    /// A field that is left to be taken.
    pub(crate) fn peek(&self, field: &str) -> Option<&Value> {
        self.left.get(field)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &Map<String, Value> {
        &self.left
    }

    fn record(&mut self, field: &str, value: Value, verdict: Verdict) {
        self.log.push(FieldRecord {
            file: self.file.clone(),
            field: format!("{}{field}", self.prefix),
            value,
            verdict,
        });
    }

    fn take(&mut self, field: &str, verdict: Verdict) -> Option<Value> {
        let value = self.left.shift_remove(field)?;
        if value.is_null() {
            self.record(field, value, Verdict::Ignored(NULL.to_owned()));
            return None;
        }
        self.record(field, value.clone(), verdict);
        Some(value)
    }

    /// Takes a field that decides something; null counts as absent.
    pub(crate) fn used(&mut self, field: &str, how: &str) -> Option<Value> {
        self.take(field, Verdict::Used(how.to_owned()))
    }

    /// Takes a field that decides nothing.
    pub(crate) fn ignored(&mut self, field: &str, why: &str) -> Option<Value> {
        self.take(field, Verdict::Ignored(why.to_owned()))
    }

    /// Records what an absent field is taken to be, so that no default goes unseen.
    pub(crate) fn defaulted(&mut self, field: &str, default: &str, how: &str) {
        let verdict = Verdict::Used(format!("absent, taken to be `{default}`: {how}"));
        self.record(field, Value::Null, verdict);
    }

    /// Takes fields that decide nothing.
    pub(crate) fn ignore(&mut self, fields: &[&str], why: &str) {
        for field in fields {
            self.ignored(field, why);
        }
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

    pub(crate) fn missing(&self, field: &str, hint: &str) -> SaeError {
        SaeError::MissingField {
            file: self.file.clone(),
            field: format!("{}{field}", self.prefix),
            hint: hint.to_owned(),
        }
    }

    /// A positive integer that may be absent; `12.0` counts as 12.
    pub(crate) fn optional_positive(&mut self, field: &str, how: &str) -> Result<Option<usize>, SaeError> {
        let Some(value) = self.used(field, how) else {
            return Ok(None);
        };
        match integer(&value).filter(|&number| number > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(field, &value, "not a positive integer", "write a positive integer")),
        }
    }

    /// A required positive integer; `12.0` counts as 12.
    pub(crate) fn positive(&mut self, field: &str, how: &str) -> Result<usize, SaeError> {
        self.optional_positive(field, how)?
            .ok_or_else(|| self.missing(field, "add it: a positive integer"))
    }

    /// A finite number that may be absent.
    pub(crate) fn optional_number(&mut self, field: &str, how: &str) -> Result<Option<f64>, SaeError> {
        let Some(value) = self.used(field, how) else {
            return Ok(None);
        };
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(field, &value, "not a finite number", "write a number")),
        }
    }

    /// A required finite number.
    pub(crate) fn number(&mut self, field: &str, how: &str) -> Result<f64, SaeError> {
        self.optional_number(field, how)?
            .ok_or_else(|| self.missing(field, "add it: a number"))
    }

    /// A boolean, required unless there is a default.
    pub(crate) fn boolean(&mut self, field: &str, default: Option<bool>, how: &str) -> Result<bool, SaeError> {
        match (self.used(field, how), default) {
            (Some(Value::Bool(value)), _) => Ok(value),
            (Some(value), _) => Err(self.refuse(field, &value, "not a boolean", "write `true` or `false`")),
            (None, Some(default)) => {
                self.defaulted(field, &default.to_string(), how);
                Ok(default)
            }
            (None, None) => Err(self.missing(field, "add it: `true` or `false`")),
        }
    }

    /// A string that may be absent.
    pub(crate) fn optional_string(&mut self, field: &str, how: &str) -> Result<Option<String>, SaeError> {
        match self.used(field, how) {
            Some(Value::String(value)) => Ok(Some(value)),
            Some(value) => Err(self.refuse(field, &value, "not a string", "write a string, or remove it")),
            None => Ok(None),
        }
    }

    /// A string, or a default where it is absent.
    pub(crate) fn string_or(&mut self, field: &str, default: &str, how: &str) -> Result<String, SaeError> {
        Ok(self.optional_string(field, how)?.unwrap_or_else(|| {
            self.defaulted(field, default, how);
            default.to_owned()
        }))
    }

    /// A required string.
    pub(crate) fn string(&mut self, field: &str, how: &str, hint: &str) -> Result<String, SaeError> {
        self.optional_string(field, how)?
            .ok_or_else(|| self.missing(field, hint))
    }

    /// An object inside this one, whose verdicts come back with [`Fields::absorb`]; `None` if it is absent or null.
    pub(crate) fn object(&mut self, field: &str, hint: &str) -> Result<Option<Self>, SaeError> {
        match self.left.shift_remove(field) {
            None => Ok(None),
            Some(Value::Null) => {
                self.record(field, Value::Null, Verdict::Ignored(NULL.to_owned()));
                Ok(None)
            }
            Some(Value::Object(map)) => Ok(Some(Self::new(&self.file, &format!("{}{field}.", self.prefix), map))),
            Some(value) => Err(self.refuse(field, &value, "not an object", hint)),
        }
    }

    /// Takes over the verdicts of an inner object.
    pub(crate) fn absorb(&mut self, records: Vec<FieldRecord>) {
        self.log.extend(records);
    }

    /// Verdicts, where every field must have been taken.
    pub(crate) fn finish(mut self, hint: &str) -> Result<Vec<FieldRecord>, SaeError> {
        let left = std::mem::take(&mut self.left);
        for (field, value) in left {
            if !value.is_null() {
                return Err(self.refuse(&field, &value, "this program does not know this field", hint));
            }
            self.record(&field, value, Verdict::Ignored(NULL.to_owned()));
        }
        Ok(self.log)
    }

    /// Verdicts, where fields that nobody took change no number.
    pub(crate) fn finish_ignoring(mut self, why: &str) -> Vec<FieldRecord> {
        let left = std::mem::take(&mut self.left);
        for (field, value) in left {
            self.record(&field, value, Verdict::Ignored(why.to_owned()));
        }
        self.log
    }

    /// Verdicts, where the format's own reader skips what it does not know.
    pub(crate) fn finish_tolerant(mut self) -> Vec<FieldRecord> {
        let left = std::mem::take(&mut self.left);
        for (field, value) in left {
            self.record(&field, value, Verdict::Unknown);
        }
        self.log
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
