//! The unit of one SAE: latents chosen on train words, arms of them, what they detect.

use ::sae::{Sae, SparseLatents};
use ablation::select::{LatentProbe, by_encoder_cosine, by_sparse_probe, own_latents, rank_by_effect, single_effects};
use ablation::{Captured, SaeSide, score};
use store::Warning;

use super::detection::detection;
use super::gap::gap;
use super::{Lab, RULES, Unit, efficiency, misread, one_latent};
use crate::run::plan::{Plan, SaeInput};
use crate::run::summary::Summary;

/// Decoder norms this close to 1 count as 1: bf16 storage alone moves them by half of it.
const UNIT_TOLERANCE: f32 = 0.01;

/// An SAE with its latents on all words, and what the train words say about them.
pub(super) struct OfSae<'a> {
    pub(super) sae: &'a Sae,
    /// Latents and off-class means of the train words.
    pub(super) side: SaeSide<'a>,
    /// Latents of the selection words (a part of the train words), one row each of `site.select`.
    pub(super) select: SparseLatents,
    /// Latents of the scored words and of their donors, one row each of `site.scored`.
    pub(super) scored: SparseLatents,
    /// Latents of all test words, one row each of `site.test`.
    pub(super) test: SparseLatents,
    /// Per class, supporting latents by falling effect on the selection words.
    pub(super) ranked: Vec<Vec<u32>>,
    /// Per class, the best one-latent classifier on train words.
    pub(super) probes: Vec<LatentProbe>,
    /// Per class, the classifier's latent and those that split the letter beside it.
    pub(super) own: Vec<Vec<u32>>,
}

impl<'a> OfSae<'a> {
    fn new(lab: Lab<'_>, sae: &'a Sae) -> anyhow::Result<Self> {
        let Lab { plan, site, stages, .. } = lab;
        let products = |rows: usize| {
            let flops = 2.0 * (rows * sae.d_in() * sae.d_sae()) as f64;
            (flops, sae.encode_bytes(rows))
        };
        let encode = |rows: usize, x: &[f32]| lab.profile.time_flops("encode", products(rows), || sae.encode(x));
        let side = lab
            .profile
            .time_flops("encode", products(site.train.n()), || SaeSide::new(sae, &site.train))?;
        let select = encode(site.select.rows.len(), &site.select.sites());
        let captured = Captured {
            stage: &stages.train,
            capture: &site.select,
        };
        let letters = lab.letters_of(&site.select_class);
        let effects = lab.profile.time("select", Some(stages), || {
            single_effects(&captured, &side, &select, &letters, &site.select_clean)
        })?;
        let ranked = rank_by_effect(&effects, &site.select_class, plan.letters.len(), sae.d_sae());
        let probes = lab
            .profile
            .time("select", None, || by_sparse_probe(&side.train, &site.train))?;
        let own = own_latents(&side.train, &site.train, &probes);
        Ok(Self {
            sae,
            select,
            test: encode(site.test.n(), &site.test.x),
            scored: encode(site.scored.rows.len(), &site.scored.sites()),
            ranked,
            probes,
            own,
            side,
        })
    }

    /// One latent per class by the classifier rule; none where no latent classifies at all.
    pub(super) fn by_probe(&self) -> Vec<Vec<u32>> {
        let one = |probe: &LatentProbe| (probe.f1 > 0.0).then_some(probe.latent);
        self.probes
            .iter()
            .map(|probe| one(probe).into_iter().collect())
            .collect()
    }

    /// As [`OfSae::by_probe`], with the latents that split the letter.
    pub(super) fn own_sets(&self) -> Vec<Vec<u32>> {
        let classifies = |(own, probe): (&Vec<u32>, &LatentProbe)| {
            if probe.f1 > 0.0 { own.clone() } else { Vec::new() }
        };
        self.own.iter().zip(&self.probes).map(classifies).collect()
    }

    /// The first `k` latents of each class by effect.
    pub(super) fn strongest(&self, k: usize) -> Vec<Vec<u32>> {
        first(&self.ranked, k)
    }
}

fn first(ranked: &[Vec<u32>], k: usize) -> Vec<Vec<u32>> {
    ranked.iter().map(|r| r.iter().take(k).copied().collect()).collect()
}

/// The unit of one SAE.
pub(crate) fn of_sae(lab: Lab<'_>, input: &SaeInput, sae: &Sae, reference: &store::Record) -> anyhow::Result<Unit> {
    let Lab {
        args,
        plan,
        site,
        bench,
        ..
    } = lab;
    lab.known.forget();
    let mut unit = Unit::new(args);
    unit.summary.warnings.extend(input.warnings.iter().cloned());
    warn_norms(sae, input, &mut unit.summary);
    let of = OfSae::new(lab, sae)?;
    let letters = lab.letters_of(&site.scored_class[..site.words]);
    let test_effects = lab.profile.time("select", Some(lab.stages), || {
        single_effects(bench.readout(), &of.side, &of.scored, &letters, bench.clean())
    })?;
    let oracle = rank_by_effect(&test_effects, &site.scored_class, plan.letters.len(), sae.d_sae());

    let cosine: Vec<Vec<u32>> = by_encoder_cosine(sae, &site.directions.lr)
        .into_iter()
        .map(|latent| vec![latent])
        .collect();
    let chosen = [
        ("cosine", cosine),
        ("probe", of.by_probe()),
        ("effect", of.strongest(1)),
    ];
    for (rule, sets) in &chosen {
        warn_empty(plan, rule, sets, &mut unit.summary);
        unit.arm(lab, &of.side.arm(&one_latent(rule), sets), Some(&of.scored))?;
    }
    let fair = chosen.map(|(_, sets)| sets);
    let best = lab
        .profile
        .time("select", Some(lab.stages), || best_on_test(lab, &of, &fair, &oracle))?;
    unit.arm(lab, &of.side.arm(&one_latent("oracle"), &best), Some(&of.scored))?;
    let random = of
        .side
        .random_arm(&of.by_probe(), &site.train, args.random_draws, plan.directions.seed);
    unit.arm(lab, &random, Some(&of.scored))?;
    let other = of
        .side
        .other_letter_arm(&of.by_probe(), args.random_draws, plan.directions.seed);
    unit.arm(lab, &other, Some(&of.scored))?;
    for rule in RULES {
        unit.summary.excess(&one_latent(rule), "sae:random");
    }
    efficiency::ms_26(&mut unit.summary);
    efficiency::union_of_latents(lab, &of, &mut unit)?;
    warn_short(&of, &efficiency::sizes(args.full()), input, &mut unit.summary);
    efficiency::exact(lab, &of, reference, &mut unit)?;
    if args.full() {
        lab.profile.time("select", Some(lab.stages), || {
            efficiency::grown(lab, &of, reference, &mut unit)
        })?;
    }

    if args.full() {
        super::full::of_sae(lab, &of, &mut unit)?;
    }
    lab.profile
        .time("detect", None, || detection(lab, &of, input, &mut unit.summary))?;
    misread::misread(lab, &of, reference, &mut unit.summary)?;
    lab.profile
        .time("gap", Some(lab.stages), || gap(lab, &of, input, reference, &mut unit))?;
    if let Some(side) = lab.side {
        lab.profile.time("side effects", None, || -> anyhow::Result<()> {
            super::side::of_sae(lab, side, &of, &mut unit)?;
            super::error_term::measure(lab, &of, &mut unit)?;
            super::positions::of_sae(lab, side, &of, &mut unit)
        })?;
    }
    Ok(unit)
}

/// Warns where decoder rows are not unit vectors.
fn warn_norms(sae: &Sae, input: &SaeInput, summary: &mut Summary) {
    let norms = sae.decoder_norms();
    let bounds = norms
        .iter()
        .fold((f32::INFINITY, 0f32), |(lo, hi), &n| (lo.min(n), hi.max(n)));
    if (bounds.0 - 1.0).abs().max((bounds.1 - 1.0).abs()) > UNIT_TOLERANCE {
        let (min_norm, max_norm) = (f64::from(bounds.0), f64::from(bounds.1));
        summary.warnings.push(Warning::NonUnitDecoder {
            sae: input.id.clone(),
            min_norm,
            max_norm,
        });
    }
}

/// Warns where fewer latents support a letter than the k-curve asks for.
fn warn_short(of: &OfSae<'_>, sizes: &[usize], input: &SaeInput, summary: &mut Summary) {
    let short = sizes.iter().copied().find(|&k| of.ranked.iter().any(|r| r.len() < k));
    if let Some(first) = short {
        summary.warnings.push(Warning::ShortLatentSets {
            sae: input.id.clone(),
            k: first as u64,
            letters: of.ranked.iter().filter(|r| r.len() < sizes[sizes.len() - 1]).count() as u64,
        });
    }
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
    lab: Lab<'_>,
    of: &OfSae<'_>,
    chosen: &[Vec<Vec<u32>>],
    by_effect: &[Vec<u32>],
) -> anyhow::Result<Vec<Vec<u32>>> {
    const STRONGEST: usize = 3;
    let Lab { plan, site, bench, .. } = lab;
    let nth = |n: usize| -> Vec<Vec<u32>> {
        by_effect
            .iter()
            .map(|r| r.get(n).copied().into_iter().collect())
            .collect()
    };
    let candidates: Vec<Vec<Vec<u32>>> = chosen.iter().cloned().chain((0..STRONGEST).map(nth)).collect();
    let mut best: Vec<(f64, Vec<u32>)> = vec![(f64::NEG_INFINITY, Vec::new()); plan.letters.len()];
    for sets in candidates {
        let measured = bench.measure(&of.side.arm("candidate", &sets), Some(&of.scored), false)?;
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
