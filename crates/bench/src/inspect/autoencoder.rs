//! What an autoencoder checkpoint is, field by field and tensor by tensor.

use std::path::Path;

use report::{Cell, Column, Table};
use sae::{Architecture, Identity, NoteKind, Reshape, Sae, Sourced, Verdict, l0_warning};

use super::InspectArgs;
use super::facts::{Facts, fields};
use super::measure::{Measurement, measure};

/// Farthest that a decoder norm may be from 1 to count as 1: bfloat16 keeps 8 significant bits, so
/// rounding moves each entry, and with it the norm, by at most a relative 2^-8.
const UNIT: f32 = 1.0 / 256.0;

/// The tables of an autoencoder.
pub(super) fn autoencoder(args: &InspectArgs, path: &Path) -> anyhow::Result<Vec<Table>> {
    let sae = args.open.open(path)?;
    let Some(identity) = sae.identity() else {
        return Err(crate::failure::input(format!(
            "`{}` says nothing of itself",
            path.display()
        )));
    };
    let measurement = measure(args, &sae)?;
    let mut facts = Facts::new(format!("Sparse autoencoder `{}`", path.display()));
    what_it_is(&mut facts, &sae, identity)?;
    numbers(&mut facts, path, &sae, identity, measurement.as_ref())?;
    let mut tables = vec![facts.table];
    if let Some(notes) = notes(identity, measurement.as_ref())? {
        tables.push(notes);
    }
    let rows = identity.fields.iter().map(|field| {
        let (verdict, why) = said(&field.verdict);
        (field.field.clone(), field.value.clone(), verdict, why)
    });
    tables.push(fields("Fields of its configuration", rows)?);
    tables.push(tensors(identity)?);
    Ok(tables)
}

fn said(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Used(how) => ("used", how.clone()),
        Verdict::Ignored(why) => ("ignored", why.clone()),
        Verdict::Unknown => (
            "unknown",
            "its own reader skips fields that it does not know".to_owned(),
        ),
    }
}

fn sourced<T: std::fmt::Display>(value: Option<&Sourced<T>>) -> Cell {
    match value {
        None => Cell::Missing("its files do not say".to_owned()),
        Some(found) => {
            let guess = if found.guess { "guess from " } else { "" };
            Cell::text(format!("{} ({guess}{})", found.value, found.source))
        }
    }
}

fn computes(architecture: Architecture) -> String {
    match architecture {
        Architecture::Standard => "standard: relu".to_owned(),
        Architecture::JumpRelu => "jumprelu: above a threshold of its own, per latent".to_owned(),
        Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: false,
        } => format!("topk: the {k} largest"),
        Architecture::TopK { k, .. } => format!("topk: the {k} largest after multiplying with decoder norms"),
        Architecture::AbsTopK { k, .. } => format!("abstopk: the {k} of largest magnitude, with their sign"),
        Architecture::Gated => "gated: a magnitude where a gate of its own is open, per latent".to_owned(),
        Architecture::GroupMax { groups } => format!("groupmax: the largest of each of {groups} groups"),
    }
}

fn what_it_is(facts: &mut Facts, sae: &Sae, identity: &Identity) -> anyhow::Result<()> {
    let version = identity
        .version
        .as_deref()
        .map_or_else(String::new, |v| format!(", version {v}"));
    facts.text("format", format!("{}{version}", identity.format))?;
    let files: Vec<String> = identity
        .files
        .iter()
        .map(|file| {
            file.file_name()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    facts.text("files", files.join(", "))?;
    facts.text("architecture", computes(identity.architecture))?;
    let trained = sae.config().metadata.training_architecture();
    facts.cell(
        "trained as",
        trained.map_or_else(|| Cell::Missing("its files do not say".to_owned()), Cell::text),
    )?;
    facts.text(
        "input",
        format!(
            "{}; normalisation {}; decoder bias {}",
            match identity.reshape_activations {
                Reshape::None => format!("rows of {}", identity.d_in),
                Reshape::HookZ => format!("heads side by side, rows of {}", identity.d_in),
            },
            sae.config().normalize_activations.name(),
            if sae.config().apply_b_dec_to_input {
                "subtracted first"
            } else {
                "not subtracted"
            }
        ),
    )?;
    let output = identity.output;
    facts.text(
        "output",
        match (output.transcoder, output.skip) {
            (false, _) => "the input, reconstructed".to_owned(),
            (true, false) => format!("another hook's activations, rows of {}", output.d_out),
            (true, true) => format!(
                "another hook's activations, rows of {}, with a linear skip",
                output.d_out
            ),
        },
    )?;
    facts.count("latents", identity.d_sae)?;
    facts.cell("model", sourced(identity.model.as_ref()))?;
    facts.cell("hook", sourced(identity.hook_in.as_ref()))?;
    if output.transcoder {
        facts.cell("output hook", sourced(identity.hook_out.as_ref()))?;
    }
    Ok(())
}

fn numbers(
    facts: &mut Facts,
    path: &Path,
    sae: &Sae,
    identity: &Identity,
    measurement: Option<&Measurement>,
) -> anyhow::Result<()> {
    facts.cell("declared L0", sourced(identity.declared_l0.as_ref()))?;
    if let Some(Measurement { measured, on }) = measurement {
        let number = |value: Option<f64>| {
            value.map_or_else(
                || Cell::Missing("nothing to compare with: give `--target`".to_owned()),
                |value| Cell::Number { value, digits: 3 },
            )
        };
        facts.text("measured on", on.as_str())?;
        let (value, digits) = (measured.l0, 1);
        facts.cell("measured L0", Cell::Number { value, digits })?;
        facts.cell("explained variance", number(measured.explained_variance))?;
        facts.cell("dead latents, share", number(Some(measured.dead_share)))?;
    } else {
        let log = checkpoint::read_json_value(&path.join("train_log.json")).ok();
        let logged = log.as_ref().and_then(|log| log.get("on_words")?.get("l0")?.as_f64());
        facts.cell(
            "measured L0",
            logged.map_or_else(
                || Cell::Missing("give `--acts FILE` or `--model MODEL`".to_owned()),
                |value| Cell::text(format!("{value:.1} on vocabulary words, by its train_log.json")),
            ),
        )?;
    }
    let thresholds = sae.thresholds().map_or_else(|| "none".to_owned(), range);
    facts.text("thresholds", thresholds)?;
    let norms = sae.decoder_norms();
    facts.text("decoder norms", range(&norms))?;
    let off = norms.iter().filter(|&&norm| (norm - 1.0).abs() > UNIT).count();
    let fold = match (off, sae.fold_decoder_norms()) {
        (0, _) => "yes".to_owned(),
        (_, Ok(_)) => format!(
            "no, {off} of {}; norms are folded into the latents before use",
            norms.len()
        ),
        (_, Err(_)) => format!(
            "no, {off} of {}; they cannot be folded under this selection, so activations of its latents are not comparable",
            norms.len()
        ),
    };
    facts.text("unit decoder rows", fold)?;
    facts.text("content hash", sae.content_hash())
}

/// What a reader must know; none where there is nothing.
fn notes(identity: &Identity, measurement: Option<&Measurement>) -> anyhow::Result<Option<Table>> {
    let mut table = Table::new("Notes", vec![Column::text("kind"), Column::text("note")]);
    for note in &identity.notes {
        let kind = match note.kind {
            NoteKind::Guess => "guess",
            NoteKind::Changed => "changed",
            NoteKind::MissingFactor => "missing factor",
            NoteKind::Caution => "caution",
        };
        table.push(vec![Cell::text(kind), Cell::text(note.message.as_str())])?;
    }
    let found = measurement.and_then(|m| l0_warning(identity.declared_l0()?, m.measured.l0));
    if let Some(found) = found {
        eprintln!("warning: {found}");
        table.push(vec![Cell::text("warning"), Cell::text(found.to_string())])?;
    }
    let empty = identity.notes.is_empty() && found.is_none();
    Ok((!empty).then_some(table))
}

fn tensors(identity: &Identity) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("tensor"),
        Column::text("dtype"),
        Column::text("shape"),
        Column::text("verdict"),
        Column::text("how, or why not"),
    ];
    let mut table = Table::new("Tensors", columns);
    for tensor in &identity.tensors {
        let (verdict, why) = said(&tensor.verdict);
        table.push(vec![
            Cell::text(tensor.name.as_str()),
            Cell::text(tensor.dtype.as_str()),
            Cell::text(format!("{:?}", tensor.shape)),
            Cell::text(verdict),
            Cell::text(why),
        ])?;
    }
    Ok(table)
}

fn range(values: &[f32]) -> String {
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len().max(1) as f64;
    format!("{lowest:.4} to {highest:.4}, mean {mean:.4}")
}
