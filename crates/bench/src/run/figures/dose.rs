//! Mediated share over the length of the edit.

use report::svg::{Lines, LinesScale, Point, Series, Spread};
use store::{Estimate, Record, TableRow};

use crate::run::doses::by_arm;

/// Mediated share over the length of the edit, one curve per swept arm of the records, and beside `leace-1` its floors of random
/// edits of the same lengths. `None` where no record holds a sweep. As SVG.
pub(super) fn dose_curves(records: &[&Record]) -> Option<String> {
    let hook = &records.first()?.spec.site.hook;
    let mut series = Vec::new();
    for record in records {
        let id = record.spec.sae.as_ref().map(|sae| sae.id.as_str());
        for (arm, rows) in by_arm(record) {
            series.extend(of_arm(id, &arm, &rows));
        }
    }
    (!series.is_empty()).then(|| figure(hook, series).to_svg())
}

fn of_arm(id: Option<&str>, arm: &str, rows: &[&TableRow]) -> Vec<Series> {
    let curve = |name: String, metric: &str| -> Series {
        let points = rows.iter().filter_map(|row| {
            let x = row.values.get("rho_2")?.value;
            let Estimate { value: y, lo, hi, .. } = row.values.get(metric)?.clone();
            Some(Point { x, y, lo, hi })
        });
        Series {
            name,
            points: points.collect(),
        }
    };
    let name = match id {
        Some(id) => format!("{id} {}", arm.trim_start_matches("sae:")),
        None => arm.to_owned(),
    };
    let mut series = vec![curve(name, "ms")];
    if arm == "leace-1" {
        series.push(curve("random, as long as leace-1".to_owned(), "floor_random"));
        series.push(curve("random in the data, as long".to_owned(), "floor_pca"));
    }
    series
}

fn figure(hook: &str, series: Vec<Series>) -> Lines {
    Lines {
        title: format!("Mediated share by dose at {hook}"),
        note: "Every edit scaled from 0 to 3 times its natural size. Means over letters; bands are 95 % t intervals over letters."
            .to_owned(),
        x_axis: "length of the edit / length of the vector".to_owned(),
        y_axis: "mediated share".to_owned(),
        x_scale: LinesScale::Linear,
        x_ticks: Vec::new(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Band,
        series,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_swept_arm_becomes_a_curve_and_the_reference_brings_its_floors() {
        let row = |alpha: f64| TableRow {
            at: BTreeMap::from([("alpha".to_owned(), alpha.to_string())]),
            values: ["rho_2", "ms", "floor_random", "floor_pca"]
                .map(|name| (name.to_owned(), Estimate::point(0.3 * alpha, 25, "share")))
                .into(),
        };
        let rows = [row(0.0), row(1.0), row(2.0)];
        let rows: Vec<&TableRow> = rows.iter().collect();
        let reference = of_arm(None, "leace-1", &rows);
        assert_eq!(reference.len(), 3);
        let of_sae = of_arm(Some("topk"), "sae:k=1:probe", &rows);
        assert_eq!(of_sae[0].name, "topk k=1:probe");
        assert_eq!(of_sae[0].points.len(), 3);
        assert!((of_sae[0].points[2].x - 0.6).abs() < 1e-12);
        let svg = figure("blocks.1.hook_resid_post", [reference, of_sae].concat()).to_svg();
        for text in [
            "leace-1",
            "topk k=1:probe",
            "random in the data",
            "blocks.1.hook_resid_post",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(dose_curves(&[]), None);
    }
}
