use crate::geometry::{check, labels};
use report::svg::{Bar, BarRow, Bars, Reference};

fn bar(value: f64) -> Bar {
    Bar {
        value,
        lo: Some(value - 0.3),
        hi: Some(value + 0.2),
    }
}

fn bars() -> Bars {
    let row = |(i, id): (usize, &u32)| BarRow {
        label: id.to_string(),
        bars: [if i == 0 { -6.4 } else { 0.1 * i as f64 - 0.4 }, 0.05]
            .map(|x| Some(bar(x)))
            .to_vec(),
    };
    let ids = [1085, 2854, 5571, 4126, 14964, 2673, 2791, 9134, 3775, 5489];
    Bars {
        title: "Effect of ablation on \" short\"".into(),
        axis: "change of the logit difference".into(),
        series: vec!["as it is".into(), "without the probe direction".into()],
        rows: ids.iter().enumerate().map(row).collect(),
        references: vec![Reference {
            at: -1.0,
            label: "threshold".into(),
        }],
        digits: 2,
        ..Bars::default()
    }
}

#[test]
fn bar_charts() {
    let svg = bars().to_svg();
    check(&svg);
    assert!(
        svg.contains(">-6.40 [-6.70, -6.20]</text>") && svg.contains(">threshold</text>"),
        "{svg}"
    );
    assert_eq!(svg, bars().to_svg());
}

#[test]
fn hostile_rows() {
    let mut figure = bars();
    figure.rows[0].label = " a\nb".into();
    figure.rows[1].label = "very/long/name/".repeat(20);
    figure.rows[2].bars = vec![Some(bar(f64::NAN)), Some(bar(1e9))];
    figure.rows[3].bars = Vec::new();
    figure.rows[4].bars = vec![None, Some(bar(0.0)), Some(bar(3.0))];
    figure.series[1] = "long name ".repeat(30);
    figure.references.push(Reference {
        at: f64::INFINITY,
        label: "never".into(),
    });
    figure.references.push(Reference {
        at: -0.9,
        label: "long ".repeat(90),
    });
    let svg = figure.to_svg();
    check(&svg);
    let ends = labels(&svg).iter().filter(|label| label.text == "\u{2013}").count();
    assert_eq!(ends, 4, "{svg}");
    assert!(svg.contains(">␣a⏎b</text>") && !svg.contains("never"), "{svg}");
    // The third bar of a row has no series, so that it is not drawn.
    assert!(
        svg.contains("Left out: 1 bar, not a finite number. Left out: 1 marked place"),
        "{svg}"
    );
}

#[test]
fn charts_without_bars_say_why() {
    let svg = Bars {
        rows: Vec::new(),
        empty: "no latent fired".into(),
        ..bars()
    }
    .to_svg();
    check(&svg);
    assert!(svg.contains(">no data: no latent fired</text>"), "{svg}");
    check(&Bars::default().to_svg());
}

#[test]
fn zeros_and_one_bar() {
    let mut figure = bars();
    figure.rows.truncate(1);
    figure.references.clear();
    for value in [0.0, 3.0, -3.0] {
        figure.rows[0].bars = vec![Some(Bar {
            value,
            ..Bar::default()
        })];
        check(&figure.to_svg());
    }
}
