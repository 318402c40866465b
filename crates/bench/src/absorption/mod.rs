//! `bench absorption`: every published absorption score of an SAE, from given tensors.
//!
//! No model is run: activations, a probe and, for the causal definition, effects come from files, so that another program's
//! numbers can be scored and checked. Deliberately absent: the run from prompt to score (`bench paper`), and a result in any
//! definition without its name.

mod args;
mod chanin;
mod main_latents;
mod material;
mod projection;
mod saebench;

use report::Column;
use serde_json::{Value, json};

pub(crate) use args::AbsorptionArgs;
use args::Definition;
use material::Material;

use crate::failure;
use crate::probe::show::{check_out, emit, table};

/// What a definition says.
struct Outcome {
    /// Whether the score may be compared.
    valid: bool,
    /// Why, or why not.
    mark: Value,
    settings: Value,
    /// Means over the letters that count.
    mean: Value,
    /// Standard deviations over them: how letters differ, not how certain the mean is.
    sd: Value,
    companions: Value,
    letters: Vec<Value>,
    /// Columns of the table of letters.
    columns: Vec<(&'static str, Column)>,
}

/// Runs the command.
pub(crate) fn absorption(args: &AbsorptionArgs) -> anyhow::Result<u8> {
    args.check()?;
    if let Some(out) = &args.out {
        check_out(out, &args.inputs())?;
    }
    let material = Material::read(args)?;
    eprintln!(
        "{} test rows, {} classes, {} latents{}",
        material.test.n(),
        material.classes(),
        material.sae.d_sae(),
        if material.folded { ", decoder norms folded" } else { "" }
    );
    let letters = main_latents::letters(args, &material)?;
    let outcome = match args.definition {
        Definition::Saebench0_3_2 | Definition::Saebench0_6 => saebench::score(args, &material, &letters)?,
        Definition::ChaninProjection => projection::score(args, &material, &letters)?,
        Definition::Chanin => chanin::score(args, &material, &letters)?,
    };
    let mut result = json!({
        "definition": args.definition.name(),
        "valid": outcome.valid,
        "mark": outcome.mark,
        "mean": outcome.mean,
        "sd": outcome.sd,
        "companions": outcome.companions,
        "letters": outcome.letters,
        "settings": outcome.settings,
        "main_latents": main_facts(args),
        "seed": args.seed,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let (Some(result), Value::Object(facts)) = (result.as_object_mut(), material.facts) {
        result.extend(facts);
    }
    if !outcome.valid {
        eprintln!("warning: this score is not valid: {}", outcome.mark);
    }
    if let Some(out) = &args.out {
        checkpoint::write::atomic(out, format!("{result:#}\n").as_bytes())?;
        eprintln!("wrote {}", out.display());
    }
    emit(&result, args.format, || {
        let title = format!("Absorption as of {}", args.definition.name());
        let mut table = table(
            title,
            result["letters"].as_array().map_or(&[], Vec::as_slice),
            outcome.columns,
        )?;
        table
            .notes
            .push(format!("mean over letters: {}", sentence(&result["mean"])));
        table
            .notes
            .push(format!("beside it: {}", sentence(&result["companions"])));
        if !outcome.valid {
            table.notes.push(format!("not valid: {}", outcome.mark));
        }
        Ok(vec![table])
    })?;
    Ok(failure::DONE)
}

/// Where main latents are from.
fn main_facts(args: &AbsorptionArgs) -> Value {
    let train = args
        .train()
        .map(|train| json!({ "file": train.file, "x": train.x, "y": train.y }));
    match &args.main {
        Some(file) => json!({ "from": "given", "file": file, "train": train }),
        None => json!({
            "from": "k-sparse probing",
            "train": train,
            "ranking": args.ranking(),
            "jump": args.jump.unwrap_or(linear_probe::ksparse::JUMP),
            "look_ahead": args.definition.look_ahead(),
        }),
    }
}

/// The fields of an object as words.
fn sentence(fields: &Value) -> String {
    let each = |(name, value): (&String, &Value)| {
        let name = name.replace('_', " ");
        match value {
            Value::Null => format!("{name} not known"),
            Value::Number(number) if !number.is_u64() => format!("{name} {:.3}", number.as_f64().unwrap_or(f64::NAN)),
            other => format!("{name} {other}"),
        }
    };
    fields
        .as_object()
        .map(|fields| fields.iter().map(each).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}
