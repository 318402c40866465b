//! What was asked for: everything that can change the answer, and nothing else.
//!
//! The hash of a [`Spec`] is the key of its record. The whole struct is hashed through its serialised form, so a field added
//! later takes part without anyone remembering it. An optional field that is absent is left out of the form, so that adding one
//! does not change the keys of older records.
//!
//! Where files lie, which machine runs and how many threads it has are not part of a spec.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::canonical_json;
use crate::error::StoreError;
use crate::hash::Blake3;

/// One unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Task, for example `first-letter`.
    pub task: String,
    /// Version of the metrics; raised when a formula changes.
    pub metric_version: u32,
    /// The language model.
    pub model: ModelSpec,
    /// Where its residual stream is read and edited.
    pub site: SiteSpec,
    /// The SAE, or nothing for a unit of directions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sae: Option<SaeSpec>,
    /// Arms in the order of the tables.
    pub arms: Vec<String>,
    /// Letters that take part.
    pub letters: BTreeSet<char>,
    /// Hash of the word list.
    pub words_hash: String,
    /// Hash of the rendered prompts.
    pub prompts_hash: String,
    /// The one seed of the run.
    pub seed: u64,
    /// Number type of the forward pass.
    pub dtype: String,
    /// Kind of device (`flex`, `wgpu`), since results differ in the last digits between them.
    pub device: String,
    /// Cap on the number of words, when the run was cut short on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Every other setting by name. `null` is refused: leave a setting out instead.
    pub settings: BTreeMap<String, Value>,
}

/// Identity of a language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name under which it was asked for.
    pub id: String,
    /// Architecture family, for example `gemma2`.
    pub family: String,
    /// Hash of its weights and configuration.
    pub hash: String,
    /// Hash of its tokenizer.
    pub tokenizer_hash: String,
    /// Commit of the repository that it came from, where it came from a hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Identity of a sparse autoencoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaeSpec {
    /// Name under which it was asked for.
    pub id: String,
    /// Hash of its weights and configuration.
    pub hash: String,
    /// Activation function family, for example `jumprelu`.
    pub architecture: String,
    /// Hook that it was trained on.
    pub hook: String,
    /// Number of latents.
    pub width: u64,
    /// Commit of the repository that it came from, where it came from a hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Where the residual stream is read and edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSpec {
    /// `TransformerLens` name, for example `blocks.12.hook_resid_post`.
    pub hook: String,
}

impl Spec {
    /// Hash of the canonical form.
    ///
    /// # Errors
    /// [`StoreError::NullSetting`] when a setting is `null`, or holds one: that is what a number that is not finite turns into.
    pub fn key(&self) -> Result<Blake3, StoreError> {
        for (name, value) in &self.settings {
            if holds_null(value) {
                return Err(StoreError::NullSetting { name: name.clone() });
            }
        }
        let text = canonical_json(self).map_err(|source| StoreError::Encode { source })?;
        Ok(Blake3::of(text.as_bytes()))
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
