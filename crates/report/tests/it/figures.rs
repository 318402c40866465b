use report::svg::{Forest, ForestRow, Heatmap, Lines, LinesScale, Point, Reference, Series, Spread, Tick};

/// A box that a text takes, by a guess at its width that is on the narrow side.
#[derive(Debug)]
struct Label {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?
        .1
        .split_once('"')
        .map(|(value, _)| value)
}

fn number(tag: &str, name: &str) -> f64 {
    attribute(tag, name).unwrap().parse().unwrap()
}

/// Every text that is not turned.
fn labels(svg: &str) -> Vec<Label> {
    let mut labels = Vec::new();
    for piece in svg.split("<text").skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        let text = rest.split_once("</text>").unwrap().0.to_owned();
        if tag.contains("transform=") {
            continue;
        }
        let (x, y, size) = (number(tag, "x"), number(tag, "y"), number(tag, "font-size"));
        let width = text.chars().count() as f64 * size * 0.52;
        let left = match attribute(tag, "text-anchor") {
            Some("middle") => x - width / 2.0,
            Some("end") => x - width,
            _ => x,
        };
        labels.push(Label {
            text,
            left,
            right: left + width,
            top: y - size * 0.8,
            bottom: y,
        });
    }
    labels
}

/// Well-formed, finite, every text inside the figure, and no two texts in one place.
#[track_caller]
fn check(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
    for line in svg.lines().filter(|line| line.starts_with('<')) {
        let closed = line.ends_with("/>") || line.contains("</") || line.starts_with("<svg ");
        assert!(closed, "{line}");
    }
    let head = &svg[..svg.find('>').unwrap()];
    let (width, height) = (number(head, "width"), number(head, "height"));
    let labels = labels(svg);
    for (i, a) in labels.iter().enumerate() {
        assert!(
            a.left >= 0.0 && a.right <= width && a.top >= 0.0 && a.bottom <= height,
            "{a:?} in {width} x {height}"
        );
        for b in &labels[..i] {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

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
    check(&lines.to_svg());
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
    check(&heatmap(&[]).to_svg());
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
