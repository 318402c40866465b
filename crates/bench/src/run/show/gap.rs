//! Why each SAE falls short: the parts of its gap, and the causes named for its letters.

use std::collections::BTreeMap;

use report::svg::{Bar, Step, Waterfall};
use report::{Cell, Column, Table};
use store::{Estimate, Record};

/// Parts of a gap in the order of the table: key, column, help.
const PARTS: [(&str, &str, &str); 6] = [
    ("split", "splitting", "in latents of sub-classes of the letter"),
    (
        "absorb",
        "absorption",
        "in latents of single words or few, where the letter's latent carries less than half",
    ),
    (
        "threshold",
        "threshold",
        "what silent letter latents would add without threshold or top-k cut",
    ),
    ("dark", "dark", "in no latent: the SAE's error holds it"),
    (
        "diffuse",
        "diffuse",
        "in latents that are not the letter's own: not precise, or writing little of the letter each",
    ),
    (
        "write",
        "write",
        "what is read and lost, because the decoder row is not what the letter needs; below 0 it writes better than LEACE",
    ),
];

/// One row per SAE; for a single SAE also one per letter.
pub(super) fn tables(saes: &[&Record]) -> anyhow::Result<Vec<Table>> {
    let measured: Vec<&&Record> = saes
        .iter()
        .filter(|sae| sae.summary.contains_key("gap/total"))
        .collect();
    if measured.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = vec![panel(&measured)?];
    if let [sae] = saes {
        all.push(letters(sae)?);
    }
    Ok(all)
}

fn panel(saes: &[&&Record]) -> anyhow::Result<Table> {
    let mut columns = vec![
        Column::text("SAE"),
        Column::lower("gap").with_help("MS of leace-1 less MS of one latent per letter (rule probe)"),
    ];
    columns.extend(PARTS.map(|(_, name, help)| Column::number(name).with_help(help)));
    columns.push(Column::number("shared").with_help(
        "part of `diffuse` that is in latents which fire on many words of the letter and on others as well",
    ));
    columns.push(Column::number("ceiling").with_help("1 - MS of leace-1: not part of the gap"));
    columns.push(Column::text("causes").with_help("largest part of each letter's gap, with the number of letters"));
    let mut table = Table::new("Why each SAE falls short: parts of its gap to leace-1", columns);
    for sae in saes {
        let mut row = vec![
            Cell::text(id(sae)),
            Cell::estimate(sae.summary.get("gap/total"), 2, "not measured"),
        ];
        row.extend(
            PARTS
                .iter()
                .map(|(key, _, _)| key)
                .chain(&["shared", "ceiling"])
                .map(|key| match sae.summary.get(&format!("gap/{key}")) {
                    Some(Estimate { value, .. }) => Cell::Number {
                        value: *value,
                        digits: 2,
                    },
                    None => Cell::Missing("not measured".to_owned()),
                }),
        );
        row.push(Cell::text(causes(sae)));
        table.push(row)?;
    }
    table.notes.push(
        "The parts sum to the gap. Intervals of all parts and every letter's diagnosis with its evidence are in the records (tables gap, diagnosis)."
            .to_owned(),
    );
    Ok(table)
}

fn letters(sae: &Record) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("letter"),
        Column::lower("gap"),
        Column::text("cause"),
        Column::text("clear")
            .with_help("whether the cause stays ahead of the second in 95 % of draws of the letter's words"),
        Column::text("evidence"),
    ];
    let mut table = Table::new(format!("Diagnosis of {}, letter by letter", id(sae)), columns);
    for row in sae.tables.get("diagnosis").into_iter().flatten() {
        let text = |name: &str| Cell::text(row.at.get(name).map_or("", String::as_str));
        let gap = match row.values.get("gap") {
            Some(gap) => Cell::Number {
                value: gap.value,
                digits: 2,
            },
            None => Cell::Missing("not measured".to_owned()),
        };
        table.push(vec![
            text("letter"),
            gap,
            text("cause"),
            text("clear"),
            text("evidence"),
        ])?;
    }
    Ok(table)
}

/// `absorption 11, splitting 6`: letters by named cause, the most frequent first.
pub(crate) fn causes(sae: &Record) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in sae.tables.get("diagnosis").into_iter().flatten() {
        if let Some(cause) = row.at.get("cause") {
            *counts.entry(cause).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let named = counts.iter().map(|(cause, n)| format!("{cause} {n}"));
    named.collect::<Vec<_>>().join(", ")
}

/// The gap of an SAE cause by cause; none where it was not measured.
pub(crate) fn waterfall(sae: &Record) -> Option<Waterfall> {
    let bar = |e: &Estimate| Bar {
        value: e.value,
        lo: e.lo,
        hi: e.hi,
    };
    let estimate = |key: &str| sae.summary.get(&format!("gap/{key}"));
    let step = |label: &str, e: &Estimate| Step {
        label: label.to_owned(),
        bar: bar(e),
    };
    let (gap, ceiling) = (estimate("total")?, estimate("ceiling")?);
    // `1 - ceiling` with its interval turned round; the steps have to start where the parts do.
    let reference = Bar {
        value: 1.0 - ceiling.value,
        lo: ceiling.hi.map(|hi| 1.0 - hi),
        hi: ceiling.lo.map(|lo| 1.0 - lo),
    };
    let steps = PARTS
        .iter()
        .filter_map(|(key, name, _)| Some(step(name, estimate(key)?)));
    let main = sae.summary.get("sae:k=1:probe/ms")?;
    Some(Waterfall {
        title: format!("Why {} falls short of leace-1", id(sae)),
        note: format!(
            "Mediated share of the reference, what each cause takes, and what one latent per letter is left with; means and 95 % intervals over {} letters.",
            gap.n
        ),
        axis: "mediated share".to_owned(),
        from: Step {
            label: "leace-1".to_owned(),
            bar: reference,
        },
        steps: steps.collect(),
        to: Step {
            label: "one latent per letter".to_owned(),
            bar: Bar {
                value: reference.value - gap.value,
                ..bar(main)
            },
        },
        digits: 2,
    })
}

/// Where the gap of an SAE went, in a sentence.
pub(super) fn sentence(sae: &Record) -> Option<String> {
    const TOLD: usize = 3;
    let estimate = |key: &str| sae.summary.get(&format!("gap/{key}"));
    let gap = estimate("total")?;
    let mut parts: Vec<(&str, &Estimate)> = PARTS
        .iter()
        .filter_map(|(key, name, _)| Some((*name, estimate(key)?)))
        .filter(|(_, part)| part.value >= 0.005)
        .collect();
    parts.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let text = |e: &Estimate| report::sentences::estimate(e.value, e.lo, e.hi, 2);
    let told: Vec<String> = parts
        .iter()
        .take(TOLD)
        .map(|(name, part)| format!("{name} {}", text(part)))
        .collect();
    if told.is_empty() {
        return None;
    }
    Some(format!(
        "In mediated share `{}` is {} short of `leace-1`; the largest parts: {}. Letters by cause: {}.",
        id(sae),
        text(gap),
        told.join(", "),
        causes(sae)
    ))
}

fn id(sae: &Record) -> &str {
    sae.spec.sae.as_ref().map_or("", |s| s.id.as_str())
}
