//! What a latent's reading predicts of its effect, beside the effect, as a figure of one record.

use store::Record;

use crate::svg::{Dot, Group, Scatter};

/// Per letter, the effect that the main latent should have by how much of the letter's read it carries, and the effect it has; both as shares
/// of the reference's. On the diagonal the gap to the reference is one of reading; below it writes err or the answer is not linear;
/// above it the latent acts by other ways too.
#[must_use]
pub fn predicted_and_observed(record: &Record) -> Scatter {
    let value = |row: &store::LetterRow, name: &str| row.values.get(name).map(|estimate| estimate.value);
    let dots: Vec<Dot> = record
        .letters
        .iter()
        .filter(|row| row.arm == "detect")
        .filter_map(|row| {
            Some(Dot {
                x: value(row, "predicted_ratio")?,
                y: value(row, "observed_ratio")?,
                label: row.letter.to_string(),
                ..Dot::default()
            })
        })
        .collect();
    // Both axes cover the same range, so that the diagonal runs from corner to corner.
    let (lo, hi) = dots
        .iter()
        .flat_map(|dot| [dot.x, dot.y])
        .fold((0.0_f64, 1.0_f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let sae = record.spec.sae.as_ref().map_or("", |sae| sae.id.as_str());
    let slope = record.summary.get("detect/ratio_slope");
    let correlation = record.summary.get("detect/ratio_correlation");
    let note = match (slope, correlation) {
        (Some(slope), Some(r)) => format!(
            "{} letters; slope {:.2}, correlation {:.2}; equal where x = y",
            slope.n, slope.value, r.value
        ),
        _ => String::new(),
    };
    Scatter {
        title: format!("Effect of one latent per letter of {sae}: predicted from its reading, and observed"),
        note,
        x_axis: "predicted share of LEACE's effect".to_owned(),
        y_axis: "observed share of LEACE's effect".to_owned(),
        x_range: Some((lo, hi)),
        y_range: Some((lo, hi)),
        groups: vec![Group {
            name: "letters".to_owned(),
            dots,
        }],
        empty: "the record holds no letter with both".to_owned(),
        ..Scatter::default()
    }
}
