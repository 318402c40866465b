//! The formats, and by what their files are told apart.
//!
//! Tensor names and configuration fields decide, never the name of a folder: downloads get renamed. The conditions exclude each
//! other, so that at most one format fits a set of files.

use std::fmt;

use serde::Serialize;

use super::source::Source;

/// A checkpoint format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// `SAELens` 6: `cfg.json` with `metadata.sae_lens_version`, `sae_weights.safetensors`.
    SaeLens6,
    /// `SAELens` before 6: a flat `cfg.json`, `sae_weights.safetensors`.
    SaeLensFlat,
    /// Gemma Scope: `params.npz`.
    GemmaScope,
    /// Gemma Scope transcoders: the same file, which does not say that it is one.
    GemmaScopeTranscoder,
    /// Gemma Scope 2: `params.safetensors` with lower-case names, `config.json`.
    GemmaScope2,
    /// `dictionary_learning`: `ae.pt`, `config.json` with `trainer`.
    DictionaryLearning,
    /// `EleutherAI` sparsify: `cfg.json`, `sae.safetensors`.
    Sparsify,
    /// `OpenAI`'s `GPT-2` autoencoders: one `.pt`.
    OpenAi,
    /// Llama Scope of `OpenMOSS`: `hyperparams.json`, `checkpoints/final.safetensors`.
    LlamaScope,
    /// Later `OpenMOSS` checkpoints, such as Llama Scope R1-Distill: `config.json`, `sae_weights.safetensors`.
    OpenMoss,
    /// Goodfire: one `.pt` or `.pth`.
    Goodfire,
    /// Qwen-Scope: one `.pt` per layer.
    QwenScope,
    /// The `DeepSeek`-R1 autoencoder of qresearch: one `.pt`.
    DeepSeekR1,
    /// Attention-output autoencoders of Kissane and Krzyzanowski: `{name}.pt`, `{name}_cfg.json`.
    AttentionHookZ,
    /// Transcoders of Hanna: `layer_{n}.safetensors`.
    HannaTranscoder,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 15] = [
        Self::SaeLens6,
        Self::SaeLensFlat,
        Self::GemmaScope,
        Self::GemmaScopeTranscoder,
        Self::GemmaScope2,
        Self::DictionaryLearning,
        Self::Sparsify,
        Self::OpenAi,
        Self::LlamaScope,
        Self::OpenMoss,
        Self::Goodfire,
        Self::QwenScope,
        Self::DeepSeekR1,
        Self::AttentionHookZ,
        Self::HannaTranscoder,
    ];

    /// A name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SaeLens6 => "SAELens 6",
            Self::SaeLensFlat => "SAELens before 6",
            Self::GemmaScope => "Gemma Scope",
            Self::GemmaScopeTranscoder => "Gemma Scope transcoder",
            Self::GemmaScope2 => "Gemma Scope 2",
            Self::DictionaryLearning => "dictionary_learning",
            Self::Sparsify => "sparsify",
            Self::OpenAi => "OpenAI",
            Self::LlamaScope => "Llama Scope",
            Self::OpenMoss => "OpenMOSS",
            Self::Goodfire => "Goodfire",
            Self::QwenScope => "Qwen-Scope",
            Self::DeepSeekR1 => "DeepSeek-R1 (qresearch)",
            Self::AttentionHookZ => "attention hook_z (Kissane and Krzyzanowski)",
            Self::HannaTranscoder => "transcoder (Hanna)",
        }
    }

    /// What its files have to be.
    #[must_use]
    pub fn looks_like(self) -> &'static str {
        match self {
            Self::SaeLens6 => "`cfg.json` with a version of 6 or later, and safetensors with `W_dec`",
            Self::SaeLensFlat => "`cfg.json` without such a version, and safetensors with `W_dec`",
            Self::GemmaScope => "npz with `W_enc`, `W_dec`, `b_enc`, `b_dec`, `threshold`",
            Self::GemmaScopeTranscoder => "the same, in a path that says `transcoder`",
            Self::GemmaScope2 => "safetensors with `w_enc`, `w_dec`, `b_enc`, `b_dec`, `threshold`",
            Self::DictionaryLearning => {
                "a torch file with `config.json` that has `trainer`, or with tensors of one class only"
            }
            Self::Sparsify => "`cfg.json`, and safetensors with `encoder.weight` and `W_dec`",
            Self::OpenAi => "a torch file with `pre_bias`, `latent_bias`, `encoder.weight`",
            Self::LlamaScope => "`hyperparams.json`, and safetensors with `encoder.weight`, `decoder.weight`",
            Self::OpenMoss => {
                "`config.json`, and safetensors with `encoder.weight`, `decoder.weight` or with `W_E`, `W_D`"
            }
            Self::Goodfire => "a torch file with `encoder_linear.weight`, `decoder_linear.weight`",
            Self::QwenScope => {
                "a torch file with `W_enc` `[d_sae, d_in]` and `W_dec` `[d_in, d_sae]`, and no configuration"
            }
            Self::DeepSeekR1 => "a torch file with weights and biases of `encoder` and `decoder`, and no configuration",
            Self::AttentionHookZ => "a torch file with `W_enc`, and `{its name}_cfg.json`",
            Self::HannaTranscoder => "safetensors with `W_enc` `[d_sae, d_in]` and `W_dec`, and no `cfg.json`",
        }
    }

    /// Whether the files are of this format.
    pub(super) fn fits(self, source: &Source) -> bool {
        let has = |names: &[&str]| names.iter().all(|name| source.checkpoint.contains(name));
        let (torch, safetensors) = (source.is_torch(), source.is_safetensors());
        let config = |name: &str| source.config(name).is_some();
        let configured = source.has_config();
        let linear = has(&["encoder.weight", "decoder.weight"]);
        let sae_lens = safetensors && (has(&["W_dec"]) || has(&["W_enc"])) && !has(&["encoder.weight"]);
        match self {
            Self::SaeLens6 => sae_lens && source.sae_lens_6() == Some(true),
            Self::SaeLensFlat => sae_lens && source.sae_lens_6() == Some(false),
            Self::GemmaScope => source.gemma_scope() && !source.says("transcoder"),
            Self::GemmaScopeTranscoder => source.gemma_scope() && source.says("transcoder"),
            Self::GemmaScope2 => safetensors && has(&["w_enc", "w_dec"]),
            Self::DictionaryLearning => torch && source.dictionary_learning(),
            Self::Sparsify => safetensors && config("cfg.json") && has(&["encoder.weight", "W_dec"]),
            Self::OpenAi => torch && has(&["pre_bias", "latent_bias", "encoder.weight"]),
            Self::LlamaScope => safetensors && config("hyperparams.json") && linear,
            Self::OpenMoss => {
                safetensors && config("config.json") && !config("hyperparams.json") && (linear || has(&["W_E", "W_D"]))
            }
            Self::Goodfire => has(&["encoder_linear.weight", "decoder_linear.weight"]),
            Self::QwenScope => torch && !configured && source.latents_first() && !has(&["threshold"]),
            Self::DeepSeekR1 => {
                torch && !configured && linear && has(&["encoder.bias", "decoder.bias"]) && !has(&["bias"])
            }
            Self::AttentionHookZ => torch && source.config("_cfg.json").is_some() && has(&["W_enc", "W_dec"]),
            Self::HannaTranscoder => {
                safetensors && !config("cfg.json") && source.latents_first() && !has(&["encoder.weight"])
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
