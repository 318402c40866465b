use crate::geometry::{check, labels};
use report::svg::{Forest, ForestRow, Heatmap, Lines, LinesScale, Point, Reference, Series, Spread, Tick};

fn forest() -> Forest {
    let row = |label: &str, group: &str, value: f64| ForestRow {
        label: label.into(),
        group: group.into(),
        value: Some(value),
        lo: Some(value - 0.06),
        hi: Some(value + 0.05),
    };
    let reference = |at: f64, label: &str| Reference {
        at,
        label: label.into(),
    };
    Forest {
        title: "Mediated share & <damage>".into(),
        note: "95 % intervals over letters".into(),
        axis: "M*".into(),
        digits: 2,
        references: vec![
            reference(1.0, "full site"),
            reference(0.95, "ceiling of directions"),
            reference(0.0, "null"),
        ],
        rows: vec![
            row("full-site", "control", 1.0),
            row("leace", "probe", 0.81),
            row(&"very/long/name/".repeat(8), "SAE", 0.4),
            ForestRow {
                value: None,
                lo: None,
                hi: None,
                ..row("sae:dead", "SAE", 0.0)
            },
            ForestRow {
                value: Some(f64::NAN),
                lo: Some(f64::NAN),
                ..row("sae:bad", "SAE", 0.0)
            },
            row("overshoot", "control", 1.4),
        ],
    }
}

#[test]
fn forest_plots() {
    let svg = forest().to_svg();
    check(&svg);
    assert!(
        svg.contains("0.81 [0.75, 0.86]") && svg.contains("Mediated share &amp; &lt;damage&gt;"),
        "{svg}"
    );
    // The end of a long name is what tells it from others.
    assert!(
        labels(&svg)
            .iter()
            .any(|label| label.text.starts_with('…') && label.text.ends_with("/name/"))
    );
    check(
        &Forest {
            rows: Vec::new(),
            references: Vec::new(),
            ..forest()
        }
        .to_svg(),
    );
}

fn curve(name: &str, n: i32, shift: f64) -> Series {
    let point = |i: i32| {
        let y = 1.0 - 0.7_f64.powi(i) + shift;
        Point {
            x: 2_f64.powi(i),
            y,
            lo: Some(y - 0.1),
            hi: Some(y + 0.1),
        }
    };
    Series {
        name: name.into(),
        points: (0..n).map(point).collect(),
    }
}

fn lines() -> Lines {
    Lines {
        title: "k-curve".into(),
        note: String::new(),
        x_axis: "k".into(),
        y_axis: "M*".into(),
        x_scale: LinesScale::Log2,
        x_ticks: Vec::new(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Bars,
        series: vec![
            curve("width_16k/average_l0_82", 10, 0.0),
            curve(&"long name ".repeat(20), 10, 0.1),
            curve("c", 1, 0.0),
        ],
    }
}

#[test]
fn line_plots() {
    check(&lines().to_svg());
    check(
        &Lines {
            spread: Spread::Band,
            ..lines()
        }
        .to_svg(),
    );
    check(
        &Lines {
            series: Vec::new(),
            ..lines()
        }
        .to_svg(),
    );
    check(
        &Lines {
            series: vec![curve("one", 1, 0.0)],
            y_range: None,
            ..lines()
        }
        .to_svg(),
    );
    let x_ticks = vec![
        Tick {
            at: 1.0,
            label: "1".into(),
        },
        Tick {
            at: 512.0,
            label: "all".into(),
        },
    ];
    let svg = Lines { x_ticks, ..lines() }.to_svg();
    check(&svg);
    assert!(svg.contains(">all</text>"));
    // Crowded ticks are thinned rather than written over each other.
    check(
        &Lines {
            x_scale: LinesScale::Linear,
            series: vec![curve("wide", 40, 0.0)],
            ..lines()
        }
        .to_svg(),
    );
}

#[test]
fn points_without_a_place_are_left_out() {
    let mut lines = lines();
    lines.series[0].points[0].x = 0.0;
    lines.series[0].points[1].y = f64::NAN;
    lines.series[1].points[2].hi = Some(f64::INFINITY);
    let svg = lines.to_svg();
    check(&svg);
    assert!(
        svg.contains("Left out: 1 point, not a finite number. Left out: 1 point, at or below zero of the log axis."),
        "{svg}"
    );
}

#[test]
fn layers_have_whole_numbers() {
    let points = (0..4)
        .map(|i| Point {
            x: f64::from(i),
            y: 0.5,
            lo: None,
            hi: None,
        })
        .collect();
    let series = vec![Series {
        name: "word".into(),
        points,
    }];
    let svg = Lines {
        x_scale: LinesScale::Linear,
        series,
        ..lines()
    }
    .to_svg();
    check(&svg);
    for layer in 0..4 {
        assert!(svg.contains(&format!(">{layer}</text>")), "{svg}");
    }
    assert!(!svg.contains(">1.5</text>"));
}

fn heatmap(columns: &[&str]) -> Heatmap {
    let value = |i: usize, j: usize| (i != j).then(|| ((i * 7 + j * 3) % 26) as f64 / 25.0);
    Heatmap {
        title: "Letters".into(),
        note: "Held-out words".into(),
        scale: "M*".into(),
        rows: ('a'..='z').map(String::from).collect(),
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        values: (0..26)
            .map(|i| (0..columns.len()).map(|j| value(i, j)).collect())
            .collect(),
        range: (0.0, 1.0),
        digits: 2,
        ..Heatmap::default()
    }
}

#[test]
fn heat_maps() {
    check(&heatmap(&["leace", "lr", "k=1"]).to_svg());
    check(
        &heatmap(&[
            "gemma-scope/layer_12/width_16k/average_l0_82",
            "b",
            "layer_12/width_65k",
        ])
        .to_svg(),
    );
    let svg = heatmap(&[]).to_svg();
    check(&svg);
    assert!(svg.contains(">no data: no cells were given</text>"), "{svg}");
    let mut signed = heatmap(&["a", "b"]);
    signed.values[3] = vec![Some(-12.345), Some(f64::NAN)];
    signed.values.truncate(5);
    let svg = signed.to_svg();
    check(&svg);
    assert!(
        svg.contains(">-12.35</text>") || svg.contains(">-12.34</text>"),
        "{svg}"
    );
}

#[test]
fn small_heat_maps_name_tokens() {
    let columns = [
        "<bos>",
        " cat",
        "\n",
        " the first",
        ":",
        " T",
        "a&b",
        "\n\n",
        " ",
        "short",
    ];
    let mut figure = heatmap(&columns);
    figure.small = true;
    figure.x_axis = "token of the prompt ".repeat(6);
    figure.y_axis = "letter".into();
    let svg = figure.to_svg();
    check(&svg);
    for token in ["␣cat", "⏎", "␣the first", "⏎⏎", "␣", "a&amp;b"] {
        assert!(svg.contains(&format!(">{token}</text>")), "{token}: {svg}");
    }
    // The diagonal has no numbers, and there is no dash to say so.
    assert!(
        svg.contains("Crossed out: no number (10 of 260 cells)") && !svg.contains(">\u{2013}<"),
        "{svg}"
    );
    assert_eq!(svg, figure.to_svg());
}

#[test]
fn heat_maps_without_numbers_say_why() {
    let mut figure = heatmap(&["a", "b"]);
    figure.values = vec![vec![Some(f64::NAN), None]];
    figure.empty = "no probe was trained".into();
    let svg = figure.to_svg();
    check(&svg);
    assert!(svg.contains(">no data: no probe was trained</text>"), "{svg}");
}

#[test]
fn figures_without_data_say_so() {
    let forest = Forest {
        rows: Vec::new(),
        ..forest()
    };
    let mut bad = lines();
    for series in &mut bad.series {
        for point in &mut series.points {
            point.y = f64::NAN;
        }
    }
    let none = Lines {
        series: Vec::new(),
        ..lines()
    };
    for (svg, words) in [
        (forest.to_svg(), "no data: no rows were given"),
        (bad.to_svg(), "no data: none of the 21 points has a place"),
        (none.to_svg(), "no data: no points were given"),
    ] {
        check(&svg);
        assert!(svg.contains(&format!(">{words}</text>")), "{svg}");
    }
}

#[test]
fn long_words_stay_inside() {
    let long = "word ".repeat(60);
    check(
        &Lines {
            title: "a/long/path".repeat(40),
            note: long.clone(),
            x_axis: long.clone(),
            y_axis: long.clone(),
            ..lines()
        }
        .to_svg(),
    );
    let references = vec![
        Reference {
            at: 0.3,
            label: long.clone()
        };
        3
    ];
    check(
        &Forest {
            axis: long,
            references,
            ..forest()
        }
        .to_svg(),
    );
}
