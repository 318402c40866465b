//! The figures of a run, drawn from its records: `bench run --figures DIR`.
//!
//! Deliberately absent: any measurement. A figure shows what the records hold; what they do not hold is not drawn, and the caller
//! names the files that were.

mod dose;
mod forest;
mod k_curve;

use std::path::Path;

use store::Record;

use crate::run::show::gap;
use crate::run::unit::one_latent;

/// Draws every figure that the records have the numbers for. Returns the names of the files.
pub(crate) fn write(dir: &Path, reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<String>> {
    fs_err::create_dir_all(dir)?;
    let mut written = Vec::new();
    let mut put = |name: String, svg: String| -> anyhow::Result<()> {
        store::write_atomic(&dir.join(&name), svg.as_bytes())?;
        written.push(name);
        Ok(())
    };
    put("arms.svg".to_owned(), forest::arms(reference, saes))?;
    if let Some(svg) = k_curve::k_curve(reference, saes) {
        put("k-curve.svg".to_owned(), svg)?;
    }
    let best = saes.iter().copied().max_by(|a, b| headline(a).total_cmp(&headline(b)));
    let shown: Vec<&Record> = std::iter::once(reference).chain(best).collect();
    if let Some(svg) = dose::dose_curves(&shown) {
        put("dose.svg".to_owned(), svg)?;
    }
    for sae in saes {
        if let Some(figure) = gap::waterfall(sae) {
            put(format!("gap-{}.svg", file_name(id(sae))), figure.to_svg())?;
        }
        if sae.summary.contains_key("detect/predicted_ratio") {
            let figure = report::predicted_and_observed(sae);
            put(format!("predicted-{}.svg", file_name(id(sae))), figure.to_svg())?;
        }
    }
    Ok(written)
}

/// A name with what file systems take only.
fn file_name(id: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    id.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// The score that orders SAEs: M* of the one-latent classifiers.
fn headline(record: &Record) -> f64 {
    let key = format!("{}/m_star", one_latent("probe"));
    record.summary.get(&key).map_or(f64::NEG_INFINITY, |e| e.value)
}

/// Name of a record's SAE.
fn id(record: &Record) -> &str {
    record.spec.sae.as_ref().map_or("directions", |sae| sae.id.as_str())
}
