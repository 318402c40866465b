//! The same arms at other sets of positions, each against its own ceiling.

use std::collections::BTreeMap;

use ablation::side::positions::{PositionSet, Span, sets, site_share, span_latents};
use ablation::{Arm, Bench, Captured, ClassScore, score};
use store::{Estimate, TableRow};

use super::sae::OfSae;
use super::{Lab, Unit, one_latent};
use crate::run::side::SideStages;
use crate::run::summary::{Summary, macro_estimate};

/// The ceiling and LEACE at every set.
pub(super) fn directions(lab: Lab<'_>, side: &SideStages<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    at_every_set(lab, side, &mut unit.summary, |set, _, bench| {
        let full = side.fits.full_site(set);
        let shares: Vec<f64> = site_share(bench).into_iter().flatten().collect();
        let mut ceiling = row(bench, set, &full, None)?;
        let varying = side
            .fits
            .varying()
            .into_iter()
            .filter(|p| set.positions.contains(p))
            .count();
        ceiling.values.insert(
            "varying".to_owned(),
            Estimate::point(varying as f64, set.positions.len() as u64, "positions"),
        );
        if !shares.is_empty() {
            ceiling
                .values
                .insert("site_share".to_owned(), macro_estimate(&shares, "share"));
        }
        Ok(vec![ceiling, row(bench, set, &side.fits.leace_1(set), None)?])
    })
}

/// One latent per letter, as chosen at the word, at every set.
pub(super) fn of_sae(lab: Lab<'_>, side: &SideStages<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    at_every_set(lab, side, &mut unit.summary, |set, span, bench| {
        let arm = side.fits.sae_arm(of.sae, &one_latent("probe"), &of.by_probe(), set)?;
        let latents = span_latents(of.sae, span);
        Ok(vec![row(bench, set, &arm, Some(&latents))?])
    })
}

fn at_every_set(
    lab: Lab<'_>,
    side: &SideStages<'_>,
    summary: &mut Summary,
    measure: impl Fn(&PositionSet, &Span<'_>, &Bench<'_>) -> anyhow::Result<Vec<TableRow>>,
) -> anyhow::Result<()> {
    let site = lab.site;
    let captured = Captured {
        stage: &lab.stages.test,
        capture: &site.scored,
    };
    let mut done: Vec<(PositionSet, Vec<TableRow>)> = Vec::new();
    for set in sets(site.scored.positions()) {
        // For words of one token two sets are the same: measured once, said twice.
        let same = done.iter().find(|(other, _)| other.positions == set.positions);
        let rows = if let Some((_, rows)) = same {
            rows.iter().map(|row| renamed(row, set.name)).collect()
        } else {
            let span = Span {
                captured,
                positions: set.positions.clone(),
            };
            let bench = Bench::new(
                &span,
                lab.bench.letters().to_vec(),
                site.scored_class.clone(),
                site.pairs.clone(),
                site.donors.clone(),
                &side.fits.full_site(&set),
            )?;
            measure(&set, &span, &bench)?
        };
        done.push((set, rows));
    }
    let rows = done.into_iter().flat_map(|(_, rows)| rows);
    summary.tables.insert("positions".to_owned(), rows.collect());
    Ok(())
}

fn renamed(row: &TableRow, set: &str) -> TableRow {
    let mut row = row.clone();
    row.at.insert("set".to_owned(), set.to_owned());
    row
}

/// One number of a letter's score.
type Field = fn(&ClassScore) -> f64;

/// Scores of an arm at a set: mean over the letters that have a ceiling there, and how many these are.
fn row(
    bench: &Bench<'_>,
    set: &PositionSet,
    arm: &Arm,
    latents: Option<&::sae::SparseLatents>,
) -> anyhow::Result<TableRow> {
    let measured = bench.measure(arm, latents, false)?;
    let scored = score(&bench.rows(&measured, |row| row.to_string()))?;
    let of: [(&str, Field); 3] = [("ms", |s| s.ms), ("o_mean", |s| s.o_mean), ("m_star", |s| s.m_star)];
    let mut values = BTreeMap::new();
    let letters = scored.letters.len() as u64;
    values.insert(
        "letters".to_owned(),
        Estimate::point(letters as f64, bench.letters().len() as u64, "letters"),
    );
    if letters > 0 {
        for (metric, field) in of {
            let column: Vec<f64> = scored.letters.values().map(field).collect();
            values.insert(metric.to_owned(), macro_estimate(&column, "share"));
        }
    }
    let at = [("set", set.name), ("arm", arm.name.as_str())];
    Ok(TableRow {
        at: at.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        values,
    })
}
