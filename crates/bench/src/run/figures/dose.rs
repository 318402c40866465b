//! Mediated share over the length of the edit.

use report::svg::{Lines, LinesScale, Point, Series, Spread};
use store::{Estimate, Record};

use crate::run::doses::by_arm;

/// Mediated share over the length of the edit, one curve per swept arm of the records and, for the first one, the floor of
/// random directions of the same lengths. `None` where no record holds a sweep. As SVG.
pub(super) fn dose_curves(records: &[&Record]) -> Option<String> {
    let mut series = Vec::new();
    for record in records {
        let id = record.spec.sae.as_ref().map(|sae| sae.id.as_str());
        for (arm, rows) in by_arm(record) {
            let curve = |metric: &str| -> Vec<Point> {
                let points = rows.iter().filter_map(|row| {
                    let x = row.values.get("rho_2")?.value;
                    let Estimate { value: y, lo, hi, .. } = row.values.get(metric)?.clone();
                    Some(Point { x, y, lo, hi })
                });
                points.collect()
            };
            let name = match id {
                Some(id) => format!("{id} {}", arm.trim_start_matches("sae:")),
                None => arm.clone(),
            };
            if arm == "leace-1" {
                series.push(Series {
                    name: "random, as long as leace-1".to_owned(),
                    points: curve("floor_random"),
                });
                series.push(Series {
                    name: "random in the data, as long as leace-1".to_owned(),
                    points: curve("floor_pca"),
                });
            }
            series.push(Series {
                name,
                points: curve("ms"),
            });
        }
    }
    let hook = &records.first()?.spec.site.hook;
    let lines = Lines {
        title: format!("Mediated share by dose at {hook}"),
        note: "Every edit scaled from 0 to 3 times its natural size. Macro means over letters; bands are 95 % t intervals over letters.".to_owned(),
        x_axis: "length of the edit / length of the vector".to_owned(),
        y_axis: "mediated share".to_owned(),
        x_scale: LinesScale::Linear,
        x_ticks: Vec::new(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Band,
        series,
    };
    (!lines.series.is_empty()).then(|| lines.to_svg())
}
