//! The figures of a run, drawn from its records: `bench run --figures DIR`.
//!
//! Deliberately absent: any measurement. A figure shows what the records hold; what they do not hold is not drawn, and the caller
//! says so.

mod forest;
mod k_curve;

use std::path::Path;

use store::Record;

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
    Ok(written)
}

/// Name of a record's SAE.
fn id(record: &Record) -> &str {
    record.spec.sae.as_ref().map_or("directions", |sae| sae.id.as_str())
}
