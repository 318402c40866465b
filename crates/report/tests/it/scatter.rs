use crate::geometry::{check, labels, marks};
use report::svg::{Band, ColourBy, Dot, Group, Reference, Scatter};

/// `n` points over 1..400 whose places look random and never change.
fn dots(n: usize, seed: usize) -> Vec<Dot> {
    let golden = |i: usize, by: f64| (i as f64 * by).fract();
    let dot = |i: usize| Dot {
        x: 400_f64.powf(golden(i + seed, 0.618_034)),
        y: golden(i + seed, 0.754_878),
        ..Dot::default()
    };
    (0..n).map(dot).collect()
}

fn group(name: &str, dots: Vec<Dot>) -> Group {
    Group {
        name: name.into(),
        dots,
    }
}

fn scatter() -> Scatter {
    Scatter {
        title: "F1 over L0".into(),
        note: "Layers 0 to 12.".into(),
        x_axis: "L0".into(),
        y_axis: "mean F1".into(),
        y_range: Some((0.0, 1.0)),
        groups: vec![group("16k", dots(20, 0)), group("65k", dots(20, 20))],
        references: vec![Reference {
            at: 0.95,
            label: "probe".into(),
        }],
        band: Some(Band {
            lo: 0.2,
            hi: 0.7,
            label: "published range".into(),
        }),
        ..Scatter::default()
    }
}

#[test]
fn scatter_plots() {
    for log_x in [false, true] {
        let figure = Scatter { log_x, ..scatter() };
        let svg = figure.to_svg();
        check(&svg);
        assert_eq!(svg, figure.to_svg());
        for name in ["16k", "65k", "probe", "published range"] {
            assert!(svg.contains(&format!(">{name}</text>")), "{svg}");
        }
        // One in the legend.
        assert_eq!(marks(&svg).len(), 21);
    }
    let svg = Scatter {
        log_x: true,
        ..scatter()
    }
    .to_svg();
    for tick in ["1", "2", "5", "10", "20", "50", "100", "200"] {
        assert!(svg.contains(&format!(">{tick}</text>")), "{svg}");
    }
}

#[test]
fn crowded_labels_do_not_overlap() {
    for shrink in [1.0, 0.3, 0.05, 0.0] {
        let mut figure = scatter();
        figure.y_range = None;
        figure.groups.truncate(1);
        figure.groups[0].dots.extend(dots(4, 77));
        for (i, dot) in figure.groups[0].dots.iter_mut().enumerate() {
            dot.x = 200.0 + (dot.x - 200.0) * shrink;
            dot.y = 0.5 + (dot.y - 0.5) * shrink;
            (dot.lo, dot.hi) = (Some(dot.y - 0.02), Some(dot.y + 0.02));
            dot.label = format!("latent {}", 1085 + 311 * i);
        }
        figure.x_range = Some((0.0, 400.0));
        figure.y_range = Some((0.0, 1.0));
        let svg = figure.to_svg();
        check(&svg);
        let texts = labels(&svg);
        let shown: Vec<_> = texts.iter().filter(|label| label.text.starts_with("latent")).collect();
        for label in &shown {
            for (x, y) in marks(&svg) {
                let covered = x > label.left && x < label.right && y > label.top && y < label.bottom;
                assert!(!covered, "{label:?} {x} {y}");
            }
        }
        let dropped = 24 - shown.len();
        let words = format!("Without room: {dropped} label");
        assert_eq!(svg.contains(&words), dropped > 0, "{dropped}: {svg}");
        assert!(shown.len() > if shrink > 0.2 { 16 } else { 0 }, "{}", shown.len());
    }
}

#[test]
fn swarms_move_sideways_only() {
    let dot = |i: usize| Dot {
        x: (i % 6) as f64,
        y: 0.5 + 0.001 * (i / 6) as f64,
        ..Dot::default()
    };
    let figure = |swarm: bool| Scatter {
        swarm,
        groups: vec![group("", (0..60).map(dot).collect())],
        band: None,
        references: Vec::new(),
        ..scatter()
    };
    let svg = figure(true).to_svg();
    check(&svg);
    let (moved, plain) = (marks(&svg), marks(&figure(false).to_svg()));
    assert_eq!(moved.len(), 60);
    for (i, a) in moved.iter().enumerate() {
        assert!((a.1 - plain[i].1).abs() < 0.02);
        for b in &moved[..i] {
            assert!((a.0 - b.0).hypot(a.1 - b.1) > 5.0, "{a:?} {b:?}");
        }
    }
    for layer in 0..6 {
        assert!(svg.contains(&format!(">{layer}</text>")), "{svg}");
    }
}

#[test]
fn values_colour_points() {
    let mut figure = scatter();
    figure.colour = Some(ColourBy {
        name: "L0".into(),
        log: true,
    });
    for dot in figure.groups.iter_mut().flat_map(|group| &mut group.dots) {
        dot.value = Some(dot.x);
    }
    figure.groups[0].dots[0].value = None;
    figure.groups[0].dots[1].value = Some(-1.0);
    figure.groups[1].dots[2].value = Some(f64::NAN);
    let svg = figure.to_svg();
    check(&svg);
    assert!(svg.contains("Grey: 3 points without a value of L0."), "{svg}");
    for dot in figure.groups.iter_mut().flat_map(|group| &mut group.dots) {
        dot.value = None;
    }
    let svg = figure.to_svg();
    check(&svg);
    assert!(svg.contains("No point has a value of L0"), "{svg}");
}

#[test]
fn hostile_points() {
    let mut figure = scatter();
    let long = "word ".repeat(60);
    figure.log_x = true;
    figure.x_range = Some((0.0, f64::INFINITY));
    figure.groups[0].dots[0].y = f64::NAN;
    figure.groups[0].dots[1].x = 0.0;
    figure.groups[0].dots[2].lo = Some(f64::NEG_INFINITY);
    figure.groups[0].name = "path/".repeat(60);
    figure.references.push(Reference {
        at: f64::NAN,
        label: "never".into(),
    });
    (figure.title, figure.note) = ("path/".repeat(60), long.clone());
    (figure.x_axis, figure.y_axis) = (long.clone(), long);
    let svg = figure.to_svg();
    check(&svg);
    for words in [
        "Left out: 1 point, not a finite number.",
        "Left out: 1 point, at or below zero of the log axis.",
        "Left out: 1 end of an interval, not a finite number.",
        "Left out: 1 marked place, not a finite number.",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(!svg.contains("never"));
}

#[test]
fn one_point_and_none() {
    for log_x in [false, true] {
        for swarm in [false, true] {
            let one = Dot {
                x: 43.0,
                y: 0.431,
                label: "\n".into(),
                ..Dot::default()
            };
            let figure = Scatter {
                log_x,
                swarm,
                groups: vec![group("16k", vec![one])],
                ..Scatter::default()
            };
            let svg = figure.to_svg();
            check(&svg);
            assert!(
                svg.contains(">⏎</text>") && svg.contains(">43</text>") || log_x,
                "{svg}"
            );
        }
    }
    let svg = Scatter {
        groups: Vec::new(),
        empty: "no autoencoder fits".into(),
        ..scatter()
    }
    .to_svg();
    check(&svg);
    assert!(svg.contains(">no data: no autoencoder fits</text>"), "{svg}");
    check(&Scatter::default().to_svg());
}
