//! Whether prompts begin with the beginning-of-sequence token: an explicit policy, never a side effect of a tokenizer file.
//!
//! The first position of a prompt is an attention sink, and whether a special token stands there moves every number after it.
//! Libraries disagree silently: `transformers` adds what the tokenizer's post-processor says (nothing for GPT-2 and Pythia),
//! `TransformerLens` prepends the token to almost every family.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};

/// What to do about the beginning-of-sequence token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BosPolicy {
    /// As the family was trained, or as published SAE work on it does: see [`choose_bos`].
    #[default]
    Auto,
    /// Every prompt begins with it.
    Always,
    /// No prompt does.
    Never,
}

impl FromStr for BosPolicy {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(format!("`{text}` is none of auto, always, never")),
        }
    }
}

/// A decision about the beginning-of-sequence token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BosChoice {
    /// The token that starts every prompt; `None` for none.
    pub id: Option<u32>,
    /// Why, for people.
    pub reason: String,
}

/// Decides for a model.
///
/// `auto`: Gemma, Llama and Mistral were trained with the token on every document; GPT-2 and GPT-NeoX were not, but `TransformerLens`
/// prepends it and so the published SAEs of these models saw it; Qwen has no such token (its `bos_token_id` ends documents).
///
/// # Errors
/// `always` where `config.json` has no `bos_token_id`, or `auto` for a family that needs one.
pub fn choose_bos(config: &ModelConfig, policy: BosPolicy) -> Result<BosChoice> {
    let family = config.family.as_str();
    let (wanted, reason) = match policy {
        BosPolicy::Always => (true, "asked for".to_owned()),
        BosPolicy::Never => (false, "asked for".to_owned()),
        BosPolicy::Auto => match family {
            "qwen2" | "qwen3" => (false, format!("{family} has no such token")),
            "gpt2" | "gpt_neox" => (true, format!("as TransformerLens and published SAEs of {family}")),
            _ => (true, format!("{family} was trained with it")),
        },
    };
    match (wanted, config.bos_token_id) {
        (false, _) => Ok(BosChoice { id: None, reason }),
        (true, Some(id)) => Ok(BosChoice { id: Some(id), reason }),
        (true, None) => Err(ModelError::Run(format!(
            "`config.json` has no `bos_token_id`, but prompts of this {family} model begin with it\nhint: add the field, or choose `--bos never`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(family: &str) -> ModelConfig {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(family);
        ModelConfig::read(&path.join("config.json")).unwrap()
    }

    #[test]
    fn each_family_has_its_policy() {
        let of = |family: &str, policy| choose_bos(&config(family), policy).unwrap().id;
        assert_eq!(of("gemma2", BosPolicy::Auto), Some(2));
        assert_eq!(of("llama", BosPolicy::Auto), Some(2));
        assert_eq!(of("gpt2", BosPolicy::Auto), Some(0));
        assert_eq!(of("qwen2", BosPolicy::Auto), None);
        assert_eq!(of("qwen2", BosPolicy::Always), Some(0));
        assert_eq!(of("gemma2", BosPolicy::Never), None);
        let mut none = config("llama");
        none.bos_token_id = None;
        assert!(
            choose_bos(&none, BosPolicy::Auto)
                .unwrap_err()
                .to_string()
                .contains("--bos never")
        );
        assert!("sometimes".parse::<BosPolicy>().is_err());
    }
}
