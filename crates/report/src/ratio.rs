//! What a latent's reading predicts of its effect, beside the effect, as a figure of one record.

use store::{LetterRow, Record};

use crate::svg::{Dot, Group, Scatter};

/// Per letter, the effect that the main latent should have by how much of the letter's read it carries, and the effect it has; both as shares
/// of the reference's. On the diagonal the gap to the reference is one of reading; below it writes err or the answer is not linear;
/// above it the latent acts by other ways too.
#[must_use]
pub fn predicted_and_observed(record: &Record) -> Scatter {
    let sae = record.spec.sae.as_ref().map_or("", |sae| sae.id.as_str());
    let number = |name: &str| record.summary.get(name);
    let note = match (number("detect/ratio_slope"), number("detect/ratio_correlation")) {
        (Some(slope), Some(r)) => format!(
            "{} letters; slope {:.2}, correlation {:.2}; equal where x = y.",
            slope.n, slope.value, r.value
        ),
        _ => "Equal where x = y.".to_owned(),
    };
    figure(sae, note, &record.letters)
}

fn figure(sae: &str, note: String, letters: &[LetterRow]) -> Scatter {
    let value = |row: &LetterRow, name: &str| row.values.get(name).map(|estimate| estimate.value);
    let dots: Vec<Dot> = letters
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
    let range = dots
        .iter()
        .flat_map(|dot| [dot.x, dot.y])
        .fold((0.0_f64, 1.0_f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    Scatter {
        title: format!("Effect of one latent per letter of {sae}: predicted from its reading, and observed"),
        note,
        x_axis: "predicted share of LEACE's effect".to_owned(),
        y_axis: "observed share of LEACE's effect".to_owned(),
        x_range: Some(range),
        y_range: Some(range),
        groups: vec![Group {
            name: "letters".to_owned(),
            dots,
        }],
        empty: "the record holds no letter with both".to_owned(),
        ..Scatter::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::Estimate;

    use super::*;

    fn row(letter: char, arm: &str, values: &[(&str, f64)]) -> LetterRow {
        let values: BTreeMap<String, Estimate> = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Estimate::point(*value, 1, "share")))
            .collect();
        let arm = arm.to_owned();
        LetterRow { letter, arm, values }
    }

    #[test]
    fn letters_with_both_numbers_are_points_and_axes_agree() {
        let letters = [
            row('a', "detect", &[("predicted_ratio", 0.5), ("observed_ratio", 1.25)]),
            row('b', "detect", &[("predicted_ratio", 0.25), ("observed_ratio", -0.25)]),
            row('c', "detect", &[("predicted_ratio", 0.25)]),
            row('d', "detect_set", &[("predicted_ratio", 0.5), ("observed_ratio", 0.5)]),
        ];
        let scatter = figure("topk", String::new(), &letters);
        let dots = &scatter.groups[0].dots;
        let shown: Vec<&str> = dots.iter().map(|dot| dot.label.as_str()).collect();
        assert_eq!(shown, ["a", "b"]);
        assert_eq!(scatter.x_range, Some((-0.25, 1.25)));
        assert_eq!(scatter.x_range, scatter.y_range);
        assert!(scatter.to_svg().contains("topk"));
        assert!(
            figure("none", String::new(), &[])
                .to_svg()
                .contains("no letter with both")
        );
    }
}
