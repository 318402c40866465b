//! Where an autoencoder came from: the `metadata` object of an `SAELens` `cfg.json`, or the same facts from another format.
//!
//! The object is kept whole, in order, so that saving loses nothing. Fields that would change what is computed, such as a head
//! index, are refused when a configuration is opened; what is left here describes and does not instruct.

use serde_json::{Map, Value};

/// Provenance of an autoencoder. Absent fields are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    fields: Map<String, Value>,
}

impl Metadata {
    /// Nothing known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn from_map(fields: Map<String, Value>) -> Self {
        Self { fields }
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// A field that is there and not null.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Sets a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// [`Metadata::set`], for building in one expression.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }

    /// The language model.
    #[must_use]
    pub fn model_name(&self) -> Option<&str> {
        self.get("model_name")?.as_str()
    }

    /// The place in the model, in `TransformerLens`'s words, such as `blocks.12.hook_resid_post`.
    #[must_use]
    pub fn hook_name(&self) -> Option<&str> {
        self.get("hook_name")?.as_str()
    }

    /// The architecture while training, such as `matryoshka_batchtopk`.
    #[must_use]
    pub fn training_architecture(&self) -> Option<&str> {
        self.get("training_architecture")?.as_str()
    }

    /// Tokens of a training context.
    #[must_use]
    pub fn context_size(&self) -> Option<u64> {
        self.get("context_size")?.as_u64()
    }

    /// Whether training contexts began with the beginning-of-sequence token.
    #[must_use]
    pub fn prepend_bos(&self) -> Option<bool> {
        self.get("prepend_bos")?.as_bool()
    }

    /// The seed of the training run.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.detail("seed")?.as_u64()
    }

    /// Latents per row that training aimed at.
    #[must_use]
    pub fn k(&self) -> Option<f64> {
        self.detail("k")?.as_f64()
    }

    /// Weight of the L1 penalty in training.
    #[must_use]
    pub fn l1_coefficient(&self) -> Option<f64> {
        self.detail("l1_coefficient")?.as_f64()
    }

    /// A field of `training_architecture_details`, or else of the metadata itself.
    #[must_use]
    pub fn detail(&self, field: &str) -> Option<&Value> {
        self.get("training_architecture_details")
            .and_then(|details| details.get(field))
            .filter(|value| !value.is_null())
            .or_else(|| self.get(field))
    }
}
