//! The latents that stand for each letter: chosen on train rows, or given.
//!
//! Deliberately absent: choosing by cosine, and on test rows alone.

use std::path::Path;

use linear_probe::ksparse::{JUMP, KSparseProbe, main_latents, refit};
use linear_probe::metrics::score_class;
use linear_probe::sgd::{self, Start};
use linear_probe::{Labels, SparseRows};
use serde_json::Value;

use super::args::AbsorptionArgs;
use super::material::Material;
use crate::failure;
use crate::probe::input::{Labelled, Reading};

/// Main latents of one letter.
pub(super) struct Letter {
    pub(super) main: Vec<u32>,
    /// The regression on them; needs train rows.
    pub(super) k_sparse: Option<KSparse>,
}

/// The k-sparse probe on test rows.
pub(super) struct KSparse {
    /// F1; `None` without words of the letter.
    pub(super) f1: Option<f64>,
    /// Logits.
    pub(super) scores: Vec<f64>,
}

/// Main latents of every class.
pub(super) fn letters(args: &AbsorptionArgs, material: &Material) -> anyhow::Result<Vec<Letter>> {
    let given = args
        .main
        .as_deref()
        .map(|file| read(file, &material.names, material.sae.d_sae()))
        .transpose()?;
    let Some(source) = args.train() else {
        let given = given.unwrap_or_default();
        return Ok(given.into_iter().map(|main| Letter { main, k_sparse: None }).collect());
    };
    let train = Labelled::read(&source, Reading::Encoded(&material.sae))?;
    let labels = train.labels(material.classes(), "those of `--probe`")?;
    let refuse = |error: linear_probe::ProbeError| train.source.refuse(&error);
    let rows = train.sparse()?;
    let (indptr, index, value) = material.latents.arrays();
    let test = SparseRows::new(material.latents.width(), indptr, index, value)
        .map_err(|error| material.test.source.refuse(&error))?;
    let test_labels = material.test.labels(material.classes(), "those of `--probe`")?;
    let probes: Vec<KSparseProbe> = if let Some(given) = given {
        let fit = |(class, main): (usize, &Vec<u32>)| {
            let main: Vec<usize> = main.iter().map(|&latent| latent as usize).collect();
            refit(&rows.columns(&main)?, &main, &labels, class)
        };
        given
            .iter()
            .enumerate()
            .map(fit)
            .collect::<Result<_, _>>()
            .map_err(refuse)?
    } else {
        let ranking = sgd::train(rows.into(), &labels, &args.ranking(), Start::seeded(args.seed)).map_err(refuse)?;
        let (jump, look_ahead) = (args.jump.unwrap_or(JUMP), args.definition.look_ahead());
        let found = main_latents(&ranking.probe, (rows, &labels), (test, &test_labels), jump, look_ahead);
        found.map_err(refuse)?.into_iter().map(|found| found.probe).collect()
    };
    probes
        .iter()
        .enumerate()
        .map(|(class, probe)| of_probe(probe, class, test, &test_labels).map_err(refuse))
        .collect()
}

fn of_probe(
    probe: &KSparseProbe,
    class: usize,
    test: SparseRows<'_>,
    labels: &Labels,
) -> Result<Letter, linear_probe::ProbeError> {
    let columns = test.columns(&probe.latents)?;
    let scores: Vec<f64> = columns
        .chunks_exact(probe.latents.len())
        .map(|row| probe.score(row))
        .collect();
    let positive: Vec<bool> = labels.classes().iter().map(|&c| c == class).collect();
    Ok(Letter {
        main: probe.latents.iter().map(|&latent| latent as u32).collect(),
        k_sparse: Some(KSparse {
            f1: score_class(&scores, &positive, 0.0).map(|scores| scores.f1),
            scores,
        }),
    })
}

/// Reads `--main`.
fn read(file: &Path, names: &[String], width: usize) -> anyhow::Result<Vec<Vec<u32>>> {
    const HINT: &str =
        "hint: write {\"a\": [12, 5], ...}, {\"0\": [12, 5], ...} or a list with one list for each class";
    let refuse =
        |field: &str, what: &str| failure::input(format!("`--main {}`: {field}: {what}\n{HINT}", file.display()));
    let json = checkpoint::read_json_value(file)?;
    // What `bench probe --kind k-sparse` prints has them by class.
    let lists: Vec<(String, &Value)> = match (&json, json.get("per_class").and_then(Value::as_array)) {
        (_, Some(classes)) => classes
            .iter()
            .map(|class| (class["class"].to_string(), &class["main"]))
            .collect(),
        (Value::Object(by_name), _) => by_name.iter().map(|(name, list)| (name.clone(), list)).collect(),
        (Value::Array(by_class), _) => by_class
            .iter()
            .enumerate()
            .map(|(at, list)| (at.to_string(), list))
            .collect(),
        _ => return Err(refuse("the file", "it is neither an object nor a list")),
    };
    let mut main: Vec<Option<Vec<u32>>> = vec![None; names.len()];
    for (name, list) in lists {
        let field = format!("`{name}`");
        let class = names
            .iter()
            .position(|known| *known == name)
            .or_else(|| name.parse().ok());
        let Some(slot) = class.and_then(|class| main.get_mut(class)) else {
            return Err(refuse(
                &field,
                &format!("there is no such class; the probe has {}", names.len()),
            ));
        };
        if slot.is_some() {
            return Err(refuse(&field, "the class is listed twice"));
        }
        *slot = Some(latents(list, width).map_err(|what| refuse(&field, &what))?);
    }
    main.into_iter()
        .zip(names)
        .map(|(list, name)| list.ok_or_else(|| refuse(&format!("`{name}`"), "the class has no main latents")))
        .collect()
}

fn latents(list: &Value, width: usize) -> Result<Vec<u32>, String> {
    let list = list.as_array().ok_or("its latents are no list")?;
    let mut latents = Vec::with_capacity(list.len());
    for entry in list {
        let latent = entry.as_u64().ok_or_else(|| format!("{entry} is no latent"))?;
        if latent >= width as u64 {
            return Err(format!("latent {latent} is out of range, the SAE has {width}"));
        }
        if latents.contains(&(latent as u32)) {
            return Err(format!("latent {latent} is listed twice"));
        }
        latents.push(latent as u32);
    }
    if latents.is_empty() {
        return Err("it lists no latent".to_owned());
    }
    Ok(latents)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::latents;

    #[test]
    fn latents_are_checked() {
        assert_eq!(latents(&json!([3, 0]), 4), Ok(vec![3, 0]));
        for bad in [
            json!([4]),
            json!([-1]),
            json!([1, 1]),
            json!([]),
            json!(1),
            json!([0.5]),
        ] {
            assert!(latents(&bad, 4).is_err(), "{bad}");
        }
    }
}
