//! Differences and verdicts as tables.

use report::{Cell, Column, Format, Table};

use super::delta::{Delta, tests};
use super::input::Pair;
use super::verdict::verdict;

/// Which columns name the pair: none where there is one pair and its names stand in the title, so that lines fit a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    InTitle,
    InColumns,
}

impl Names {
    /// Programs get the same columns whatever the number of pairs.
    pub(super) fn of(format: Format, pairs: &[Pair<'_>]) -> Self {
        if format == Format::Term && pairs.len() == 1 {
            Self::InTitle
        } else {
            Self::InColumns
        }
    }

    fn columns(self) -> Vec<Column> {
        match self {
            Self::InTitle => Vec::new(),
            Self::InColumns => vec![Column::text("compared"), Column::text("reference")],
        }
    }

    fn cells(self, pair: &Pair<'_>) -> Vec<Cell> {
        match self {
            Self::InTitle => Vec::new(),
            Self::InColumns => [&pair.compared, &pair.reference]
                .map(|subject| Cell::text(subject.name.as_str()))
                .to_vec(),
        }
    }

    fn title(self, what: &str, pairs: &[Pair<'_>]) -> String {
        match (self, pairs) {
            (Self::InTitle, [pair]) => format!("{what}: {} against {}", pair.compared.name, pair.reference.name),
            _ => what.to_owned(),
        }
    }
}

/// One row for each metric of each pair.
pub(super) fn differences(pairs: &[Pair<'_>], deltas: &[Vec<Delta>], names: Names) -> anyhow::Result<Table> {
    let mut columns = names.columns();
    columns.extend([
        Column::text("metric").with_help(meanings(deltas)),
        Column::text("better").with_help("the direction that is better"),
        Column::number("reference mean"),
        Column::number("compared mean"),
        Column::number("difference")
            .with_help("compared - reference, paired by letter, with its 95 % interval (t over letters)"),
        Column::number("p").with_help("paired sign flips over letters"),
        Column::number("q").with_help("p after the Benjamini-Hochberg correction for all tests of this table"),
        Column::number("detectable")
            .with_help("smallest true difference that four of five such comparisons would find (p < 0.05)"),
        Column::number("letters"),
    ]);
    let title = names.title(&format!("Paired differences, {}", arms_of(pairs)), pairs);
    let mut table = Table::new(title, columns);
    for (pair, deltas) in pairs.iter().zip(deltas) {
        for delta in deltas.iter().filter(|delta| delta.found.is_some() || delta.one_sided) {
            table.push(row(names.cells(pair), delta))?;
        }
    }
    let detection: Vec<&str> = ["f1", "absorbed"]
        .into_iter()
        .filter(|name| deltas.iter().flatten().any(|delta| delta.metric.name == *name))
        .collect();
    if !detection.is_empty() {
        table.notes.push(format!(
            "{}: of the latent of rule `probe` as a detector of its letter (without an SAE: of the dense probe), whatever the arm.",
            detection.join(", ")
        ));
    }
    let mut left_out: Vec<char> = tests(deltas).flat_map(|found| found.left_out.iter().copied()).collect();
    left_out.sort_unstable();
    left_out.dedup();
    if !left_out.is_empty() {
        let letters: Vec<String> = left_out.iter().map(char::to_string).collect();
        table.notes.push(format!(
            "Letters that only one side has a value for are left out of that metric: {}.",
            letters.join(", ")
        ));
    }
    table.notes.push(
        "The letter is the unit: intervals and tests speak about these SAEs, not about training runs of their recipes, which would need several SAEs of each."
            .to_owned(),
    );
    Ok(table)
}

/// The arms that are compared, each once, in words.
pub(super) fn arms_of(pairs: &[Pair<'_>]) -> String {
    let mut arms: Vec<&str> = pairs
        .iter()
        .flat_map(|pair| [pair.reference.arm.as_str(), pair.compared.arm.as_str()])
        .collect();
    arms.sort_unstable();
    arms.dedup();
    match arms.as_slice() {
        [one] => format!("arm {one}"),
        several => format!("arms {}", several.join(" and ")),
    }
}

/// What the metrics that are shown mean.
fn meanings(deltas: &[Vec<Delta>]) -> String {
    let mut words: Vec<String> = Vec::new();
    for delta in deltas.iter().flatten().filter(|delta| delta.found.is_some()) {
        let meaning = format!("{} {}", delta.metric.name, delta.metric.meaning);
        if !words.contains(&meaning) {
            words.push(meaning);
        }
    }
    words.join("; ")
}

fn row(mut cells: Vec<Cell>, delta: &Delta) -> Vec<Cell> {
    let metric = delta.metric;
    let better = match metric.higher_is_better {
        Some(true) => "higher",
        Some(false) => "lower",
        None => "",
    };
    cells.extend([Cell::text(metric.name), Cell::text(better)]);
    let Some(found) = &delta.found else {
        let reason = "measured on one side only, or for no common letter";
        cells.extend((0..7).map(|_| Cell::Missing(reason.to_owned())));
        return cells;
    };
    let number = |value: Option<f64>, digits: usize| match value {
        Some(value) => Cell::Number { value, digits },
        None if found.constant => Cell::Missing("all letters have the same difference".to_owned()),
        None => Cell::Missing(format!("needs at least {} letters", stats::MIN_LETTERS)),
    };
    let (lo, hi) = found.interval.unzip();
    cells.extend([
        number(Some(found.reference), 3),
        number(Some(found.compared), 3),
        Cell::Estimate {
            value: found.value,
            lo,
            hi,
            digits: 3,
        },
        number(found.p, 5),
        number(found.q, 5),
        number(found.detectable, 3),
        Cell::count(found.letters as u64),
    ]);
    cells
}

/// One verdict for each pair.
pub(super) fn verdicts(pairs: &[Pair<'_>], deltas: &[Vec<Delta>], names: Names) -> anyhow::Result<Table> {
    let mut columns = names.columns();
    columns.push(Column::text("verdict"));
    let title = if pairs.len() == 1 { "Verdict" } else { "Verdicts" };
    let mut table = Table::new(title, columns);
    let family = tests(deltas).filter(|found| found.p.is_some()).count();
    for (pair, deltas) in pairs.iter().zip(deltas) {
        let mut cells = names.cells(pair);
        cells.push(Cell::text(verdict(pair, deltas, family)));
        table.push(cells)?;
    }
    Ok(table)
}
