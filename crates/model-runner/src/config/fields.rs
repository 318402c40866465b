//! Taking a configuration apart field by field, so that what nobody asked for can be named at the end.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{ModelError, Result};

/// What became of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It decides what is computed.
    Used,
    /// It changes nothing that is computed here; why.
    Ignored(&'static str),
}

/// One field of a configuration file and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldUse {
    /// Its name, dotted inside nested objects.
    pub field: String,
    /// Its value as written.
    pub value: Value,
    /// What became of it.
    pub verdict: Verdict,
}

const TRAINING: &str = "training only";
const BOOKKEEPING: &str = "bookkeeping of the file";
const GENERATION: &str = "generation only";
const OTHER_TASKS: &str = "heads of other tasks";

/// Fields that `transformers` writes and that change nothing in an inference pass, with the reason.
const IRRELEVANT: &[(&str, &str)] = &[
    ("_attn_implementation", "how, not what, is computed"),
    ("_attn_implementation_autoset", "how, not what, is computed"),
    ("_name_or_path", BOOKKEEPING),
    ("_sliding_window_pattern", "`layer_types` says it"),
    ("architectures", "`model_type` says it"),
    ("attention_dropout", TRAINING),
    ("attn_pdrop", TRAINING),
    ("cache_implementation", GENERATION),
    ("classifier_dropout", OTHER_TASKS),
    ("dtype", "the tensors' own types are read"),
    ("embd_pdrop", TRAINING),
    ("eos_token_id", GENERATION),
    ("gradient_checkpointing", TRAINING),
    ("hidden_dropout", TRAINING),
    ("id2label", OTHER_TASKS),
    ("initializer_range", TRAINING),
    ("label2id", OTHER_TASKS),
    ("max_position_embeddings", "longer prompts are the caller's choice"),
    ("max_window_layers", "`use_sliding_window` is off"),
    ("n_ctx", "equals `n_positions`"),
    ("pad_token_id", "prompts are never padded"),
    ("pretraining_tp", "how, not what, is computed"),
    ("reorder_and_upcast_attn", "scores are computed in f32 always"),
    ("resid_pdrop", TRAINING),
    ("summary_activation", OTHER_TASKS),
    ("summary_first_dropout", OTHER_TASKS),
    ("summary_proj_to_labels", OTHER_TASKS),
    ("summary_type", OTHER_TASKS),
    ("summary_use_proj", OTHER_TASKS),
    ("task_specific_params", GENERATION),
    ("torch_dtype", "the tensors' own types are read"),
    ("transformers_version", BOOKKEEPING),
    ("unsloth_fixed", BOOKKEEPING),
    ("unsloth_version", BOOKKEEPING),
    ("use_cache", GENERATION),
];

/// An error about one field.
pub(super) fn config_error(path: &Path, field: &str, reason: &str) -> ModelError {
    ModelError::Config {
        file: path.to_owned(),
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The fields not yet consumed; what is left at the end must be known to be irrelevant.
pub(super) struct Fields<'a> {
    path: &'a Path,
    /// Written before field names, `text_config.` inside that object.
    prefix: &'static str,
    rest: Map<String, Value>,
    used: Vec<FieldUse>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(path: &'a Path, rest: Map<String, Value>) -> Self {
        Self {
            path,
            prefix: "",
            rest,
            used: Vec::new(),
        }
    }

    fn record(&mut self, field: &str, value: Value, verdict: Verdict) {
        self.used.push(FieldUse {
            field: format!("{}{field}", self.prefix),
            value,
            verdict,
        });
    }

    /// Takes a field as used.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        let value = self.rest.shift_remove(field)?;
        self.record(field, value.clone(), Verdict::Used);
        Some(value)
    }

    /// Takes a field that changes nothing, with the reason.
    pub(super) fn ignore(&mut self, field: &str, why: &'static str) {
        if let Some(value) = self.rest.shift_remove(field) {
            self.record(field, value, Verdict::Ignored(why));
        }
    }

    /// Goes on with the object `field`, whose fields replace those read so far.
    ///
    /// What is left outside is ignored: it describes other parts of a larger model.
    pub(super) fn descend(&mut self, field: &'static str, prefix: &'static str, why: &'static str) -> Result<()> {
        let Some(Value::Object(inner)) = self.rest.shift_remove(field) else {
            return Err(self.error(field, "is missing or no object"));
        };
        for (name, value) in std::mem::replace(&mut self.rest, inner) {
            self.record(&name, value, Verdict::Ignored(why));
        }
        self.prefix = prefix;
        Ok(())
    }

    pub(super) fn error(&self, field: &str, reason: &str) -> ModelError {
        config_error(self.path, &format!("{}{field}", self.prefix), reason)
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn string(&mut self, field: &str) -> Result<String> {
        self.optional_string(field)?
            .ok_or_else(|| self.error(field, "is missing"))
    }

    pub(super) fn optional_string(&mut self, field: &str) -> Result<Option<String>> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.error(field, &format!("expected a string, found {other}"))),
        }
    }

    pub(super) fn optional_size(&mut self, field: &str) -> Result<Option<usize>> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) => Ok(Some(n)),
                None => Err(self.error(field, &format!("expected a whole number, found {value}"))),
            },
        }
    }

    pub(super) fn size(&mut self, field: &str) -> Result<usize> {
        self.optional_size(field)?
            .ok_or_else(|| self.error(field, "is missing"))
    }

    pub(super) fn size_or(&mut self, field: &str, default: Option<usize>) -> Result<usize> {
        self.optional_size(field)?
            .or(default)
            .ok_or_else(|| self.error(field, "is missing"))
    }

    pub(super) fn optional_number(&mut self, field: &str) -> Result<Option<f64>> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n > 0.0) {
                Some(n) => Ok(Some(n)),
                None => Err(self.error(field, &format!("expected a positive number, found {value}"))),
            },
        }
    }

    pub(super) fn number(&mut self, field: &str) -> Result<f64> {
        self.optional_number(field)?
            .ok_or_else(|| self.error(field, "is missing"))
    }

    pub(super) fn boolean(&mut self, field: &str, default: bool) -> Result<bool> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.error(field, &format!("expected true or false, found {other}"))),
        }
    }

    pub(super) fn refuse_unless(&mut self, field: &str, expected: &Value) -> Result<()> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if found == *expected => Ok(()),
            Some(found) => Err(self.error(field, &format!("{found} is not implemented; expected {expected}"))),
        }
    }

    pub(super) fn bos(&mut self) -> Result<Option<u32>> {
        match self.take("bos_token_id") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|id| u32::try_from(id).ok()) {
                Some(id) => Ok(Some(id)),
                None => Err(self.error("bos_token_id", &format!("expected a token id, found {value}"))),
            },
        }
    }

    /// The report, if nothing unknown is left.
    pub(super) fn finish(mut self) -> Result<Vec<FieldUse>> {
        for (field, value) in std::mem::take(&mut self.rest) {
            let Some((_, why)) = IRRELEVANT.iter().find(|(known, _)| *known == field) else {
                let reason = format!("{value} is not implemented for this family");
                return Err(self.error(&field, &reason));
            };
            self.record(&field, value, Verdict::Ignored(why));
        }
        Ok(self.used)
    }
}
