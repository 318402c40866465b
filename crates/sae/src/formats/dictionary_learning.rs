//! `dictionary_learning`: `ae.pt`, a torch state, and `config.json` with `trainer` and `buffer`.
//!
//! The class is `trainer.dict_class`; without a configuration it is told from the tensors where only one class has them.
//!
//! | class | tensors | computes |
//! |---|---|---|
//! | `AutoEncoder` | `bias`, `encoder.*`, `decoder.weight` | standard, bias subtracted |
//! | `AutoEncoderNew` | `encoder.*`, `decoder.*` | standard, nothing subtracted |
//! | `GatedAutoEncoder` | `decoder_bias`, `encoder.weight`, `r_mag`, `gate_bias`, `mag_bias`, `decoder.weight` | gated |
//! | `AutoEncoderTopK` | `encoder.*`, `decoder.weight`, `b_dec`, `k`, `threshold` | top-k; the stored threshold is not used |
//! | `BatchTopKSAE` | the same | `relu` above the stored threshold |
//! | `MatryoshkaBatchTopKSAE` | `W_enc`, `b_enc`, `W_dec`, `b_dec`, `k`, `threshold`, `group_sizes` | the same |
//! | `JumpReluAutoEncoder` | `W_enc`, `b_enc`, `W_dec`, `b_dec`, `threshold` | `JumpReLU`, nothing subtracted |
//!
//! The decoder of an `AutoEncoder` stays as stored. That library's loader gives it unit norm on the way in, which is
//! [`crate::Sae::fold_decoder_norms`]: it changes latents by a factor each and no reconstruction, and a note says so. A factor of normalised
//! training is in the saved biases and thresholds already.

use std::path::Path;

use checkpoint::Checkpoint;
use serde_json::{Map, Value};

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report, deepseek_r1};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{
    Architecture, Metadata, Normalization, NoteKind, OpenOptions, Output, Reshape, SaeConfig, SaeError, Sourced,
    Weights,
};

/// Distance of a decoder norm from 1 below which the library's loader leaves the decoder alone.
const UNIT: f32 = 1e-5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Standard,
    New,
    Gated,
    TopK,
    BatchTopK,
    Matryoshka,
    JumpRelu,
}

impl Class {
    const NAMES: [(&'static str, Self); 7] = [
        ("AutoEncoder", Self::Standard),
        ("AutoEncoderNew", Self::New),
        ("GatedAutoEncoder", Self::Gated),
        ("AutoEncoderTopK", Self::TopK),
        ("BatchTopKSAE", Self::BatchTopK),
        ("MatryoshkaBatchTopKSAE", Self::Matryoshka),
        ("JumpReluAutoEncoder", Self::JumpRelu),
    ];
}

/// What `config.json` says.
#[derive(Default)]
pub(super) struct Parsed {
    report: Report,
    class: Option<Class>,
    d_in: Option<usize>,
    d_sae: Option<usize>,
    k: Option<usize>,
}

/// In front of names in a file from which training can resume.
fn prefix(has: impl Fn(&str) -> bool) -> &'static str {
    if has("ae.encoder.weight") || has("ae.W_enc") {
        "ae."
    } else {
        ""
    }
}

/// Whether the tensors are those of a class of this library and of no other format.
pub(super) fn has_own_tensors(checkpoint: &Checkpoint) -> bool {
    let prefix = prefix(|name| checkpoint.contains(name));
    let has = |name: &str| checkpoint.contains(&format!("{prefix}{name}"));
    let linear = has("encoder.weight") && has("decoder.weight");
    let gated = has("decoder_bias") && has("r_mag");
    let square = has("W_enc") && has("W_dec") && has("threshold");
    (linear && (has("bias") || has("b_dec"))) || gated || square || !prefix.is_empty()
}

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let parsed = match source.config("config.json") {
        Some(config) => parse(&config.file, config.map.clone())?,
        None => Parsed::default(),
    };
    let Parsed {
        mut report,
        class,
        d_in,
        d_sae,
        k,
    } = parsed;
    let prefix = prefix(|name| source.checkpoint.contains(name));
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, prefix);
    let class = match class {
        Some(class) => class,
        None => class_of(source, &tensors, &mut report)?,
    };
    check_options(class, options)?;
    let shape = shape(&tensors, class)?;
    let (d_in, d_sae) = (d_in.unwrap_or(shape[0]), d_sae.unwrap_or(shape[1]));
    let mut values = deepseek_r1::values(source);
    let mut parts = matrices(&mut tensors, class, d_in, d_sae)?;
    let architecture = match class {
        Class::Standard | Class::New => Architecture::Standard,
        Class::Gated => Architecture::Gated,
        Class::JumpRelu => {
            parts.vectors.threshold = tensors.per_latent("threshold", d_sae, "thresholds")?;
            Architecture::JumpRelu
        }
        Class::BatchTopK | Class::Matryoshka => {
            let stored = stored_k(&mut tensors, &mut values, prefix, k, "the target of training")?;
            declare(&mut report, stored, "the target of training");
            parts.vectors.threshold = batch_threshold(&mut tensors, d_sae)?;
            groups(&mut tensors, &mut values, prefix)?;
            Architecture::JumpRelu
        }
        Class::TopK => top_k(
            &mut tensors,
            &mut values,
            &mut report,
            &mut parts.vectors,
            (prefix, k, d_sae),
            options,
        )?,
    };
    if class == Class::Standard {
        note_norms(&parts, &mut report);
    }
    let why = "state of training";
    let records = if prefix.is_empty() {
        values.finish("the file may be of another library")?
    } else {
        values.finish_ignoring(why)
    };
    report.fields.extend(records);
    report.tensors = tensors.finish(
        "a dictionary of this class has no such tensor",
        "`trainer.dict_class` of `config.json` may be of another dictionary",
    )?;
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: !matches!(class, Class::New | Class::JumpRelu),
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d_in),
        metadata: Metadata::new(),
    };
    Ok(Loaded { config, parts, report })
}

fn check_options(class: Class, options: &OpenOptions) -> Result<(), SaeError> {
    let refuse = |option: &'static str, wanted: &str| {
        Err(SaeError::Option {
            option,
            format: crate::Format::DictionaryLearning,
            reason: format!("it is for class `{wanted}`"),
        })
    };
    if options.stored_threshold && class != Class::TopK {
        return refuse("stored_threshold", "AutoEncoderTopK");
    }
    Ok(())
}

/// The class that the tensors are of, where that is one.
fn class_of(source: &Source, tensors: &Tensors<'_>, report: &mut Report) -> Result<Class, SaeError> {
    let has = |name: &str| tensors.has(name);
    let (class, name) = if has("r_mag") {
        (Class::Gated, "GatedAutoEncoder")
    } else if has("group_sizes") {
        (Class::Matryoshka, "MatryoshkaBatchTopKSAE")
    } else if has("W_enc") {
        (Class::JumpRelu, "JumpReluAutoEncoder")
    } else if has("bias") {
        (Class::Standard, "AutoEncoder")
    } else if has("decoder.bias") {
        (Class::New, "AutoEncoderNew")
    } else {
        return Err(SaeError::Undecided {
            file: source.weights.clone(),
            what: "trainer.dict_class".to_owned(),
            reason: "`AutoEncoderTopK` and `BatchTopKSAE` have the same tensors and compute differently".to_owned(),
            hint: "fetch the `config.json` that belongs beside it".to_owned(),
        });
    };
    report.note(
        NoteKind::Guess,
        format!("there is no `config.json`: the class is taken to be `{name}`, the one with these tensors; the hook is unknown"),
    );
    Ok(class)
}

/// `[d_in, d_sae]` as the encoder has them.
fn shape(tensors: &Tensors<'_>, class: Class) -> Result<[usize; 2], SaeError> {
    if matches!(class, Class::Matryoshka | Class::JumpRelu) {
        tensors.matrix_shape("W_enc")
    } else {
        tensors
            .matrix_shape("encoder.weight")
            .map(|[d_sae, d_in]| [d_in, d_sae])
    }
}

fn matrices(tensors: &mut Tensors<'_>, class: Class, d_in: usize, d_sae: usize) -> Result<Parts, SaeError> {
    let mut vectors = Weights::default();
    if matches!(class, Class::Matryoshka | Class::JumpRelu) {
        let encoder = tensors.latent_columns("W_enc", [d_in, d_sae], "encoder")?;
        vectors.b_enc = tensors.read("b_enc", &[d_sae], "encoder bias")?;
        let decoder = tensors.latent_rows("W_dec", [d_sae, d_in], "decoder")?;
        vectors.b_dec = tensors.read("b_dec", &[d_in], "decoder bias")?;
        return Ok(Parts {
            encoder,
            decoder,
            vectors,
        });
    }
    let encoder = tensors.latent_rows("encoder.weight", [d_sae, d_in], "encoder")?;
    let decoder = tensors.latent_columns("decoder.weight", [d_in, d_sae], "decoder")?;
    let bias = match class {
        Class::Standard => "bias",
        Class::New => "decoder.bias",
        Class::Gated => "decoder_bias",
        _ => "b_dec",
    };
    vectors.b_dec = tensors.read(bias, &[d_in], "decoder bias")?;
    if class == Class::Gated {
        vectors.b_gate = tensors.read("gate_bias", &[d_sae], "bias of the gate")?;
        vectors.b_mag = tensors.read("mag_bias", &[d_sae], "bias of the magnitude")?;
        vectors.r_mag = tensors.read("r_mag", &[d_sae], "logarithm of the magnitude's factor")?;
    } else {
        vectors.b_enc = tensors.read("encoder.bias", &[d_sae], "encoder bias")?;
    }
    Ok(Parts {
        encoder,
        decoder,
        vectors,
    })
}

fn top_k(
    tensors: &mut Tensors<'_>,
    values: &mut Fields,
    report: &mut Report,
    weights: &mut Weights,
    (prefix, k, d_sae): (&str, Option<usize>, usize),
    options: &OpenOptions,
) -> Result<Architecture, SaeError> {
    let stored = stored_k(tensors, values, prefix, k, "latents kept per row")?;
    declare(report, stored.or(k), "latents kept per row");
    if options.stored_threshold {
        weights.threshold = batch_threshold(tensors, d_sae)?;
        report.note(
            NoteKind::Changed,
            "the stored threshold is used instead of top-k, as asked: the library's `use_threshold`",
        );
        return Ok(Architecture::JumpRelu);
    }
    tensors.ignore(&["threshold"], "the library does not use it unless it is asked to")?;
    let Some(k) = stored.or(k) else {
        return Err(tensors.refuse(
            "k",
            "there is none, in the file or in `config.json`",
            "fetch the `config.json`",
        ));
    };
    Ok(Architecture::TopK {
        k,
        rescale_acts_by_decoder_norm: false,
    })
}

/// `k` as stored, which must be that of the configuration.
fn stored_k(
    tensors: &mut Tensors<'_>,
    values: &mut Fields,
    prefix: &str,
    configured: Option<usize>,
    how: &str,
) -> Result<Option<usize>, SaeError> {
    let name = format!("{prefix}k");
    let stored = if tensors.has("k") {
        match tensors.integers("k", how)?.as_slice() {
            &[k] if k > 0 => Some(k as usize),
            _ => return Err(tensors.refuse("k", "it is not one positive number", "fetch the file again")),
        }
    } else {
        values.optional_positive(&name, how)?
    };
    match (stored, configured) {
        (Some(stored), Some(configured)) if stored != configured => Err(tensors.refuse(
            "k",
            &format!("it is {stored}, and `trainer.k` of `config.json` is {configured}"),
            "weights and `config.json` may be of different dictionaries",
        )),
        (stored, configured) => Ok(stored.or(configured)),
    }
}

fn declare(report: &mut Report, k: Option<usize>, how: &str) {
    if let Some(k) = k {
        report.declared_l0 = Some(Sourced::stated(
            k as f64,
            format!("`k` of the file or of `config.json`, {how}"),
        ));
    }
}

/// The one threshold of all latents; before training has set it, it is -1.
fn batch_threshold(tensors: &mut Tensors<'_>, d_sae: usize) -> Result<Vec<f32>, SaeError> {
    let value = tensors.scalar("threshold", "threshold of every latent")? as f32;
    if value < 0.0 {
        let reason = format!("it is {value}: training stopped before it was set, so that inference is not defined");
        return Err(tensors.refuse("threshold", &reason, "use a later checkpoint"));
    }
    Ok(vec![value; d_sae])
}

/// `group_sizes` matter in training only.
fn groups(tensors: &mut Tensors<'_>, values: &mut Fields, prefix: &str) -> Result<(), SaeError> {
    let why = "inference uses all groups";
    values.ignored(&format!("{prefix}group_sizes"), why);
    tensors.ignore(&["group_sizes"], why)
}

fn note_norms(parts: &Parts, report: &mut Report) {
    let norms = parts.decoder.norms();
    let off = norms.iter().filter(|&&norm| (norm - 1.0).abs() > UNIT).count();
    if off > 0 {
        let message = format!(
            "{off} of {} decoder rows have not unit norm; the library's own loader folds their norms into the encoder, which changes \
             latents by a factor each and no reconstruction",
            norms.len()
        );
        report.note(NoteKind::Caution, message);
    }
}

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<Parsed, SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut parsed = Parsed::default();
    parsed.report.configs.push(file.to_owned());
    let hint = "fetch the `config.json` that the library writes beside `ae.pt`";
    let Some(mut trainer) = fields.object("trainer", hint)? else {
        return Err(fields.missing("trainer", hint));
    };
    let name = trainer.string("dict_class", "which class it is", "add it, such as `AutoEncoderTopK`")?;
    let class = Class::NAMES.into_iter().find(|(known, _)| *known == name);
    let Some((_, class)) = class else {
        let known: Vec<&str> = Class::NAMES.iter().map(|(known, _)| *known).collect();
        let reason = "this program does not compute this class";
        return Err(trainer.refuse(
            "dict_class",
            &name.into(),
            reason,
            &format!("use one of {}", known.join(", ")),
        ));
    };
    parsed.class = Some(class);
    parsed.d_in = trainer.optional_positive("activation_dim", "width of the activations")?;
    parsed.d_sae = trainer.optional_positive("dict_size", "number of latents")?;
    parsed.k = trainer.optional_positive("k", "latents per row")?;
    let target = trainer.optional_number("target_l0", "the declared L0")?;
    let source = "field `trainer.target_l0` of `config.json`, the target of training";
    parsed.report.declared_l0 = target.map(|l0| Sourced::stated(l0, source));
    let model = trainer.optional_string("lm_name", "name of the model in reports; its own files decide")?;
    parsed.report.model = model.map(|name| Sourced::stated(name, "field `trainer.lm_name` of `config.json`"));
    hook(&mut trainer, &mut parsed.report)?;
    trainer.ignored(
        "norm_factor",
        "the biases and the threshold were multiplied with it before saving",
    );
    trainer.ignore(
        &[
            "trainer_class",
            "lr",
            "steps",
            "warmup_steps",
            "decay_start",
            "seed",
            "device",
            "wandb_name",
            "l1_penalty",
            "resample_steps",
            "sparsity_warmup_steps",
            "auxk_alpha",
            "threshold_beta",
            "threshold_start_step",
            "top_k_aux",
            "bandwidth",
            "sparsity_penalty",
            "group_fractions",
            "group_weights",
            "group_sizes",
            "sparsity_function",
            "p_start",
            "p_end",
            "anneal_start",
            "anneal_end",
            "initial_sparsity_penalty",
            "n_sparsity_updates",
        ],
        super::sae_lens::TRAINING_WHY,
    );
    fields.absorb(trainer.finish_tolerant());
    if let Some(buffer) = fields.object("buffer", "write an object, or remove it")? {
        fields.absorb(buffer.finish_ignoring("how training activations were collected"));
    }
    parsed.report.fields = fields.finish_tolerant();
    Ok(parsed)
}

/// The hook by layer and submodule.
fn hook(trainer: &mut Fields, report: &mut Report) -> Result<(), SaeError> {
    let layer = trainer.peek("layer").and_then(Value::as_u64);
    trainer.used("layer", "where activations are taken");
    let submodule = trainer.optional_string("submodule_name", "where activations are taken")?;
    let Some(layer) = layer else {
        report.note(NoteKind::Guess, "`trainer.layer` is no layer: the hook is unknown");
        return Ok(());
    };
    let name = |hook: &str| format!("blocks.{layer}.{hook}");
    let known = [
        ("resid_post", "hook_resid_post"),
        ("resid_pre", "hook_resid_pre"),
        ("attn", "hook_attn_out"),
        ("mlp", "hook_mlp_out"),
    ];
    let submodule = submodule.unwrap_or_default();
    let place = known.into_iter().find(|(word, _)| submodule.starts_with(word));
    report.hook_in = Some(match place {
        Some((_, hook)) => Sourced::stated(
            name(hook),
            format!("fields `trainer.layer` and `trainer.submodule_name` (`{submodule}`) of `config.json`"),
        ),
        None => Sourced::guessed(
            name("hook_resid_post"),
            "field `trainer.layer` of `config.json`; nothing names a place in it, and the library's examples use this one",
        ),
    });
    Ok(())
}
