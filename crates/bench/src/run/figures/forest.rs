//! M* of every arm with its interval: what linear edits and one latent per letter mediate.

use report::svg::{Forest, ForestRow, Reference};
use store::Record;

use super::id;
use crate::run::unit::one_latent;

/// Arms of the first part, with what they are called in the figure.
const ARMS: [(&str, &str); 5] = [
    ("leace-1", "LEACE, one direction"),
    ("diff-mean", "difference of means"),
    ("lr", "logistic probe"),
    ("random", "random direction, as long"),
    ("full-site", "whole vector (MS 1, O 1)"),
];

pub(super) fn arms(reference: &Record, saes: &[&Record]) -> String {
    let row = |record: &Record, arm: &str, label: String, group: &str| {
        let estimate = record.summary.get(&format!("{arm}/m_star"));
        ForestRow {
            label,
            group: group.to_owned(),
            value: estimate.map(|e| e.value),
            lo: estimate.and_then(|e| e.lo),
            hi: estimate.and_then(|e| e.hi),
        }
    };
    let mut rows: Vec<ForestRow> = ARMS
        .iter()
        .map(|(arm, label)| row(reference, arm, (*label).to_owned(), "linear edits"))
        .collect();
    let arm = one_latent("probe");
    let mut ordered: Vec<&&Record> = saes.iter().collect();
    let value = |record: &Record| {
        record
            .summary
            .get(&format!("{arm}/m_star"))
            .map_or(f64::NEG_INFINITY, |e| e.value)
    };
    ordered.sort_by(|a, b| value(b).total_cmp(&value(a)));
    rows.extend(
        ordered
            .into_iter()
            .map(|record| row(record, &arm, id(record).to_owned(), "one latent per letter")),
    );
    let forest = Forest {
        title: format!("What one edit per letter mediates, at {}", reference.spec.site.hook),
        note: "M* = mediated share of the letter's log-odds, less the damage on other letters' words: 0 for doing nothing and for \
               destroying everything. Intervals are 95 % bootstrap-t over letters. Latents were chosen on train words, scores are \
               from held-out words."
            .to_owned(),
        axis: "M*".to_owned(),
        rows,
        references: vec![Reference {
            at: 1.0,
            label: "a perfect letter edit".to_owned(),
        }],
        digits: 2,
    };
    forest.to_svg()
}
