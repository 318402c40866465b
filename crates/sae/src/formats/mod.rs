//! Checkpoint formats: recognising files, and reading each format into one [`SaeConfig`] and one set of weights.
//!
//! One file per format. Each accounts for every configuration field and every tensor: used, ignored with a reason, or an error
//! that names file, field and remedy. A format whose own reader skips unknown fields gets them recorded as unknown.
//!
//! Deliberately absent: downloading, registries of known releases (a path is a path), and anything that only a name says without
//! it being reported as a guess.

mod attention_hook_z;
mod deepseek_r1;
mod dictionary_learning;
mod format;
mod fuzz;
mod gemma_scope;
mod gemma_scope_2;
mod goodfire;
mod hanna;
mod llama_scope;
mod openai;
mod openmoss;
mod openmoss_weights;
mod qwen_scope;
mod refused;
mod sae_lens;
mod sae_lens_6;
mod sae_lens_flat;
mod source;
mod sparsify;
mod tensors;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use checkpoint::content_hash;

pub use format::Format;
pub(crate) use fuzz::configs as fuzz_configs;
pub(crate) use sae_lens_6::{to_json, unwritable};
use source::Source;

use crate::fold;
use crate::identity::{FieldRecord, TensorRecord};
use crate::parts::Parts;
use crate::{Identity, Note, NoteKind, OpenOptions, Residency, Sae, SaeConfig, SaeError, Sourced};

/// An autoencoder as a format's reader delivers it.
struct Loaded {
    config: SaeConfig,
    parts: Parts,
    report: Report,
}

/// What a format's reader found out.
#[derive(Default)]
struct Report {
    version: Option<String>,
    model: Option<Sourced<String>>,
    hook_in: Option<Sourced<String>>,
    hook_out: Option<Sourced<String>>,
    declared_l0: Option<Sourced<f64>>,
    fields: Vec<FieldRecord>,
    tensors: Vec<TensorRecord>,
    notes: Vec<Note>,
    /// Configurations that were read, in the order in which they enter the hash.
    configs: Vec<PathBuf>,
    /// A factor that is still to be folded as `SAELens` does.
    fold_input: Option<f32>,
    /// Whether decoder norms are still to be folded, as training does at its end.
    fold_decoder: bool,
}

impl Report {
    fn note(&mut self, kind: NoteKind, message: impl Into<String>) {
        self.notes.push(Note {
            kind,
            message: message.into(),
        });
    }

    /// Notes for everything that was guessed, and a copy in the metadata, where callers look for provenance.
    fn publish(&mut self, metadata: &mut crate::Metadata) {
        let places = [
            ("model_name", &self.model),
            ("hook_name", &self.hook_in),
            ("hook_name_out", &self.hook_out),
        ];
        let mut guesses = Vec::new();
        for (field, value) in places {
            let Some(value) = value else { continue };
            if metadata.get(field).is_none() {
                metadata.set(field, value.value.as_str());
            }
            if value.guess {
                guesses.push(format!("`{field}` is taken to be `{}`: {}", value.value, value.source));
            }
        }
        if let Some(l0) = self.declared_l0.as_ref().filter(|l0| l0.guess) {
            guesses.push(format!("L0 is taken to be {}: {}", l0.value, l0.source));
        }
        for message in guesses {
            self.note(NoteKind::Guess, message);
        }
    }
}

/// Opens what is at `path`.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Sae, SaeError> {
    let source = Source::find(path)?;
    let format = match options.format {
        Some(format) => format,
        None => recognise(path, &source)?,
    };
    check_options(format, options)?;
    let loaded = load(format, &source, options)?;
    finish(format, &source, options, loaded)
}

fn recognise(path: &Path, source: &Source) -> Result<Format, SaeError> {
    // What is known and cannot be computed has its own reason.
    refused::check(source)?;
    let fitting: Vec<Format> = Format::ALL.into_iter().filter(|format| format.fits(source)).collect();
    if let &[format] = fitting.as_slice() {
        return Ok(format);
    }
    let names = |formats: &[Format]| -> String {
        let lines: Vec<String> = formats
            .iter()
            .map(|format| format!("\n  {format}: {}", format.looks_like()))
            .collect();
        lines.concat()
    };
    let (looked_for, hint) = if fitting.is_empty() {
        (names(&Format::ALL), refused::hint(source))
    } else {
        (names(&fitting), "all of these fit; name the format".to_owned())
    };
    Err(SaeError::Unrecognised {
        path: path.to_owned(),
        looked_for,
        found: source.contents(),
        hint,
    })
}

fn check_options(format: Format, options: &OpenOptions) -> Result<(), SaeError> {
    let refuse = |option: &'static str| {
        Err(SaeError::Option {
            option,
            format,
            reason: "its files leave nothing of the kind open".to_owned(),
        })
    };
    if options.k.is_some() && format != Format::QwenScope {
        return refuse("k");
    }
    if options
        .norm_scaling_factor
        .is_some_and(|factor| !(factor > 0.0 && factor.is_finite()))
    {
        return Err(SaeError::Option {
            option: "norm_scaling_factor",
            format,
            reason: "it is not a positive number".to_owned(),
        });
    }
    let scaled = matches!(
        format,
        Format::SaeLens6 | Format::SaeLensFlat | Format::LlamaScope | Format::OpenMoss
    );
    if options.norm_scaling_factor.is_some() && !scaled {
        return refuse("norm_scaling_factor");
    }
    if options.stored_threshold && format != Format::DictionaryLearning {
        return refuse("stored_threshold");
    }
    Ok(())
}

fn load(format: Format, source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    match format {
        Format::SaeLens6 => sae_lens_6::load(source, options),
        Format::SaeLensFlat => sae_lens_flat::load(source, options),
        Format::GemmaScope => gemma_scope::load(source, false),
        Format::GemmaScopeTranscoder => gemma_scope::load(source, true),
        Format::GemmaScope2 => gemma_scope_2::load(source),
        Format::DictionaryLearning => dictionary_learning::load(source, options),
        Format::Sparsify => sparsify::load(source),
        Format::OpenAi => openai::load(source),
        Format::LlamaScope => llama_scope::load(source, options),
        Format::OpenMoss => openmoss::load(source, options),
        Format::Goodfire => goodfire::load(source),
        Format::QwenScope => qwen_scope::load(source, options),
        Format::DeepSeekR1 => deepseek_r1::load(source),
        Format::AttentionHookZ => attention_hook_z::load(source),
        Format::HannaTranscoder => hanna::load(source),
    }
}

fn finish(format: Format, source: &Source, options: &OpenOptions, loaded: Loaded) -> Result<Sae, SaeError> {
    let Loaded {
        mut config,
        mut parts,
        mut report,
    } = loaded;
    report.publish(&mut config.metadata);
    let place = |error| in_file(error, report.configs.first(), &source.weights);
    // Before the matrices are read: what stays in the file carries its factors.
    if let Some(factor) = report.fold_input {
        fold::check_scale(&config, factor).map_err(place)?;
        parts.fold_factor(factor);
    }
    if report.fold_decoder {
        parts.fold_norms(fold::SMALLEST_NORM);
    }
    let mapped = match options.residency {
        Residency::Auto => parts.is_large(),
        Residency::Resident => false,
        Residency::Mapped => true,
    };
    if !mapped {
        parts = parts.into_resident();
    }
    let mut sae = Sae::from_parts(config, parts).map_err(place)?;
    let mut files = vec![source.weights.clone()];
    files.extend(report.configs);
    sae.file_hash = Some(files_hash(&files, &options.lines())?);
    let config = &sae.config;
    let identity = Identity {
        format,
        version: report.version,
        files,
        architecture: config.architecture,
        d_in: config.d_in,
        d_sae: config.d_sae,
        output: config.output,
        reshape_activations: config.reshape_activations,
        model: report.model,
        hook_in: report.hook_in,
        hook_out: report.hook_out,
        declared_l0: report.declared_l0,
        tensors: report.tensors,
        fields: report.fields,
        notes: report.notes,
    };
    sae.identity = Some(Arc::new(identity));
    Ok(sae)
}

/// Hash of the lines that `b3sum` prints for the files, and of the decisions that the caller took.
fn files_hash(files: &[PathBuf], decisions: &str) -> Result<String, SaeError> {
    let mut lines = Vec::with_capacity(files.len());
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        lines.push(format!("{}  {name}\n", content_hash(file)?));
    }
    let text = lines.concat() + decisions;
    Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
}

/// Says in which file a part that does not fit stands.
fn in_file(error: SaeError, config: Option<&PathBuf>, weights: &Path) -> SaeError {
    match (error, config) {
        (
            SaeError::Invalid {
                field:
                    field @ ("k" | "d_in" | "d_sae" | "d_out" | "apply_b_dec_to_input" | "activation_normalization_factor"),
                expected,
                found,
            },
            Some(config),
        ) => SaeError::Field {
            file: config.clone(),
            field: field.to_owned(),
            value: found,
            reason: format!("expected {expected}"),
            hint: "correct the configuration".to_owned(),
        },
        (SaeError::Invalid { field, expected, found }, _) => SaeError::Tensor {
            file: weights.to_owned(),
            tensor: field.to_owned(),
            reason: format!("expected {expected}, found {found}"),
            hint: "the weights are damaged; fetch or train them again".to_owned(),
        },
        (other, _) => other,
    }
}
