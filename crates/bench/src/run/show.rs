//! Records as tables and sentences.

pub(crate) mod gap;
mod side;

use std::collections::BTreeMap;

use report::sentences::{Conclusion, Gap, Named, conclude};
use report::{Cell, Column, Table};
use stats::{DEFAULT_FLIPS, benjamini_hochberg, sign_flip};
use store::{Estimate, Record};

use super::summary::by_letter;
use super::unit::{DIRECTION_ARMS, FULL_DIRECTION_ARMS, full_sae_arm_names, one_latent};

/// The arm that stands for an SAE in conclusions: the rule a user would apply, on train words only.
const HEADLINE_RULE: &str = "probe";

/// All tables of a run.
pub(crate) fn tables(reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<Table>> {
    let mut all = vec![layers(reference)?, arms(reference, saes)?];
    if !saes.is_empty() {
        all.push(panel(reference, saes)?);
        all.extend(gap::tables(saes)?);
        all.extend(super::detectors::tables(reference, saes)?);
    }
    all.extend(super::doses::table(reference, saes)?);
    all.extend(side::tables(reference, saes)?);
    Ok(all)
}

fn value(record: &Record, name: &str, digits: usize) -> Cell {
    Cell::estimate(record.summary.get(name), digits, "not measured")
}

/// Where the letter is, layer by layer.
fn layers(reference: &Record) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("layer"),
        Column::higher("site share")
            .with_help("effect of patching the word's vector from another word / effect of really changing the word"),
        Column::number("flipped")
            .with_help("share of word pairs in which the patch makes more than half of the change"),
    ];
    let title = format!(
        "Where the letter is: site share of every layer of {}",
        reference.spec.model.id
    );
    let mut table = Table::new(&title, columns);
    let used = reference
        .spec
        .site
        .hook
        .split('.')
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    for row in reference.tables.get("layers").into_iter().flatten() {
        let layer = row.at.get("layer").cloned().unwrap_or_default();
        let name = if layer == used {
            format!("{layer} (edited)")
        } else {
            layer
        };
        table.push(vec![
            Cell::text(name),
            Cell::estimate(row.values.get("site_share"), 2, "no pairs"),
            Cell::estimate(row.values.get("flipped"), 2, "no pairs"),
        ])?;
    }
    Ok(table)
}

/// One row per arm.
fn arms(reference: &Record, saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("arm"),
        Column::higher("MS")
            .with_help("mediated share: effect on the letter's log-odds / effect of replacing the whole vector"),
        Column::lower("O").with_help("damage: the same edit's effect on words of other letters / that of replacing the vector there; can exceed 1"),
        Column::lower("O max").with_help("the same for the most damaged other letter"),
        Column::higher("M*").with_help("clip(MS) (1 - clip(O)): 0 for nothing and for destroying everything"),
        Column::higher("Fi").with_help("fidelity: 1 where each word lands where the full edit puts it"),
        Column::higher("MS patch").with_help("mediated share when the value of another word is patched in"),
        Column::number("dose").with_help("length of the edit / length of the vector, on the letter's words"),
    ];
    let mut table = Table::new(format!("Arms at {}", reference.spec.site.hook), columns);
    let mut push = |record: &Record, arm: &str, shown: String| {
        let cell = |metric: &str| value(record, &format!("{arm}/{metric}"), 2);
        table.push(vec![
            Cell::text(shown),
            cell("ms"),
            cell("o_mean"),
            cell("o_max"),
            cell("m_star"),
            cell("fi"),
            cell("ms_patch"),
            cell("dose"),
        ])
    };
    // A record holds the arms of the full set only where they were asked for.
    let measured = |record: &Record, arm: &str| record.summary.contains_key(&format!("{arm}/ms"));
    for arm in DIRECTION_ARMS {
        push(reference, arm, arm.to_owned())?;
    }
    for arm in FULL_DIRECTION_ARMS.iter().filter(|arm| measured(reference, arm)) {
        push(reference, arm, (*arm).to_owned())?;
    }
    for sae in saes {
        let id = sae.spec.sae.as_ref().map_or("", |s| s.id.as_str());
        let core = [
            "sae:random".to_owned(),
            "sae:other-letter".to_owned(),
            one_latent(HEADLINE_RULE),
        ];
        let full = full_sae_arm_names().into_iter().filter(|arm| measured(sae, arm));
        for arm in core.into_iter().chain(full) {
            push(sae, &arm, format!("{id} {}", arm.trim_start_matches("sae:")))?;
        }
    }
    table.notes.push(format!(
        "{} letters scored; intervals are 95 % bootstrap-t over letters (O max: t over letters). Latents chosen on train words, scores on held-out words.",
        reference.summary.get("leace-1/ms").map_or(0, |e| e.n)
    ));
    Ok(table)
}

/// One row per SAE.
fn panel(reference: &Record, saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("SAE"),
        Column::number("L0").with_help("active latents per word"),
        Column::number("EV").with_help("explained variance on held-out words"),
        Column::higher("F1").with_help("best single latent per letter as a classifier of held-out words"),
        Column::number("split").with_help("further precise latents per letter"),
        Column::number("absorbed").with_help("SAEBench full absorption, the main latent and the splitting ones counting as the letter's own; low also for an SAE with no letter latent, so read it beside F1"),
        Column::higher("M* cosine").with_help("one latent per letter, nearest encoder direction to the probe"),
        Column::higher("M* probe").with_help("one latent per letter, best one-latent probe on train words"),
        Column::higher("M* effect").with_help("one latent per letter, largest exact effect on train words"),
        Column::higher("M* oracle").with_help("one latent per letter, the best on the test words themselves among these rules and the three strongest: no fair score, and no less than the three rules"),
        Column::lower("k to match").with_help("median over letters of the latents needed to reach 0.9 of LEACE's MS with O <= 0.2"),
        Column::higher("matched").with_help("share of letters that do with at most 64"),
        Column::lower("q").with_help("paired sign flip over letters of M* (probe) against LEACE, Benjamini-Hochberg over SAEs"),
    ];
    let mut table = Table::new("SAEs: what one latent per letter mediates", columns);
    let tests = paired_tests(reference, saes)?;
    for (sae, q) in saes.iter().zip(tests.q) {
        let m = |rule: &str| value(sae, &format!("{}/m_star", one_latent(rule)), 2);
        let point = |name: &str, digits: usize| match sae.summary.get(name) {
            Some(e) => Cell::Number { value: e.value, digits },
            None => Cell::Missing("not measured".to_owned()),
        };
        table.push(vec![
            Cell::text(sae.spec.sae.as_ref().map_or("", |s| s.id.as_str())),
            point("sae/l0", 1),
            point("sae/explained_variance", 2),
            value(sae, "latent/f1", 2),
            point("latent/split_latents", 2),
            point("latent/full_absorption", 3),
            m("cosine"),
            m("probe"),
            m("effect"),
            m("oracle"),
            match sae.summary.get("k_to_match/median") {
                Some(median) => Cell::Number {
                    value: median.value,
                    digits: 0,
                },
                None => Cell::text(largest_tried(sae)),
            },
            point("k_to_match/matched", 2),
            match q {
                Some(q) if q < 1e-4 => Cell::text("< 0.0001"),
                Some(q) => Cell::Number { value: q, digits: 4 },
                None => Cell::Missing("too few letters".to_owned()),
            },
        ])?;
    }
    Ok(table)
}

/// What stands for a median beyond the largest sets.
fn largest_tried(sae: &Record) -> String {
    let largest = sae.summary.get("k_to_match/largest").map(|e| e.value);
    largest.map_or_else(|| "not measured".to_owned(), |k| format!("> {k}"))
}

/// Paired differences of M* to LEACE, per SAE.
struct Tests {
    p: Vec<Option<f64>>,
    q: Vec<Option<f64>>,
    differences: Vec<Vec<f64>>,
}

fn paired_tests(reference: &Record, saes: &[&Record]) -> anyhow::Result<Tests> {
    let leace = by_letter(&reference.letters, "leace-1", "m_star");
    let mut tests = Tests {
        p: Vec::new(),
        q: vec![None; saes.len()],
        differences: Vec::new(),
    };
    for sae in saes {
        let own = by_letter(&sae.letters, &one_latent(HEADLINE_RULE), "m_star");
        let d: Vec<f64> = leace
            .iter()
            .filter_map(|(letter, m)| Some(m - own.get(letter)?))
            .collect();
        let seed = stats::seed::sub_seed(reference.spec.seed, "statistics/sign-flip");
        tests.p.push(sign_flip(&d, DEFAULT_FLIPS, seed).ok().map(|test| test.p));
        tests.differences.push(d);
    }
    let known: Vec<f64> = tests.p.iter().flatten().copied().collect();
    if !known.is_empty() {
        let mut q = benjamini_hochberg(&known)?.into_iter();
        tests.q = tests.p.iter().map(|p| p.and_then(|_| q.next())).collect();
    }
    Ok(tests)
}

/// How far the best SAE is behind in M*, and whether a set of one latent per letter mediates spelling.
pub(crate) fn conclusion(reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<String>> {
    let gate = reference.warnings.iter().chain(saes.iter().flat_map(|s| &s.warnings));
    if gate
        .clone()
        .any(|w| matches!(w.code(), "site-not-identifiable" | "model-fails-task"))
    {
        return Ok(vec![
            "No conclusion: the letter does not go through this site of this model (see the warnings).".to_owned(),
        ]);
    }
    let named = |record: &Record, arm: &str, name: &str| -> Option<Named> {
        let Estimate { value, lo, hi, .. } = record.summary.get(&format!("{arm}/m_star"))?.clone();
        Some(Named {
            name: name.to_owned(),
            value,
            lo,
            hi,
        })
    };
    let arm = one_latent(HEADLINE_RULE);
    let best = (0..saes.len())
        .filter_map(|i| Some((i, saes[i].summary.get(&format!("{arm}/m_star"))?.value)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let tests = paired_tests(reference, saes)?;
    let gap = best.and_then(|(i, _)| {
        let interval = stats::letter_t(&tests.differences[i], stats::DEFAULT_LEVEL).ok()?;
        Some(Gap {
            value: interval.value,
            lo: Some(interval.lo),
            hi: Some(interval.hi),
            p: tests.p[i],
            units: format!("{} letters", interval.letters),
        })
    });
    let conclusion = Conclusion {
        measure: "M*".to_owned(),
        references: ["leace-1", "lr"]
            .iter()
            .filter_map(|arm| named(reference, arm, arm))
            .collect(),
        best_sae: best.and_then(|(i, _)| {
            let id = saes[i].spec.sae.as_ref().map_or("", |s| s.id.as_str()).to_owned();
            named(
                saes[i],
                &arm,
                &format!("{id} (one latent per letter, rule {HEADLINE_RULE})"),
            )
        }),
        gap,
        parts: Vec::new(),
        alpha: 0.05,
    };
    let mut sentences = conclude(&conclusion);
    sentences.extend(best.and_then(|(i, _)| gap::sentence(saes[i])));
    sentences.extend(super::answer::answer(reference, saes)?);
    Ok(sentences)
}

/// Every distinct warning with its remedy.
pub(crate) fn warnings(reference: &Record, saes: &[&Record]) -> Vec<String> {
    let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
    for warning in reference.warnings.iter().chain(saes.iter().flat_map(|s| &s.warnings)) {
        seen.insert(
            format!("warning[{}]: {}", warning.code(), warning.message()),
            warning.remedy(),
        );
    }
    seen.into_iter()
        .map(|(message, remedy)| format!("{message}\n  hint: {remedy}"))
        .collect()
}
