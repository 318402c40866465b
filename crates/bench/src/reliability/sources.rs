//! Sources of randomness beside each other: which one moves a score most.

use report::{Cell, Column, Table};
use stats::{DEFAULT_LEVEL, Design, FacetTable, facets};

use super::{Redrawn, What};

/// One row per score; nothing where fewer than two sources were redrawn alone.
pub(super) fn table(redrawn: &[Redrawn]) -> anyhow::Result<Option<Table>> {
    let alone: Vec<&Redrawn> = redrawn.iter().filter(|r| r.what != What::Joint).collect();
    if alone.len() < 2 {
        return Ok(None);
    }
    let joint = redrawn.iter().find(|r| r.what == What::Joint);
    let mut columns = vec![Column::text("score")];
    for source in &alone {
        columns.push(Column::number(format!("SEM {}", source.what.name())));
    }
    columns.push(Column::text("largest").with_help("source with the largest share of the summed noise variance"));
    columns.push(Column::number("SEM summed").with_help("of the sources as if they did not interact"));
    columns.push(Column::number("SEM joint").with_help("measured, everything redrawn together"));
    let mut table = Table::new("Which source moves a score", columns);
    for (row, score) in alone[0].scores.iter().enumerate() {
        let tables: Vec<FacetTable<'_>> = alone
            .iter()
            .map(|source| FacetTable {
                name: source.what.name(),
                scores: &source.scores[row].table,
                design: Design::Crossed,
            })
            .collect();
        let mut cells = vec![Cell::text(score.name)];
        match facets(&tables, DEFAULT_LEVEL) {
            Err(error) => cells.extend((0..alone.len() + 2).map(|_| Cell::Missing(error.to_string()))),
            Ok(found) => {
                let number = |value: f64| Cell::Number { value, digits: 4 };
                cells.extend(found.facets.iter().map(|facet| number(facet.reliability.sem.value)));
                let largest = found.facets.iter().max_by(|a, b| a.share.total_cmp(&b.share));
                cells.push(match largest.filter(|facet| facet.share > 0.0) {
                    Some(facet) => Cell::text(format!("{} ({:.0} %)", facet.name, 100.0 * facet.share)),
                    None => Cell::Missing("nothing moved it".to_owned()),
                });
                cells.push(number(found.single.sem));
            }
        }
        let measured = joint.and_then(|joint| joint.scores[row].found.as_ref());
        cells.push(match measured {
            Some(found) => Cell::Number {
                value: found.sem.value,
                digits: 4,
            },
            None => Cell::Missing("not redrawn jointly".to_owned()),
        });
        table.push(cells)?;
    }
    table.notes.push(
        "Each source is redrawn with the others held at the first seed. `train` draws half of the words without replacement: scores over such halves vary about as much as over new lists of the full length."
            .to_owned(),
    );
    Ok(Some(table))
}
