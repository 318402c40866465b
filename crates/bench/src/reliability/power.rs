//! What a paired comparison over letters can find.

use report::{Cell, Column, Table};
use stats::{DEFAULT_LEVEL, PairedDesign, power_table};
use store::Record;

use crate::run::summary::by_letter;

/// Score whose spread between letters is taken from the panel.
const ARM: &str = "sae:k=1:probe";
/// Standard deviations of paired differences that are tabled beside the panel's own.
const SDS: [f64; 4] = [0.05, 0.10, 0.15, 0.23];

/// Smallest differences of M* that a paired test over letters finds, for the panel's spread and for round ones.
pub(super) fn table(saes: &[Record]) -> anyhow::Result<Option<Table>> {
    let scores: Vec<_> = saes
        .iter()
        .map(|record| by_letter(&record.letters, ARM, "m_star"))
        .collect();
    let mut spreads = Vec::new();
    let mut letters = usize::MAX;
    for (i, a) in scores.iter().enumerate() {
        for b in &scores[i + 1..] {
            let d: Vec<f64> = a.iter().filter_map(|(letter, x)| Some(x - b.get(letter)?)).collect();
            letters = letters.min(d.len());
            spreads.extend(stats::sd(&d).ok());
        }
    }
    let Ok(own) = stats::quantile(&spreads, 0.5) else {
        return Ok(None);
    };
    let mut sds = vec![own];
    sds.extend(SDS);
    let base = PairedDesign {
        letters,
        difference_sd: own,
        // The spread is that of observed differences, noise of words included.
        word_sd: 0.0,
        words: 1,
        sae_seeds: None,
        level: DEFAULT_LEVEL,
    };
    let columns = vec![
        Column::number("SD of paired differences").with_help("over letters, of M* of two SAEs"),
        Column::number("found 4 times of 5").with_help("true difference that a test at .05 finds with probability .8"),
        Column::number("found 19 times of 20").with_help("the same with probability .95"),
    ];
    let mut table = Table::new(
        format!("What a paired comparison over {letters} letters can find"),
        columns,
    );
    let rows = match power_table(&base, &[letters], &sds) {
        Ok(rows) => rows,
        Err(error) => {
            table.notes.push(format!("Nothing can be said: {error}."));
            return Ok(Some(table));
        }
    };
    for row in rows {
        let number = |value: f64| Cell::Number { value, digits: 3 };
        table.push(vec![
            number(row.design.difference_sd),
            number(row.minimum_detectable),
            number(row.minimum_detectable_sure),
        ])?;
    }
    table.notes.push(format!(
        "The first row is the median over the {} pairs of SAEs of this panel, first seed.",
        spreads.len()
    ));
    Ok(Some(table))
}
