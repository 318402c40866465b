use crate::geometry::{check, labels};
use report::svg::{Band, Panel, Panels, Point, Reference, Series};

fn series(name: &str, n: usize, seed: usize) -> Series {
    let point = |i: usize| {
        let y = ((i * 7 + seed * 3) % 11) as f64 / 11.0;
        Point {
            x: 1.0 + 400.0 * i as f64 / n as f64,
            y,
            lo: Some(y - 0.05),
            hi: None,
        }
    };
    Series {
        name: name.into(),
        points: (0..n).map(point).collect(),
    }
}

fn panels(n: usize) -> Panels {
    let panel = |i: usize| Panel {
        title: char::from(b'a' + (i % 26) as u8).to_string(),
        series: vec![series("16k", 12, i), series("65k", 9, i + 5)],
        reference: Some(0.9 + 0.003 * i as f64),
        empty: String::new(),
    };
    Panels {
        title: "F1 over L0, by letter".into(),
        x_axis: "L0".into(),
        y_axis: "F1".into(),
        y_range: Some((0.0, 1.0)),
        panels: (0..n).map(panel).collect(),
        reference: "probe".into(),
        ..Panels::default()
    }
}

#[test]
fn grids_of_any_size() {
    for n in [1, 2, 4, 5, 9, 12, 20, 26, 30] {
        for log_x in [false, true] {
            let figure = Panels {
                log_x,
                joined: n % 2 == 0,
                ..panels(n)
            };
            let svg = figure.to_svg();
            check(&svg);
            assert_eq!(svg, figure.to_svg());
            let titles = labels(&svg)
                .into_iter()
                .filter(|label| label.text.len() == 1 && label.text >= "a".into());
            assert_eq!(titles.count(), n);
        }
    }
}

#[test]
fn columns_may_be_given() {
    for columns in [1, 2, 7, 99] {
        check(&Panels { columns, ..panels(8) }.to_svg());
    }
}

#[test]
fn every_column_has_its_axis() {
    // Five columns: the last row has one panel, the row above it labels the other four.
    let figure = Panels {
        columns: 5,
        x_range: Some((0.0, 400.0)),
        ..panels(16)
    };
    let svg = figure.to_svg();
    check(&svg);
    assert_eq!(svg.matches(">200</text>").count(), 5, "{svg}");
    assert_eq!(svg.matches(">0.5</text>").count(), 4, "{svg}");
}

#[test]
fn series_look_the_same_in_all_panels() {
    let mut figure = panels(2);
    figure.panels[0].series.remove(0);
    let svg = figure.to_svg();
    // In order of appearance: 65k is met first.
    let (first, second) = (svg.find(">65k</text>"), svg.find(">16k</text>"));
    assert!(first < second, "{svg}");
}

#[test]
fn hostile_panels() {
    let mut figure = panels(26);
    let long = "word ".repeat(60);
    figure.panels[0].title = "very/long/name/".repeat(9);
    figure.panels[1].series[0].points[0].y = f64::NAN;
    figure.panels[1].series[0].points[1].x = -1.0;
    figure.panels[1].reference = Some(f64::NAN);
    figure.panels[2].series.clear();
    figure.panels[3] = Panel {
        title: "x".into(),
        empty: long.clone(),
        ..Panel::default()
    };
    (figure.x_axis, figure.y_axis, figure.note) = (long.clone(), long.clone(), long.clone());
    figure.log_x = true;
    figure.references = vec![Reference { at: 0.4, label: long }];
    figure.band = Some(Band {
        lo: 0.1,
        hi: 0.2,
        label: "published".into(),
    });
    let svg = figure.to_svg();
    check(&svg);
    for words in [
        "Left out: 1 point, not a finite number.",
        "Left out: 1 point, at or below zero of the log axis.",
        "Left out: 1 marked place, not a finite number.",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(
        svg.contains(">no data</text>") && svg.contains(">no data: word"),
        "{svg}"
    );
}

#[test]
fn grids_without_points_say_why() {
    let svg = Panels {
        empty: "no probe reached F1 0.6".into(),
        ..Panels::default()
    }
    .to_svg();
    check(&svg);
    assert!(svg.contains(">no data: no probe reached F1 0.6</text>"), "{svg}");
}
