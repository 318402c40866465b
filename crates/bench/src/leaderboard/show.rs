//! The leaderboard's tables.

use std::collections::BTreeSet;

use report::{Cell, Column, Table};
use store::{Estimate, Record, Status};

use super::detectable::Detectable;
use super::{Found, LeaderboardArgs};
use crate::run::show::gap;
use crate::run::unit::{KS, RULES, one_latent};

/// Lines about what the table does not show.
pub(super) fn counts(found: &Found) -> Vec<String> {
    let line = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let lines = [
        line(
            found.failed,
            "record of a failed unit is left out.",
            "records of failed units are left out.",
        ),
        line(
            found.twice,
            "record was found again in another folder and is shown once.",
            "records were found again in other folders and are shown once.",
        ),
        line(
            found.unreadable,
            "record cannot be read (see the messages above).",
            "records cannot be read (see the messages above).",
        ),
    ];
    lines.into_iter().flatten().collect()
}

/// The rows of one metric version. `mixed`: whether there are tables of other versions.
pub(super) fn table(
    args: &LeaderboardArgs,
    found: &Found,
    (task, version): (&str, u32),
    records: &[&Record],
    detectable: &Detectable<'_>,
    mixed: bool,
) -> anyhow::Result<Table> {
    let mut columns = vec![
        Column::number("rank"),
        Column::text("SAE"),
        Column::text("model"),
        Column::text("site"),
        Column::text("architecture"),
        Column::number("width").with_help("latents"),
        Column::number("L0").with_help("active latents per word"),
        Column::higher("EV").with_help("explained variance on held-out words"),
        Column::higher("F1").with_help("of the best one-latent classifier (rule `probe`)"),
        Column::lower("absorbed")
            .with_help("SAEBench full absorption; low also for an SAE with no letter latent, so read it beside F1"),
    ];
    for rule in RULES {
        let help = match rule {
            "cosine" => {
                "share of the letter's computation that one latent per letter mediates, less its damage; latent nearest to the probe"
            }
            "probe" => "the same; best one-latent classifier on train words",
            "effect" => "the same; largest effect on train words",
            _ => "the same; best on the test words themselves, an upper bound and no fair score",
        };
        columns.push(Column::higher(&format!("M* {rule}")).with_help(help));
    }
    let largest = KS[KS.len() - 1];
    columns.push(Column::lower("k to match").with_help(format!(
        "latents per letter that half of the letters need for 0.9 of LEACE's MS with O <= 0.2; sets of up to {largest} were tried"
    )));
    columns.push(
        Column::higher("matched").with_help(format!("share of letters that match with at most {largest} latents")),
    );
    columns.push(Column::lower("gap").with_help("MS of LEACE less MS of one latent per letter (rule `probe`)"));
    columns.push(
        Column::text("most letters")
            .with_help("the cause that is named for most letters' gaps, and for how many letters"),
    );
    columns
        .push(Column::text("against best").with_help(format!("difference of `{}` to the first row", args.sort.name())));
    columns.push(Column::text("key").with_help("first digits of the record's identity; part of its file name"));
    columns.push(Column::text("status"));
    let version_named = if mixed {
        format!(", metric version {version}")
    } else {
        String::new()
    };
    let mut table = Table::new(format!("SAEs on {task}{version_named}"), columns);
    let shown = args.limit.map_or(records.len(), |n| records.len().min(n as usize));
    for (i, record) in records.iter().take(shown).enumerate() {
        let against = detectable.against_best(args.sort, records[0], record);
        table.push(row(i + 1, record, largest, against))?;
    }
    if shown < records.len() {
        table
            .notes
            .push(format!("{shown} of {} SAEs are shown (`--limit`).", records.len()));
    }
    table.notes.extend(references(found, version, &records[..shown]));
    table.notes.push(detectable.note());
    table
        .notes
        .push("A rank is no test: `bench compare A.json B.json` says whether two rows can be told apart.".to_owned());
    if records[..shown].iter().any(|record| record.status == Status::Limited) {
        table.notes.push(
            "Status `limited`: measured on fewer words than the task has (`--limit` of `bench run`); not to be quoted."
                .to_owned(),
        );
    }
    if mixed {
        table.notes.push(
            "Records of different metric versions or tasks stand in tables of their own: their numbers are not comparable."
                .to_owned(),
        );
    }
    Ok(table)
}

fn row(rank: usize, record: &Record, largest: usize, against: Cell) -> Vec<Cell> {
    let measured = |name: &str, digits: usize| Cell::estimate(record.summary.get(name), digits, "not measured");
    let spec = &record.spec;
    let sae = spec.sae.as_ref();
    let mut cells = vec![
        Cell::count(rank as u64),
        Cell::text(sae.map_or("", |sae| sae.id.as_str())),
        Cell::text(spec.model.id.as_str()),
        Cell::text(spec.site.hook.as_str()),
        Cell::text(sae.map_or("", |sae| sae.architecture.as_str())),
        Cell::count(sae.map_or(0, |sae| sae.width)),
        measured("sae/l0", 1),
        measured("sae/explained_variance", 2),
        measured("latent/f1", 2),
        measured("latent/full_absorption", 2),
    ];
    cells.extend(
        RULES
            .iter()
            .map(|rule| measured(&format!("{}/m_star", one_latent(rule)), 2)),
    );
    cells.push(match record.summary.get("k_to_match/median") {
        Some(median) => Cell::Number {
            value: median.value,
            digits: 0,
        },
        None if record.summary.contains_key("k_to_match/matched") => {
            Cell::Missing(format!("fewer than half of the letters match with {largest} latents"))
        }
        None => Cell::Missing("not measured".to_owned()),
    });
    cells.push(measured("k_to_match/matched", 2));
    cells.push(measured("gap/total", 2));
    cells.push(match gap::causes(record).split(", ").next() {
        None | Some("") => Cell::Missing("not measured".to_owned()),
        Some(cause) => Cell::text(cause),
    });
    cells.push(against);
    cells.push(Cell::text(record.key.short()));
    cells.push(Cell::text(match record.status {
        Status::Done => "done",
        Status::Limited => "limited",
        Status::Failed => "failed",
    }));
    cells
}

/// What the SAEs are held against: the linear edit of the same model, site and words.
fn references(found: &Found, version: u32, records: &[&Record]) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for direction in &found.directions {
        let spec = &direction.spec;
        let belongs = records.iter().any(|record| {
            let other = &record.spec;
            other.model == spec.model && other.site == spec.site && other.words_hash == spec.words_hash
        });
        let leace = direction.summary.get("leace-1/m_star");
        if let Some(Estimate { value, lo, hi, .. }) = leace.filter(|_| belongs && spec.metric_version == version) {
            lines.insert(format!(
                "For scale: LEACE, one linear direction per letter, has M* {} at {} of {}.",
                report::sentences::estimate(*value, *lo, *hi, 2),
                spec.site.hook,
                spec.model.id
            ));
        }
    }
    lines.into_iter().collect()
}
