//! One unit of work: its arms, measured, scored and made into a record.

use std::collections::BTreeMap;

use ablation::absorption::{decoder_cosines, full_absorption};
use ablation::select::{by_encoder_cosine, by_sparse_probe, own_latents, rank_by_effect, single_effects};
use ablation::{Arm, Bench, EffectRow, SaeSide, arms, score};
use linear_probe::metrics;
use sae::{Sae, SparseLatents, evaluate, l0_warning};
use store::{Estimate, LetterRow, TableRow, Warning};

use super::args::RunArgs;
use super::plan::{Plan, SaeInput};
use super::site::{Site, Stages, layer_map};
use super::summary::{Summary, k_to_match, macro_estimate};

/// Arms without an SAE, in the order of the table.
pub(crate) const DIRECTION_ARMS: [&str; 7] = ["null", "full-site", "random", "diff-mean", "lr", "leace-1", "leace-25"];

/// Decoder norms this close to 1 count as 1: bf16 storage alone moves them by half of it.
const UNIT_TOLERANCE: f32 = 0.01;

/// Selection rules of one latent per letter; `oracle` sees the test words.
pub(crate) const RULES: [&str; 4] = ["cosine", "probe", "effect", "oracle"];

/// Set sizes of the k-curve.
pub(crate) const KS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/// Name of the arm of one latent per letter chosen by a rule.
pub(crate) fn one_latent(rule: &str) -> String {
    format!("sae:k=1:{rule}")
}

/// Name of the arm of `k` latents per letter by exact effect.
pub(crate) fn k_latents(k: usize) -> String {
    format!("sae:k={k}")
}

/// Every arm of an SAE's unit.
pub(crate) fn sae_arm_names() -> Vec<String> {
    let rules = RULES.iter().map(|rule| one_latent(rule));
    rules
        .chain(["sae:random".to_owned()])
        .chain(KS[1..].iter().map(|&k| k_latents(k)))
        .collect()
}

/// A finished unit: measurements and rows.
pub(crate) struct Unit {
    pub(crate) summary: Summary,
    pub(crate) rows: Vec<EffectRow>,
}

impl Unit {
    fn new(args: &RunArgs) -> Self {
        Self {
            summary: Summary::new(args.seed, args.replicates),
            rows: Vec::new(),
        }
    }

    /// Measures, scores and keeps an arm.
    fn arm(
        &mut self,
        site: &Site,
        bench: &Bench<'_>,
        arm: &Arm,
        latents: Option<&SparseLatents>,
    ) -> anyhow::Result<()> {
        let measured = bench.measure(arm, latents, true)?;
        let rows = bench.rows(&measured, |row| site.word(row));
        let scored = score(&rows)?;
        let dose = rows
            .iter()
            .filter(|r| r.mode == "erase" && r.editor == r.letter && !scored.unidentified.contains(&r.letter))
            .map(|r| f64::from(r.dose));
        let doses: Vec<f64> = dose.collect();
        if doses.iter().all(|&d| d == 0.0) && arm.name != "null" {
            self.summary.warnings.push(Warning::NoOpEdit { arm: arm.name.clone() });
        }
        self.summary.arm(
            &arm.name,
            &scored,
            doses.iter().sum::<f64>() / doses.len().max(1) as f64,
        )?;
        self.rows.extend(rows);
        Ok(())
    }
}

/// The unit of all arms that need no SAE, with the site map.
pub(crate) fn directions(
    args: &RunArgs,
    plan: &Plan,
    site: &Site,
    stages: &Stages<'_>,
    bench: &Bench<'_>,
) -> anyhow::Result<Unit> {
    let mut unit = Unit::new(args);
    let (d, seed) = (site.train.d, plan.directions.seed);
    let leace = arms::leace_1(&site.directions, &site.train);
    let all = [
        arms::null(plan.letters.len()),
        arms::full_site(&site.directions),
        arms::random(&leace, d, args.random_draws, seed),
        arms::diff_mean(&site.directions, &site.train),
        arms::lr(&site.directions, &site.train),
        leace,
        arms::leace_joint(&site.directions, &site.train),
    ];
    for mut arm in all {
        // With 26 letters the joint rank is 25; with fewer it is smaller, and the name stays.
        if arm.name.starts_with("leace-") && arm.name != "leace-1" {
            "leace-25".clone_into(&mut arm.name);
        }
        unit.arm(site, bench, &arm, None)?;
    }
    let n = plan.letters.len() as u64;
    let probe = |field: fn(&linear_probe::metrics::ClassScores) -> f64| {
        let values: Vec<f64> = site.lr.classes.iter().flatten().map(field).collect();
        macro_estimate(&values, "share").higher_is_better()
    };
    let summary = &mut unit.summary;
    summary.put("probe/f1", probe(|c| c.f1));
    summary.put("probe/precision", probe(|c| c.precision));
    summary.put("probe/recall", probe(|c| c.recall));
    summary.put("probe/auc", probe(|c| c.auc));
    summary.put("probe/c", Estimate::point(site.directions.lr_c, n, "1"));
    summary.put(
        "model/accuracy",
        Estimate::point(site.accuracy, site.asked as u64, "share").higher_is_better(),
    );
    for (class, scores) in site.lr.classes.iter().enumerate() {
        let Some(c) = scores else { continue };
        let values = [
            ("f1", c.f1),
            ("precision", c.precision),
            ("recall", c.recall),
            ("auc", c.auc),
        ];
        let values = values
            .into_iter()
            .map(|(k, v)| (k.to_owned(), Estimate::point(v, c.positives as u64, "share")));
        summary.letters.push(LetterRow {
            letter: plan.letters[class].lower(),
            arm: "probe".to_owned(),
            values: values.collect(),
        });
    }
    site_share(plan, site, stages, summary)?;
    summary.tables.insert("words".to_owned(), words(plan, site));
    Ok(unit)
}

/// The scored words with their strata, so that any result can be broken down by them.
fn words(plan: &Plan, site: &Site) -> Vec<TableRow> {
    let row = |row: usize| {
        let word = &plan.vocabulary.words[plan.test.prompts[site.scored.rows[row]].word];
        let at = [
            ("word", word.text.clone()),
            ("letter", word.letter.to_string()),
            ("case", format!("{:?}", word.stratum.case).to_lowercase()),
            ("leading_space", word.stratum.leading_space.to_string()),
            ("fragment", word.stratum.fragment.to_string()),
        ];
        TableRow {
            at: at.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            values: BTreeMap::from([(
                "length".to_owned(),
                Estimate::point(word.stratum.length as f64, 1, "letters"),
            )]),
        }
    };
    (0..site.words).map(row).collect()
}

/// The site share of every layer, and the gate at the chosen one.
fn site_share(plan: &Plan, site: &Site, stages: &Stages<'_>, summary: &mut Summary) -> anyhow::Result<()> {
    const NEEDED: f64 = 0.5;
    let mut rows = Vec::new();
    for (layer, effects) in layer_map(plan, site, stages)?.into_iter().enumerate() {
        let mut by_letter: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        let flipped = effects
            .iter()
            .filter(|e| e.patched > 0.5 * e.total && e.total > 0.0)
            .count();
        for effect in &effects {
            let sums = by_letter.entry(effect.letter).or_default();
            sums[0] += effect.patched;
            sums[1] += effect.total;
        }
        let Some(share) = shares_of(&by_letter) else {
            // No pair of words differs in the model's answer: nothing says that the letter is here.
            if layer == plan.layer {
                summary.warnings.push(Warning::SiteNotIdentifiable {
                    hook: plan.hook.clone(),
                    full_site_effect: 0.0,
                    needed: NEEDED,
                });
            }
            continue;
        };
        let shares: Vec<f64> = by_letter.values().filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]).collect();
        let more_than_half = Estimate::point(
            flipped as f64 / effects.len().max(1) as f64,
            effects.len() as u64,
            "share",
        );
        if layer == plan.layer {
            let t = t_statistic(&by_letter.values().map(|s| s[1]).collect::<Vec<_>>());
            if share.value < NEEDED || t.abs() <= 5.0 {
                summary.warnings.push(Warning::SiteNotIdentifiable {
                    hook: plan.hook.clone(),
                    full_site_effect: share.value,
                    needed: NEEDED,
                });
            }
            summary.put("site/share", share.clone());
            summary.put("site/t", Estimate::point(t, shares.len() as u64, "1"));
        }
        rows.push(TableRow {
            at: BTreeMap::from([("layer".to_owned(), layer.to_string())]),
            values: BTreeMap::from([("site_share".to_owned(), share), ("flipped".to_owned(), more_than_half)]),
        });
    }
    summary.tables.insert("layers".to_owned(), rows);
    Ok(())
}

/// Mean over letters of the patched share; none where no letter's words can be changed.
fn shares_of(by_letter: &BTreeMap<usize, [f64; 2]>) -> Option<Estimate> {
    let shares: Vec<f64> = by_letter.values().filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]).collect();
    (!shares.is_empty()).then(|| macro_estimate(&shares, "share").higher_is_better())
}

fn t_statistic(values: &[f64]) -> f64 {
    match (stats::mean(values), stats::sd(values)) {
        (Ok(mean), Ok(sd)) if sd > 0.0 => mean / sd * (values.len() as f64).sqrt(),
        _ => 0.0,
    }
}

/// The unit of one SAE.
pub(crate) fn sae(
    args: &RunArgs,
    plan: &Plan,
    site: &Site,
    stages: &Stages<'_>,
    bench: &Bench<'_>,
    input: &SaeInput,
    reference: &store::Record,
) -> anyhow::Result<Unit> {
    let opened = args.open.open(&input.path)?;
    // Effects do not depend on the decoder's length, but activations and cosines are read beside
    // each other, so norms are folded where that is legal; where it is not and they are off, the
    // absorption shares are off by as much, and the record says so.
    let sae = opened.fold_decoder_norms().unwrap_or(opened);
    let mut unit = Unit::new(args);
    unit.summary.warnings.extend(input.warnings.iter().cloned());
    let norms = sae.decoder_norms();
    let bounds = norms
        .iter()
        .fold((f32::INFINITY, 0f32), |(lo, hi), &n| (lo.min(n), hi.max(n)));
    if (bounds.0 - 1.0).abs().max((bounds.1 - 1.0).abs()) > UNIT_TOLERANCE {
        let (min_norm, max_norm) = (f64::from(bounds.0), f64::from(bounds.1));
        unit.summary.warnings.push(Warning::NonUnitDecoder {
            sae: input.id.clone(),
            min_norm,
            max_norm,
        });
    }
    let classes = plan.letters.len();
    let side = SaeSide::new(&sae, &site.train)?;

    let select_latents = sae.encode(&site.select.sites());
    let letters_of = |class: &[usize]| -> Vec<usize> { class.iter().map(|&c| plan.letters[c].index()).collect() };
    let effects = single_effects(
        &stages.train,
        &site.select,
        &side,
        &select_latents,
        &letters_of(&site.select_class),
        &site.select_clean,
    )?;
    let ranked = rank_by_effect(&effects, &site.select_class, classes, sae.d_sae());
    let scored_latents = sae.encode(&site.scored.sites());
    let test_effects = single_effects(
        &stages.test,
        &site.scored,
        &side,
        &scored_latents,
        &letters_of(&site.scored_class[..site.words]),
        bench.clean(),
    )?;
    let oracle = rank_by_effect(&test_effects, &site.scored_class, classes, sae.d_sae());
    let probes = by_sparse_probe(&side.train, &site.train)?;

    let first =
        |ranked: &[Vec<u32>]| -> Vec<Vec<u32>> { ranked.iter().map(|r| r.iter().take(1).copied().collect()).collect() };
    let by_probe: Vec<Vec<u32>> = probes
        .iter()
        .map(|p| if p.f1 > 0.0 { vec![p.latent] } else { Vec::new() })
        .collect();
    let cosine: Vec<Vec<u32>> = by_encoder_cosine(&sae, &site.directions.lr)
        .into_iter()
        .map(|latent| vec![latent])
        .collect();
    let chosen = [
        ("cosine", cosine),
        ("probe", by_probe.clone()),
        ("effect", first(&ranked)),
    ];
    for (rule, sets) in &chosen {
        warn_empty(plan, rule, sets, &mut unit.summary);
        unit.arm(site, bench, &side.arm(&one_latent(rule), sets), Some(&scored_latents))?;
    }
    let fair = chosen.map(|(_, sets)| sets);
    let best = best_on_test(plan, site, bench, &side, &scored_latents, &fair, &oracle)?;
    unit.arm(
        site,
        bench,
        &side.arm(&one_latent("oracle"), &best),
        Some(&scored_latents),
    )?;
    let random = side.random_arm(&by_probe, &site.train, args.random_draws, plan.directions.seed);
    unit.arm(site, bench, &random, Some(&scored_latents))?;
    for &k in &KS[1..] {
        let sets: Vec<Vec<u32>> = ranked.iter().map(|r| r.iter().take(k).copied().collect()).collect();
        unit.arm(site, bench, &side.arm(&k_latents(k), &sets), Some(&scored_latents))?;
    }
    let supporting: Vec<f64> = ranked.iter().map(|r| r.len() as f64).collect();
    let short: Vec<usize> = KS
        .iter()
        .copied()
        .filter(|&k| ranked.iter().any(|r| r.len() < k))
        .collect();
    if let Some(&first) = short.first() {
        unit.summary.warnings.push(Warning::ShortLatentSets {
            sae: input.id.clone(),
            k: first as u64,
            letters: ranked.iter().filter(|r| r.len() < KS[KS.len() - 1]).count() as u64,
        });
    }
    unit.summary
        .put("k_curve/supporting", macro_estimate(&supporting, "latents"));
    k_to_match(&mut unit.summary, reference, &ranked);

    detection(plan, site, &sae, &side, &probes, input, &mut unit.summary)?;
    Ok(unit)
}

/// Says for which letters a rule found no latent at all; their editor does nothing.
fn warn_empty(plan: &Plan, rule: &str, sets: &[Vec<u32>], summary: &mut Summary) {
    let empty: Vec<char> = sets
        .iter()
        .zip(&plan.letters)
        .filter(|(set, _)| set.is_empty())
        .map(|(_, letter)| letter.lower())
        .collect();
    if !empty.is_empty() {
        let letters: String = empty.into_iter().collect();
        summary.warnings.push(Warning::NoOpEdit {
            arm: format!("{} (letters {letters})", one_latent(rule)),
        });
    }
}

/// The oracle: per letter the latent with the highest M* on the test words themselves, among those
/// that the fair rules chose and the strongest by test effect. An upper bound on the fair rules.
fn best_on_test(
    plan: &Plan,
    site: &Site,
    bench: &Bench<'_>,
    side: &SaeSide<'_>,
    latents: &SparseLatents,
    chosen: &[Vec<Vec<u32>>],
    by_effect: &[Vec<u32>],
) -> anyhow::Result<Vec<Vec<u32>>> {
    const STRONGEST: usize = 3;
    let nth = |n: usize| -> Vec<Vec<u32>> {
        by_effect
            .iter()
            .map(|r| r.get(n).copied().into_iter().collect())
            .collect()
    };
    let candidates: Vec<Vec<Vec<u32>>> = chosen.iter().cloned().chain((0..STRONGEST).map(nth)).collect();
    let mut best: Vec<(f64, Vec<u32>)> = vec![(f64::NEG_INFINITY, Vec::new()); plan.letters.len()];
    for sets in candidates {
        let measured = bench.measure(&side.arm("candidate", &sets), Some(latents), false)?;
        let scored = score(&bench.rows(&measured, |row| site.word(row)))?;
        for (class, set) in sets.into_iter().enumerate() {
            let m_star = scored
                .letters
                .get(&plan.letters[class].lower())
                .map_or(f64::NEG_INFINITY, |s| s.m_star);
            if !set.is_empty() && m_star >= best[class].0 {
                best[class] = (m_star, set);
            }
        }
    }
    Ok(best.into_iter().map(|(_, set)| set).collect())
}

/// What the SAE is as a detector of letters, and how good it is as an SAE.
fn detection(
    plan: &Plan,
    site: &Site,
    sae: &Sae,
    side: &SaeSide<'_>,
    probes: &[ablation::select::LatentProbe],
    input: &SaeInput,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let test = sae.encode(&site.test.x);
    let n = site.test.n();
    let main: Vec<u32> = probes.iter().map(|p| p.latent).collect();
    let own = own_latents(&side.train, &site.train, probes);
    let columns = test.columns();
    let lr_scores = scores_of(site)?;
    let (mut f1s, mut rates, mut rates_k1) = (Vec::new(), Vec::new(), Vec::new());
    for (class, probe) in probes.iter().enumerate() {
        let positive: Vec<bool> = site.test.y.iter().map(|&y| y == class).collect();
        let mut activation = vec![0.0f64; n];
        let (rows, values) = columns.latent(probe.latent as usize);
        for (&row, &value) in rows.iter().zip(values) {
            activation[row as usize] = f64::from(value);
        }
        let at_threshold = metrics::confusion(&activation, &positive, probe.threshold);
        let fires = metrics::confusion(&activation, &positive, 0.0);
        f1s.push(at_threshold.f1());

        let direction = site.directions.lr.direction(class);
        let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        let cosines = decoder_cosines(sae, direction);
        let found: Vec<usize> = (0..n)
            .filter(|&row| positive[row] && lr_scores[row * plan.letters.len() + class] > 0.0)
            .collect();
        let absorbed_by = |own: &[u32]| {
            let absorbed = found.iter().filter(|&&row| {
                let projection: f64 = site
                    .test
                    .row(row)
                    .iter()
                    .zip(direction)
                    .map(|(&x, v)| f64::from(x) * v)
                    .sum();
                full_absorption(&test, row, own, &cosines, projection / length).is_some()
            });
            absorbed.count()
        };
        let count = absorbed_by(&own[class]);
        if !found.is_empty() {
            rates.push(count as f64 / found.len() as f64);
            rates_k1.push(absorbed_by(&main[class..=class]) as f64 / found.len() as f64);
        }
        let point = |value: f64, of: usize| Estimate::point(value, of as u64, "share");
        let words = positive.iter().filter(|&&p| p).count();
        let mut values = BTreeMap::from([
            ("f1".to_owned(), point(at_threshold.f1(), words)),
            ("f1_fires".to_owned(), point(fires.f1(), words)),
            ("precision".to_owned(), point(at_threshold.precision(), words)),
            ("recall".to_owned(), point(at_threshold.recall(), words)),
            (
                "latent".to_owned(),
                Estimate::point(f64::from(probe.latent), words as u64, "index"),
            ),
            (
                "split_latents".to_owned(),
                Estimate::point((own[class].len() - 1) as f64, words as u64, "latents"),
            ),
        ]);
        if !found.is_empty() {
            values.insert(
                "absorbed".to_owned(),
                point(count as f64 / found.len() as f64, found.len()),
            );
        }
        summary.letters.push(LetterRow {
            letter: plan.letters[class].lower(),
            arm: "latent".to_owned(),
            values,
        });
    }
    let split_counts: Vec<f64> = own.iter().map(|own| (own.len() - 1) as f64).collect();
    summary.put("latent/f1", macro_estimate(&f1s, "share").higher_is_better());
    summary.put("latent/split_latents", macro_estimate(&split_counts, "latents"));
    if !rates.is_empty() {
        summary.put(
            "latent/full_absorption",
            macro_estimate(&rates, "share").lower_is_better(),
        );
        summary.put(
            "latent/full_absorption_k1",
            macro_estimate(&rates_k1, "share").lower_is_better(),
        );
    }
    let quality = evaluate(sae, &site.test.x);
    summary.put("sae/l0", Estimate::point(quality.l0, n as u64, "latents"));
    summary.put(
        "sae/explained_variance",
        Estimate::point(quality.explained_variance, n as u64, "share").higher_is_better(),
    );
    summary.put(
        "sae/dead_share",
        Estimate::point(quality.dead_share, n as u64, "share").lower_is_better(),
    );
    warn_mismatch(plan, input, quality.l0, summary);
    Ok(())
}

/// Warns where the SAE is not used as its files say it was trained.
fn warn_mismatch(plan: &Plan, input: &SaeInput, l0: f64, summary: &mut Summary) {
    if let Some(found) = input.declared_l0.and_then(|declared| l0_warning(declared, l0)) {
        summary.warnings.push(Warning::L0Mismatch {
            sae: input.id.clone(),
            declared: found.declared,
            measured: found.measured,
        });
    }
    if input.spec.hook != plan.hook {
        summary.warnings.push(Warning::HookMismatch {
            sae: input.id.clone(),
            trained: input.spec.hook.clone(),
            used: plan.hook.clone(),
        });
    }
}

/// Logistic scores of all test words, `[n, classes]`.
fn scores_of(site: &Site) -> anyhow::Result<Vec<f64>> {
    let design = linear_probe::Design::new(&site.test.x, site.test.n(), site.test.d)?;
    Ok(site.directions.lr.scores(design)?)
}
