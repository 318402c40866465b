//! The differences as a forest plot.

use report::svg::{Forest, ForestRow, Reference};

use super::delta::Delta;
use super::input::Pair;
use super::metrics::Metric;

/// The figure: one row for each metric of each pair. Only metrics of one unit share an axis; the note names the others.
pub(crate) fn forest(pairs: &[Pair<'_>], deltas: &[Vec<Delta>]) -> String {
    let first = deltas.iter().flatten().find(|delta| delta.found.is_some());
    let unit = first.map_or("share", |delta| delta.metric.unit);
    // Shares are drawn as points of a hundred: a forest's axis always holds 0 to 1, in which small differences would drown.
    let (scale, axis_unit, digits) = match unit {
        "share" => (100.0, "percentage points", 1),
        other => (1.0, other, 3),
    };
    let mut rows = Vec::new();
    let mut other_units: Vec<&str> = Vec::new();
    // Metric by metric, so that SAEs stand below each other where they are read against each other.
    for of in 0..deltas.first().map_or(0, Vec::len) {
        for (pair, delta) in pairs.iter().zip(deltas.iter().map(|deltas| &deltas[of])) {
            let Some(found) = &delta.found else { continue };
            if delta.metric.unit != unit {
                if !other_units.contains(&delta.metric.symbol) {
                    other_units.push(delta.metric.symbol);
                }
                continue;
            }
            let metric = name(delta.metric);
            let (label, group) = match pairs.len() {
                1 => (metric, String::new()),
                _ => (format!("{metric}  {}", pair.compared.name), metric),
            };
            let (lo, hi) = found.interval.unzip();
            rows.push(ForestRow {
                label,
                group,
                value: Some(found.value * scale),
                lo: lo.map(|x| x * scale),
                hi: hi.map(|x| x * scale),
            });
        }
    }
    let not_drawn = match other_units.as_slice() {
        [] => String::new(),
        names => format!(" Not drawn, of another unit: {}.", names.join(", ")),
    };
    let forest = Forest {
        title: title(pairs),
        note: format!(
            "Paired differences over letters with their 95 % intervals, {}. An arrow says whether up or down is better; an \
             interval that covers 0 separates nothing.{not_drawn}",
            super::show::arms_of(pairs)
        ),
        axis: format!("compared - reference, {axis_unit}"),
        rows,
        references: vec![Reference {
            at: 0.0,
            label: "no difference".to_owned(),
        }],
        digits,
    };
    forest.to_svg()
}

fn name(metric: &Metric) -> String {
    let arrow = match metric.higher_is_better {
        Some(true) => " ↑",
        Some(false) => " ↓",
        None => "",
    };
    format!("{}{arrow}", metric.symbol)
}

fn title(pairs: &[Pair<'_>]) -> String {
    let mut against: Vec<&str> = pairs.iter().map(|pair| pair.reference.name.as_str()).collect();
    against.dedup();
    match (pairs, against.as_slice()) {
        ([pair], _) => format!("{} minus {}", pair.compared.name, pair.reference.name),
        (_, [one]) => format!("Differences from {one}"),
        _ => "Differences from the reference records".to_owned(),
    }
}
