//! Mediated share of the strongest k latents per letter, over k.

use report::svg::{Lines, LinesScale, Point, Series, Spread};
use store::Record;

use super::id;
use crate::run::unit::one_latent;

/// Curves in one figure; more cannot be told apart.
const MOST: usize = 6;

/// The figure, or nothing where no record has a curve.
pub(super) fn k_curve(reference: &Record, saes: &[&Record]) -> Option<String> {
    let key = format!("{}/m_star", one_latent("effect"));
    let mut ordered: Vec<&&Record> = saes.iter().collect();
    let value = |record: &Record| record.summary.get(&key).map_or(f64::NEG_INFINITY, |e| e.value);
    ordered.sort_by(|a, b| value(b).total_cmp(&value(a)));
    let mut series: Vec<Series> = ordered
        .into_iter()
        .filter_map(|record| curve(record))
        .take(MOST)
        .collect();
    let ks: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.x)).collect();
    let (first, last) = (
        ks.iter().copied().reduce(f64::min)?,
        ks.iter().copied().reduce(f64::max)?,
    );
    if let Some(leace) = reference.summary.get("leace-1/m_star") {
        let at = |x: f64| Point {
            x,
            y: leace.value,
            lo: leace.lo,
            hi: leace.hi,
        };
        series.insert(
            0,
            Series {
                name: "LEACE, one direction".to_owned(),
                points: vec![at(first), at(last)],
            },
        );
    }
    let more = saes.len().saturating_sub(MOST);
    let left_out = match more {
        0 => String::new(),
        n => format!(" The {n} SAEs with the lowest M* at k = 1 are not drawn."),
    };
    let lines = Lines {
        title: "How many latents per letter a direction is worth".to_owned(),
        note: format!(
            "M* of the k latents with the largest exact effect on train words, edited together, on held-out words.{left_out}"
        ),
        x_axis: "latents per letter, k".to_owned(),
        y_axis: "M*".to_owned(),
        x_scale: LinesScale::Log2,
        x_ticks: Vec::new(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Band,
        series,
    };
    Some(lines.to_svg())
}

fn curve(record: &Record) -> Option<Series> {
    let rows = record.tables.get("k_curve")?;
    let points: Vec<Point> = rows
        .iter()
        .filter_map(|row| {
            let m_star = row.values.get("m_star")?;
            Some(Point {
                x: row.at.get("k")?.parse().ok().filter(|&k: &f64| k > 0.0)?,
                y: m_star.value,
                // Bands of six curves would hide each other; the table has the intervals.
                lo: None,
                hi: None,
            })
        })
        .collect();
    (!points.is_empty()).then(|| Series {
        name: id(record).to_owned(),
        points,
    })
}
