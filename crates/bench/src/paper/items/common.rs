//! What the items share: means over letters, groups of points, columns.

use ablation::attribution::{ErrorTerm, PositiveToken};
use linear_probe::metrics::ClassScores;
use report::svg::{Dot, Group, Reference, Scatter};
use report::{Cell, Column, Published, Table};
use stats::{DEFAULT_LEVEL, letter_t};

use super::Measured;
use crate::paper::plan::Member;
use crate::paper::subject::SaeUnits;
use crate::run::Icl;

/// Why a mean over letters is missing.
pub(super) const TOO_FEW: &str = "too few letters";

/// A mean over letters with its 95 % t interval.
#[derive(Clone, Copy)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) lo: Option<f64>,
    pub(super) hi: Option<f64>,
}

/// Over the letters that have a value.
pub(super) fn over_letters(values: impl IntoIterator<Item = Option<f64>>) -> Option<Mean> {
    let values: Vec<f64> = values.into_iter().flatten().filter(|v| v.is_finite()).collect();
    let value = stats::mean(&values).ok()?;
    let interval = letter_t(&values, DEFAULT_LEVEL).ok();
    Some(Mean {
        value,
        lo: interval.map(|i| i.lo),
        hi: interval.map(|i| i.hi),
    })
}

impl Mean {
    pub(super) fn cell(mean: Option<Self>, digits: usize) -> Cell {
        match mean {
            Some(Self { value, lo, hi, .. }) => Cell::Estimate { value, lo, hi, digits },
            None => Cell::Missing(TOO_FEW.to_owned()),
        }
    }

    pub(super) fn dot(mean: Option<Self>, x: f64, label: &str) -> Option<Dot> {
        let mean = mean?;
        Some(Dot {
            x,
            y: mean.value,
            lo: mean.lo,
            hi: mean.hi,
            label: label.to_owned(),
            ..Dot::default()
        })
    }
}

/// One score of each class.
pub(super) fn of(scores: &[Option<ClassScores>], value: fn(&ClassScores) -> f64) -> Option<Mean> {
    over_letters(scores.iter().map(|scores| scores.as_ref().map(value)))
}

/// The name under which points are grouped: the architecture, or the width where all SAEs have one architecture.
pub(super) fn group_of(measured: &Measured<'_>, member: &Member) -> String {
    let spec = &member.input.spec;
    let one = measured
        .saes
        .iter()
        .all(|(other, _)| other.input.spec.architecture == spec.architecture);
    if one {
        format!("{} latents", spec.width)
    } else {
        spec.architecture.clone()
    }
}

/// Points of all SAEs by group; `None` from `point` leaves one out.
pub(super) fn groups(measured: &Measured<'_>, point: impl Fn(&Member, &SaeUnits) -> Option<Dot>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (member, units) in &measured.saes {
        let Some(dot) = point(member, units) else { continue };
        let name = group_of(measured, member);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.dots.push(dot),
            None => groups.push(Group { name, dots: vec![dot] }),
        }
    }
    groups
}

/// Active latents per word of an SAE.
pub(super) fn l0(units: &SaeUnits) -> f64 {
    units.detection.data.detection.l0
}

/// A scatter over L0.
pub(super) fn by_l0(title: &str, y_axis: &str, groups: Vec<Group>) -> Scatter {
    Scatter {
        title: title.to_owned(),
        x_axis: "L0 (active latents per word)".to_owned(),
        y_axis: y_axis.to_owned(),
        log_x: true,
        groups,
        empty: "no SAE".to_owned(),
        ..Scatter::default()
    }
}

/// A swarm over layers.
pub(super) fn by_layer(measured: &Measured<'_>, title: &str, y_axis: &str, groups: Vec<Group>) -> Scatter {
    let last = measured.plan.config.layers.saturating_sub(1) as f64;
    Scatter {
        title: title.to_owned(),
        x_axis: "layer".to_owned(),
        y_axis: y_axis.to_owned(),
        x_range: Some((0.0, last.max(1.0))),
        swarm: true,
        groups,
        empty: "no SAE".to_owned(),
        ..Scatter::default()
    }
}

/// The dense probe's mean score as a line across a figure: of each of its layers if they are few, else their mean.
pub(super) fn probe_lines(
    measured: &Measured<'_>,
    keep: impl Fn(usize) -> bool,
    value: fn(&ClassScores) -> f64,
) -> Vec<Reference> {
    const FEW: usize = 3;
    let lines: Vec<(usize, f64)> = measured
        .probes
        .iter()
        .filter(|(probe, _)| keep(probe.layer))
        .filter_map(|(probe, _)| Some((probe.layer, of(&probe.sgd, value)?.value)))
        .collect();
    if lines.len() > FEW {
        return vec![Reference {
            at: lines.iter().map(|(_, value)| value).sum::<f64>() / lines.len() as f64,
            label: format!("probe, mean over {} layers", lines.len()),
        }];
    }
    let line = |(layer, at)| Reference {
        at,
        label: format!("probe, layer {layer}"),
    };
    lines.into_iter().map(line).collect()
}

/// How much of the letter still passes through the word's position after a layer, from the patching map.
pub(super) fn site_share(measured: &Measured<'_>, layer: usize) -> Option<f64> {
    let cell = measured
        .map
        .cells
        .iter()
        .find(|cell| cell.layer == layer && cell.position == 0)?;
    let patched: f64 = cell.by_letter.iter().map(|(_, patched, _)| patched).sum();
    let total: f64 = cell.by_letter.iter().map(|(_, _, total)| total).sum();
    (total.abs() > 0.0).then(|| patched / total)
}

/// Names the SAEs at layers that the letter has left: what is measured by effects there says little.
pub(super) fn site_note(measured: &Measured<'_>, table: &mut Table) {
    const LEFT: f64 = 0.5;
    let gone: Vec<usize> = measured
        .plan
        .layers()
        .into_iter()
        .filter(|&layer| site_share(measured, layer).is_some_and(|share| share < LEFT))
        .collect();
    if !gone.is_empty() {
        let layers = gone.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        table.notes.push(format!(
            "After layer {layers} less than half of the letter still passes through the word (fig22): effects of edits there are small, and so are absorption rates by effect, which says nothing about those SAEs. The paper leaves such layers out."
        ));
    }
}

/// A table whose first columns name the SAE, its layer and its L0.
pub(super) fn sae_table(title: &str, columns: Vec<Column>) -> Table {
    let mut all = vec![
        Column::text("SAE"),
        Column::number("layer"),
        Column::number("L0").with_help("active latents per test word"),
    ];
    all.extend(columns);
    Table::new(title, all)
}

/// The cells of those columns.
pub(super) fn sae_cells(member: &Member, units: &SaeUnits) -> Vec<Cell> {
    vec![
        Cell::text(&member.input.id),
        Cell::count(member.layer as u64),
        Cell::Number {
            value: l0(units),
            digits: 1,
        },
    ]
}

/// What was run, as a note.
pub(super) fn note(measured: &Measured<'_>, table: &mut Table, published: &Published) {
    let probe = measured.probes.first().map(|(probe, _)| probe);
    let words = probe.map_or_else(String::new, |probe| {
        let ranking = measured.args.ranking(probe.train_words).batch_size;
        format!(
            "{} train and {} test words, {} letters; {} examples for each prompt{}; batches of {} for the dense probe and of {ranking} for the ranking probe; seed {}. ",
            probe.train_words,
            probe.test_words,
            measured.plan.letters.len(),
            if measured.args.icl == Icl::Fresh { "fresh" } else { "shared sets of" },
            if measured.args.leading_newline { ", a leading newline" } else { "" },
            probe.batch,
            measured.args.seed
        )
    });
    table.notes.push(format!(
        "{}: {words}Intervals are 95 % t over letters.",
        measured.plan.model_id
    ));
    said(table, published);
}

/// How effects were measured and judged, as a note.
pub(super) fn effects_note(measured: &Measured<'_>, table: &mut Table) {
    let settings = measured.args.settings();
    let (path, rule) = (settings.path, settings.chanin);
    table.notes.push(format!(
        "Effects: integrated gradients of {} steps, SAE error {}, right answer's token as in {}; a word is absorbed if one latent leads by {} and has cosine {}; at most {} words per letter.",
        path.steps,
        match path.error {
            ErrorTerm::Faded => "fading",
            ErrorTerm::Held => "held",
        },
        match path.positive {
            PositiveToken::Paper => "the paper",
            PositiveToken::Released => "the released code",
        },
        rule.delta,
        rule.cosine,
        rule.max_prompts
    ));
}

/// What the paper says, as a note.
pub(super) fn said(table: &mut Table, published: &Published) {
    let text = published.text().unwrap_or_else(|| "nothing".to_owned());
    table.notes.push(format!("Published: {text}"));
}

/// Of an item, by name.
pub(super) fn published(name: &str) -> Published {
    super::ALL.iter().find(|item| item.name == name).map_or_else(
        || Published::words("nothing", "not in the paper"),
        |item| (item.published)(),
    )
}
