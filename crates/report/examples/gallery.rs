//! Writes one figure of every kind, with plausible and with hostile data, into a folder, to be looked at.
//!
//! The numbers are made up; they have the shape of those of a paper on feature absorption. This is how the layout of the figures
//! is checked by eye: the tests know that nothing overlaps, not whether it reads well.
//!
//! `cargo run -p report --example gallery -- FOLDER`

use std::path::PathBuf;

use report::Published;
use report::svg::{
    Band, Bar, BarRow, Bars, ColourBy, Dot, Forest, ForestRow, Group, Heatmap, Lines, LinesScale, Panel, Panels, Point,
    Reference, Scatter, Series, Spread,
};

/// A number in 0..1 that looks random and is always the same for `i`.
fn noise(i: usize) -> f64 {
    let x = (i as f64 + 1.0) * 12.9898;
    (x.sin() * 43_758.545_3).rem_euclid(1.0)
}

/// F1 of an autoencoder of this L0: best near 40.
fn f1(l0: f64, i: usize) -> f64 {
    let off = (l0 / 40.0).ln();
    0.72 * (-off * off / 5.0).exp() + 0.12 * (noise(i) - 0.5)
}

fn l0s(n: usize, seed: usize) -> Vec<f64> {
    let l0 = |i: usize| (8.0 * 1.22_f64.powf(i as f64) * (0.8 + 0.4 * noise(seed + i))).round();
    let mut l0s: Vec<f64> = (0..n).map(l0).collect();
    l0s.sort_by(f64::total_cmp);
    l0s
}

fn probe() -> Reference {
    Reference {
        at: 0.95,
        label: "F1 of the probe".into(),
    }
}

fn f1_over_l0(log_x: bool) -> Scatter {
    let group = |name: &str, seed: usize| Group {
        name: name.into(),
        dots: l0s(20, seed)
            .into_iter()
            .enumerate()
            .map(|(i, x)| {
                let y = f1(x, seed + 90 + i);
                Dot {
                    x,
                    y,
                    lo: Some(y - 0.04),
                    hi: Some(y + 0.03),
                    ..Dot::default()
                }
            })
            .collect(),
    };
    Scatter {
        title: "F1 of the best latent over L0".into(),
        note: "Mean over 26 letters, layers 0 to 12. Intervals: 95 %, over letters.".into(),
        x_axis: "L0 (latents active on a token)".into(),
        y_axis: "mean F1".into(),
        log_x,
        x_range: Some(if log_x { (1.0, 400.0) } else { (0.0, 400.0) }),
        y_range: Some((0.0, 1.0)),
        groups: vec![
            group("JumpReLU 16k", 0),
            group("JumpReLU 65k", 100),
            group("TopK 16k", 200),
        ],
        references: vec![probe()],
        band: Published::axis(0.2, 0.7, "P figure 4b").band(),
        ..Scatter::default()
    }
}

fn swarm() -> Scatter {
    let group = |name: &str, seed: usize| Group {
        name: name.into(),
        dots: (0..26)
            .flat_map(|layer| (0..4).map(move |i| (layer, i)))
            .map(|(layer, i)| Dot {
                x: layer as f64,
                y: 0.75 - 0.018 * layer as f64 + 0.08 * noise(seed + layer * 7 + i),
                ..Dot::default()
            })
            .collect(),
    };
    Scatter {
        title: "F1 of the best latent, by layer".into(),
        x_axis: "layer".into(),
        y_axis: "mean F1".into(),
        swarm: true,
        groups: vec![group("width 16k", 0), group("width 65k", 500)],
        references: vec![probe()],
        ..Scatter::default()
    }
}

fn dense_swarm() -> Scatter {
    let dots = (0..90)
        .map(|i| Dot {
            x: (i % 3) as f64,
            y: 0.5 + 0.02 * noise(i),
            ..Dot::default()
        })
        .collect();
    Scatter {
        title: "A dense swarm in three columns".into(),
        x_axis: "layer".into(),
        y_axis: "absorption rate".into(),
        y_range: Some((0.0, 1.0)),
        swarm: true,
        groups: vec![Group {
            name: "width 16k".into(),
            dots,
        }],
        ..Scatter::default()
    }
}

fn precision_recall() -> Scatter {
    let group = |name: &str, seed: usize| Group {
        name: name.into(),
        dots: l0s(21, seed)
            .into_iter()
            .enumerate()
            .map(|(i, l0)| {
                let t = (l0 / 8.0).ln() / 50_f64.ln();
                Dot {
                    x: (0.25 + 0.65 * t + 0.1 * (noise(seed + i) - 0.5)).clamp(0.0, 1.0),
                    y: (0.97 - 0.6 * t * t + 0.1 * (noise(seed + 50 + i) - 0.5)).clamp(0.0, 1.0),
                    value: (i != 4).then_some(l0),
                    ..Dot::default()
                }
            })
            .collect(),
    };
    Scatter {
        title: "Precision and recall of the best latent".into(),
        note: "Mean over 26 letters.".into(),
        x_axis: "recall".into(),
        y_axis: "precision".into(),
        x_range: Some((0.2, 1.0)),
        y_range: Some((0.2, 1.0)),
        groups: vec![group("width 16k", 0), group("width 65k", 300)],
        colour: Some(ColourBy {
            name: "L0 (latents active on a token)".into(),
            log: true,
        }),
        ..Scatter::default()
    }
}

fn labelled(size: f64) -> Scatter {
    let dot = |i: usize| Dot {
        x: 60.0 + size * noise(i),
        y: 0.3 + size / 400.0 * noise(i + 40),
        label: match i {
            3 => " short".into(),
            4 => "a label that is much longer than the others are".into(),
            _ => format!("latent {}", 1085 + 311 * i),
        },
        ..Dot::default()
    };
    Scatter {
        title: "Absorption rate over L0".into(),
        x_axis: "L0".into(),
        y_axis: "absorption rate (share of words)".into(),
        x_range: Some((0.0, 400.0)),
        y_range: Some((0.0, 1.0)),
        groups: vec![
            Group {
                name: "16k".into(),
                dots: (0..12).map(dot).collect(),
            },
            Group {
                name: "65k".into(),
                dots: (12..24).map(dot).collect(),
            },
        ],
        references: vec![Reference {
            at: 0.4,
            label: "mean of the random baseline".into(),
        }],
        ..Scatter::default()
    }
}

fn hostile() -> Scatter {
    let mut figure = f1_over_l0(true);
    figure.title = "a/very/long/path/without/spaces/".repeat(6) + " & <b>";
    figure.note = "A note that goes on. ".repeat(20);
    figure.x_axis = "a name of the horizontal axis that needs more than one line ".repeat(4);
    figure.y_axis = "a name of the vertical axis that is longer than the plot is high ".repeat(5);
    figure.groups[0].name = "gemma-scope-2b-pt-res/layer_12/width_16k/".repeat(5);
    figure.groups[0].dots[0].y = f64::NAN;
    figure.groups[0].dots[1].hi = Some(f64::INFINITY);
    figure.groups[1].dots[2].x = 0.0;
    figure.references.extend((0..5).map(|i| Reference {
        at: 0.1 + 0.13 * f64::from(i),
        label: format!("a reference with a long name, number {i}"),
    }));
    figure
}

fn one_point() -> Scatter {
    Scatter {
        title: "One point".into(),
        x_axis: "L0".into(),
        y_axis: "mean F1".into(),
        groups: vec![Group {
            name: "16k".into(),
            dots: vec![Dot {
                x: 43.0,
                y: 0.431,
                label: "the only one".into(),
                ..Dot::default()
            }],
        }],
        ..Scatter::default()
    }
}

fn no_points() -> Scatter {
    Scatter {
        title: "No point".into(),
        note: "Layers 0 to 17.".into(),
        empty: "no autoencoder of this model has a probe with F1 above 0.6".into(),
        ..Scatter::default()
    }
}

fn ablation() -> Bars {
    let ids = [1085, 2854, 5571, 4126, 14964, 2673, 2791, 9134, 3775, 5489];
    let row = |(i, id): (usize, &i32)| {
        let value = if i == 0 { -6.4 } else { 0.9 * (noise(i) - 0.5) };
        let bar = |value: f64, half: f64| Bar {
            value,
            lo: Some(value - half),
            hi: Some(value + half),
        };
        BarRow {
            label: id.to_string(),
            bars: vec![
                Some(bar(value, 0.1 - value * 0.05)),
                (i > 0).then(|| bar(value * 0.8, 0.08)),
            ],
        }
    };
    Bars {
        title: "Effect of ablating a latent on \" short\"".into(),
        note: "Ten latents with the largest effect; gemma-2-2b, layer 3, width 16k, L0 59.".into(),
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

fn plain_bars() -> Bars {
    let mut figure = ablation();
    figure.title = "One series, long names".into();
    figure.note = String::new();
    figure.series.truncate(1);
    for (i, row) in figure.rows.iter_mut().enumerate() {
        row.label = match i {
            2 => " snake\n".into(),
            5 => "gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82/latent_2673".into(),
            _ => row.label.clone(),
        };
        for bar in row.bars.iter_mut().flatten() {
            (bar.lo, bar.hi) = (None, None);
        }
    }
    figure.rows[7].bars[0] = Some(Bar {
        value: f64::NAN,
        ..Bar::default()
    });
    figure
}

fn curve(name: &str, seed: usize, ends: bool, xs: &[f64]) -> Series {
    let point = |(i, x): (usize, &f64)| {
        let y = f1(*x, seed + i).max(0.02);
        let ends = |d: f64| ends.then_some(y + d);
        Point {
            x: *x,
            y,
            lo: ends(-0.08),
            hi: ends(0.08),
        }
    };
    Series {
        name: name.into(),
        points: xs.iter().enumerate().map(point).collect(),
    }
}

fn letters(n: usize, joined: bool) -> Panels {
    let panel = |i: usize| {
        let missing = i == 23;
        let series = [("width 16k", 0), ("width 65k", 50)].map(|(name, seed)| {
            let xs = if missing {
                Vec::new()
            } else {
                l0s(if joined { 12 } else { 18 }, i * 13 + seed)
            };
            curve(name, i * 31 + seed, joined, &xs)
        });
        Panel {
            title: char::from(b'a' + i as u8).to_string(),
            series: series.to_vec(),
            reference: (!missing).then_some(0.88 + 0.1 * noise(i)),
            empty: if missing {
                "no word starts with x".into()
            } else {
                String::new()
            },
        }
    };
    Panels {
        title: "F1 of the best latent over L0, by letter".into(),
        note: "Layers 0 to 17.".into(),
        x_axis: "L0 (latents active on a token)".into(),
        y_axis: "F1".into(),
        log_x: !joined,
        y_range: Some((0.0, 1.0)),
        joined,
        panels: (0..n).map(panel).collect(),
        reference: "F1 of the probe for the letter".into(),
        band: (!joined).then(|| Band {
            lo: 0.2,
            hi: 0.6,
            label: "published range".into(),
        }),
        ..Panels::default()
    }
}

fn cosines() -> Heatmap {
    let names = ["left", "right", "both", "neither", "red", "green", "blue", "odd"];
    let value = |i: usize, j: usize| {
        if i == j {
            0.97
        } else {
            (noise(i * 9 + j) - 0.5) * if i + j == 4 { 1.4 } else { 0.3 }
        }
    };
    Heatmap {
        title: "Cosine of decoder and true feature".into(),
        scale: "cosine".into(),
        y_axis: "true feature".into(),
        x_axis: "latent".into(),
        rows: names.map(String::from).to_vec(),
        columns: (0..8).map(|i| i.to_string()).collect(),
        values: (0..8).map(|i| (0..8).map(|j| Some(value(i, j))).collect()).collect(),
        range: (-1.0, 1.0),
        digits: 2,
        ..Heatmap::default()
    }
}

fn tokens(small: bool) -> Heatmap {
    let tokens = [
        "<bos>", "tart", " has", " the", " first", " letter", ":", " T", "\n", "mirth", " has", " the", " first",
        " letter", ":", " M", "\n", " short", " has", ":",
    ];
    let value = |layer: usize, j: usize| {
        let at = if layer < 18 { 17 } else { 19 };
        let main = if j == at { 0.9 } else { 0.0 };
        (layer != 11 || j != 3).then(|| main + 0.12 * (noise(layer * 20 + j) - 0.3))
    };
    Heatmap {
        title: "Where the letter can be read: patching one layer and token".into(),
        note: "Share of the logit difference that comes back.".into(),
        scale: "recovered share".into(),
        y_axis: "layer".into(),
        x_axis: "token of the prompt".into(),
        rows: (0..26).map(|i| i.to_string()).collect(),
        columns: tokens.map(String::from).to_vec(),
        values: (0..26).map(|i| (0..20).map(|j| value(i, j)).collect()).collect(),
        range: (0.0, 1.0),
        digits: 2,
        small,
        ..Heatmap::default()
    }
}

fn k_curve() -> Lines {
    let xs: Vec<f64> = (1..=5).map(f64::from).collect();
    let mut l = curve("L", 0, true, &xs);
    for (i, p) in l.points.iter_mut().enumerate() {
        (p.y, p.lo, p.hi) = (0.6 + 0.03 * i as f64, None, None);
    }
    l.points[3].y = f64::NAN;
    Lines {
        title: "F1 over k".into(),
        note: String::new(),
        x_axis: "k".into(),
        y_axis: "F1".into(),
        x_scale: LinesScale::Linear,
        x_ticks: Vec::new(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Bars,
        series: vec![l, curve("N", 7, true, &xs)],
    }
}

fn forest(rows: usize) -> Forest {
    let row = |i: usize| {
        let value = 0.9 - 0.11 * i as f64;
        ForestRow {
            label: match i {
                3 => "gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82".into(),
                _ => format!("arm {i}"),
            },
            group: if i < 2 { "probe".into() } else { "autoencoder".into() },
            value: (i != 4).then_some(value),
            lo: (i != 4).then_some(value - 0.06),
            hi: (i != 4).then_some(value + 0.05),
        }
    };
    let references = [(1.0, "full site"), (0.95, "ceiling of directions"), (0.0, "null")];
    Forest {
        title: "Mediated share".into(),
        note: "95 % intervals over letters.".into(),
        axis: "share of the effect of the letter".into(),
        rows: (0..rows).map(row).collect(),
        references: references
            .map(|(at, label)| Reference {
                at,
                label: label.into(),
            })
            .to_vec(),
        digits: 2,
    }
}

fn wide_band() -> Lines {
    let xs: Vec<f64> = (0..10).map(|i| 2_f64.powi(i)).collect();
    Lines {
        title: "F1 over k, on a log axis".into(),
        x_scale: LinesScale::Log2,
        spread: Spread::Band,
        series: vec![curve("width 16k", 0, true, &xs), curve("width 65k", 40, true, &xs)],
        y_axis: "F1, mean over the letters that have at least a hundred words in the held-out part".into(),
        ..k_curve()
    }
}

fn letters_by_sae() -> Heatmap {
    let names = ["16k/average_l0_22", "16k/average_l0_82", "65k/average_l0_21"];
    let value = |i: usize, j: usize| (i != 9 || j != 1).then(|| noise(i * 3 + j));
    Heatmap {
        title: "Absorption rate by letter".into(),
        scale: "absorption rate (share of the words that the probe finds)".into(),
        rows: ('a'..='j').map(String::from).collect(),
        columns: names.map(|name| format!("layer_12/width_{name}")).to_vec(),
        values: (0..10).map(|i| (0..3).map(|j| value(i, j)).collect()).collect(),
        range: (0.0, 1.0),
        digits: 2,
        ..Heatmap::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: gallery FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let figures = [
        ("scatter", f1_over_l0(false).to_svg()),
        ("scatter-log", f1_over_l0(true).to_svg()),
        ("scatter-swarm", swarm().to_svg()),
        ("scatter-swarm-dense", dense_swarm().to_svg()),
        ("scatter-colour", precision_recall().to_svg()),
        ("scatter-labels", labelled(200.0).to_svg()),
        ("scatter-labels-crowded", labelled(30.0).to_svg()),
        ("scatter-hostile", hostile().to_svg()),
        ("scatter-one", one_point().to_svg()),
        ("scatter-none", no_points().to_svg()),
        ("bars", ablation().to_svg()),
        ("bars-plain", plain_bars().to_svg()),
        ("panels", letters(26, false).to_svg()),
        ("panels-joined", letters(8, true).to_svg()),
        ("panels-one", letters(1, true).to_svg()),
        ("heatmap", cosines().to_svg()),
        ("heatmap-tokens", tokens(true).to_svg()),
        ("heatmap-tokens-numbers", tokens(false).to_svg()),
        ("heatmap-none", Heatmap::default().to_svg()),
        ("lines", k_curve().to_svg()),
        ("lines-band", wide_band().to_svg()),
        ("heatmap-letters", letters_by_sae().to_svg()),
        ("forest", forest(7).to_svg()),
        ("forest-none", forest(0).to_svg()),
    ];
    for (name, svg) in figures {
        std::fs::write(folder.join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}
