//! How many latents reach the reference: curves over set sizes, what is read off them, and sets of one latent per letter.

use std::collections::BTreeMap;

use ablation::efficiency::{CurvePoint, Goal, GreedyPlan, Growth, auc, greedy, matches_at};
use ablation::{Arm, Captured, label_free};
use sae::SparseLatents;
use stats::{DEFAULT_FLIPS, Observation, StatsError, Survival, max_t, product_limit};
use store::{Estimate, LetterRow, Record, TableRow, Warning};

use super::sae::OfSae;
use super::{KS, KS_FULL, LABEL_FREE_SAE, Lab, RULES, Unit, k_latents, one_latent};
use crate::run::args::RunArgs;
use crate::run::summary::{Summary, by_letter, macro_estimate};

/// Set sizes of the greedy curve.
pub(crate) const GREEDY_KS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];

/// Latents per letter that greedy growth chooses from, the strongest alone.
const CANDIDATES: usize = 24;

/// Name of the arm of a set of up to `k` latents per letter that grew greedily.
pub(crate) fn greedy_latents(k: usize) -> String {
    format!("sae:greedy:k={k}")
}

/// Set sizes of the curve of exact effects.
pub(crate) fn sizes(full: bool) -> Vec<usize> {
    let more: &[usize] = if full { &KS_FULL } else { &[] };
    KS.iter().chain(more).copied().collect()
}

/// A measured curve, and where its numbers go.
struct Curve<'a> {
    /// `k_curve`: its table, and its areas.
    name: &'a str,
    /// `k_to_match`: what the sizes that match are summarised under.
    matches: &'a str,
    sizes: &'a [usize],
    arm: fn(usize) -> String,
    /// Latents that each class's sets are taken from.
    available: Vec<usize>,
    /// Ends of areas and restricted means, the one without a suffix first.
    ends: &'a [usize],
}

/// The curve of sets by exact single effect: measures the sizes above 1, then summarises.
pub(super) fn exact(lab: Lab<'_>, of: &OfSae<'_>, reference: &Record, unit: &mut Unit) -> anyhow::Result<()> {
    let full = lab.args.full();
    let sizes = sizes(full);
    for &k in &sizes[1..] {
        unit.arm(lab, &of.side.arm(&k_latents(k), &of.strongest(k)), Some(&of.scored))?;
    }
    let supporting: Vec<f64> = of.ranked.iter().map(|r| r.len() as f64).collect();
    unit.summary
        .put("k_curve/supporting", macro_estimate(&supporting, "latents"));
    let curve = Curve {
        name: "k_curve",
        matches: "k_to_match",
        sizes: &sizes,
        arm: |k| if k == 1 { one_latent("effect") } else { k_latents(k) },
        available: of.ranked.iter().map(Vec::len).collect(),
        // Numbers without a suffix end where every run ends, so that core and full runs compare.
        ends: if full { &[64, 128, 16] } else { &[64] },
    };
    curve.summarise(lab, reference, unit)
}

/// The curve of sets that grow greedily on the selection words.
pub(super) fn grown(lab: Lab<'_>, of: &OfSae<'_>, reference: &Record, unit: &mut Unit) -> anyhow::Result<()> {
    let Lab { plan, site, stages, .. } = lab;
    let captured = Captured {
        stage: &stages.train,
        capture: &site.select,
    };
    let candidates = of.strongest(CANDIDATES);
    let letters: Vec<usize> = plan.letters.iter().map(|letter| letter.index()).collect();
    let growth: Vec<Growth> = greedy(
        &captured,
        &of.side,
        &of.select,
        &site.select_clean,
        GreedyPlan {
            candidates: &candidates,
            class_of: &site.select_class,
            letters: &letters,
            largest: GREEDY_KS[GREEDY_KS.len() - 1],
        },
    )?;
    for k in GREEDY_KS {
        let sets: Vec<Vec<u32>> = growth
            .iter()
            .map(|g| g.latents.iter().take(k).copied().collect())
            .collect();
        unit.arm(lab, &of.side.arm(&greedy_latents(k), &sets), Some(&of.scored))?;
    }
    let curve = Curve {
        name: "greedy_curve",
        matches: "greedy_to_match",
        sizes: &GREEDY_KS,
        arm: greedy_latents,
        available: growth.iter().map(|g| g.latents.len()).collect(),
        ends: &[16],
    };
    curve.summarise(lab, reference, unit)
}

impl Curve<'_> {
    fn summarise(&self, lab: Lab<'_>, reference: &Record, unit: &mut Unit) -> anyhow::Result<()> {
        let target = by_letter(&reference.letters, "leace-1", "ms");
        let points = self.points(&unit.summary);
        let goals: BTreeMap<char, Goal> = target
            .iter()
            .filter(|(letter, ms)| **ms > 0.0 && points.contains_key(letter))
            .map(|(&letter, &ms)| (letter, Goal::of(ms)))
            .collect();
        let largest = self.sizes[self.sizes.len() - 1];
        let seen: BTreeMap<char, Observation> = goals
            .iter()
            .map(|(letter, &goal)| {
                let matched = matches_at(&points[letter], goal);
                let seen = Observation {
                    at: matched.unwrap_or(largest) as f64,
                    reached: matched.is_some(),
                };
                (*letter, seen)
            })
            .collect();
        let survival = match product_limit(&seen.values().copied().collect::<Vec<_>>()) {
            Ok(survival) => Some(survival),
            // No letter has a score: the arms' own warnings say why.
            Err(stats::StatsError::Empty) => None,
            Err(error) => return Err(error.into()),
        };
        self.areas(&points, &mut unit.summary);
        if let Some(survival) = &survival {
            self.match_numbers(survival, &mut unit.summary)?;
        }
        let below = match self.below(lab, reference, &points) {
            Ok(below) => below,
            Err(error) => {
                unit.summary.warnings.push(Warning::NotMeasured {
                    measurement: format!("{}/p_leace", self.name),
                    reason: error.to_string(),
                });
                BTreeMap::new()
            }
        };
        self.table(survival.as_ref(), &below, &mut unit.summary)?;
        for letter in lab.plan.letters.iter().map(|l| l.lower()) {
            let mut values = BTreeMap::new();
            if let Some(area) = points.get(&letter).and_then(|p| auc(&m_stars(p), self.ends[0])) {
                values.insert("auc_k".to_owned(), Estimate::point(area, 1, "share"));
            }
            if let Some(seen) = seen.get(&letter) {
                // Two names, so that a bound is never read as a value.
                let name = if seen.reached { "matches_at" } else { "needs_more_than" };
                values.insert(name.to_owned(), Estimate::point(seen.at, 1, "latents"));
            }
            if !values.is_empty() {
                let arm = self.name.to_owned();
                unit.summary.letters.push(LetterRow { letter, arm, values });
            }
        }
        Ok(())
    }

    /// Scores by letter, by rising size.
    fn points(&self, summary: &Summary) -> BTreeMap<char, Vec<CurvePoint>> {
        let mut points: BTreeMap<char, Vec<CurvePoint>> = BTreeMap::new();
        for &k in self.sizes {
            let of = |metric: &str| by_letter(&summary.letters, &(self.arm)(k), metric);
            let (o_mean, m_star) = (of("o_mean"), of("m_star"));
            for (letter, ms) in of("ms") {
                if let (Some(&o_mean), Some(&m_star)) = (o_mean.get(&letter), m_star.get(&letter)) {
                    points
                        .entry(letter)
                        .or_default()
                        .push(CurvePoint { k, ms, o_mean, m_star });
                }
            }
        }
        points
    }

    /// Per size, the p value of a difference in `M*` to the reference, letter by letter: sign flips, adjusted by the maximum
    /// statistic (Westfall and Young), since neighbouring sizes share most of their latents.
    fn below(
        &self,
        lab: Lab<'_>,
        reference: &Record,
        points: &BTreeMap<char, Vec<CurvePoint>>,
    ) -> Result<BTreeMap<usize, Estimate>, StatsError> {
        let target = by_letter(&reference.letters, "leace-1", "m_star");
        let whole: Vec<(&Vec<CurvePoint>, f64)> = points
            .iter()
            .filter(|(_, points)| points.len() == self.sizes.len())
            .filter_map(|(letter, points)| Some((points, *target.get(letter)?)))
            .collect();
        let differences: Vec<Vec<f64>> = (0..self.sizes.len())
            .map(|at| {
                whole
                    .iter()
                    .map(|(points, target)| target - points[at].m_star)
                    .collect()
            })
            .collect();
        let seed = stats::seed::sub_seed(lab.plan.directions.seed, &format!("statistics/max-t/{}", self.name));
        let p = max_t(&differences, DEFAULT_FLIPS, seed)?;
        let p = p.into_iter().map(|p| Estimate::point(p, whole.len() as u64, "p"));
        Ok(self.sizes.iter().copied().zip(p).collect())
    }

    fn areas(&self, points: &BTreeMap<char, Vec<CurvePoint>>, summary: &mut Summary) {
        for (i, &end) in self.ends.iter().enumerate() {
            let areas: Vec<f64> = points.values().filter_map(|p| auc(&m_stars(p), end)).collect();
            if !areas.is_empty() {
                let name = format!("{}/auc{}", self.name, suffix(i, end));
                summary.put(&name, macro_estimate(&areas, "share").higher_is_better());
            }
        }
    }

    fn match_numbers(&self, survival: &Survival, summary: &mut Summary) -> anyhow::Result<()> {
        let n = survival.letters as u64;
        let put = |summary: &mut Summary, what: &str, estimate: Estimate| {
            summary.put(&format!("{}/{what}", self.matches), estimate);
        };
        let largest = self.sizes[self.sizes.len() - 1];
        put(summary, "largest", Estimate::point(largest as f64, n, "latents"));
        if let Some(median) = survival.median() {
            put(
                summary,
                "median",
                Estimate::point(median, n, "latents").lower_is_better(),
            );
        }
        for (i, &end) in self.ends.iter().enumerate() {
            put(
                summary,
                &format!("matched{}", suffix(i, end)),
                matched_by(survival, end)?.higher_is_better(),
            );
            // Beyond the largest match nothing is censored any more: the mean is known to any end.
            let mean = survival.restricted_mean(end as f64, stats::DEFAULT_LEVEL)?;
            let point = Estimate::point(mean.value, n, "latents").lower_is_better();
            let estimate = match mean.interval {
                Some((lo, hi)) => point.with_interval(lo, hi),
                None => point,
            };
            put(summary, &format!("restricted_mean{}", suffix(i, end)), estimate);
        }
        Ok(())
    }

    fn table(
        &self,
        survival: Option<&Survival>,
        below: &BTreeMap<usize, Estimate>,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        for &k in self.sizes {
            let mut values = BTreeMap::new();
            for metric in ["ms", "o_mean", "m_star"] {
                if let Some(estimate) = summary.values.get(&format!("{}/{metric}", (self.arm)(k))) {
                    values.insert(metric.to_owned(), estimate.clone());
                }
            }
            let sets: Vec<f64> = self.available.iter().map(|&n| n.min(k) as f64).collect();
            values.insert("set_size".to_owned(), macro_estimate(&sets, "latents"));
            if let Some(survival) = survival {
                values.insert("matched".to_owned(), matched_by(survival, k)?);
            }
            if let Some(p) = below.get(&k) {
                values.insert("p_leace".to_owned(), p.clone());
            }
            rows.push(TableRow {
                at: BTreeMap::from([("k".to_owned(), k.to_string())]),
                values,
            });
        }
        summary.tables.insert(self.name.to_owned(), rows);
        Ok(())
    }
}

fn m_stars(points: &[CurvePoint]) -> Vec<(usize, f64)> {
    points.iter().map(|p| (p.k, p.m_star)).collect()
}

/// The first end has no suffix.
fn suffix(i: usize, end: usize) -> String {
    if i == 0 { String::new() } else { format!("_{end}") }
}

/// Share of letters that match with at most `k` latents.
fn matched_by(survival: &Survival, k: usize) -> anyhow::Result<Estimate> {
    let point = Estimate::point(survival.share(k as f64), survival.letters as u64, "share");
    Ok(match survival.share_interval(k as f64, stats::DEFAULT_LEVEL)? {
        Some((lo, hi)) => point.with_interval(lo, hi),
        None => point,
    })
}

/// The four one-latent rules under their name as an answer: `ms_26/probe`.
pub(super) fn ms_26(summary: &mut Summary) {
    for rule in RULES {
        if let Some(ms) = summary.values.get(&format!("{}/ms", one_latent(rule))).cloned() {
            summary.put(&format!("ms_26/{rule}"), ms);
        }
    }
}

/// One edit for all letters: the union of the classifier's latents, and as many random ones.
pub(super) fn union_of_latents(lab: Lab<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let RunArgs { random_draws, .. } = lab.args;
    let sets = of.by_probe();
    let draws = (*random_draws, lab.plan.directions.seed);
    let arms = [
        label_free::union_of(&of.side, LABEL_FREE_SAE[0], &sets),
        label_free::random_union(&of.side, LABEL_FREE_SAE[1], &sets, &lab.site.train, draws),
    ];
    for (arm, key) in arms.iter().zip(["ms_26u/probe", "ms_26u/random"]) {
        unlabelled(lab, arm, key, Some(&of.scored), unit)?;
    }
    let count = label_free::union(&sets).len() as f64;
    let letters = sets.len() as u64;
    unit.summary
        .put("ms_26u/latents", Estimate::point(count, letters, "latents"));
    Ok(())
}

/// One edit for all letters: joint LEACE and the span of the probes, what the union of latents is held against.
pub(super) fn spans(lab: Lab<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let site = lab.site;
    let arms = [
        label_free::lr_span(&site.directions, &site.train),
        label_free::leace_span(&site.directions, site.train.classes),
    ];
    for arm in &arms {
        unlabelled(lab, arm, &format!("ms_26u/{}", arm.name), None, unit)?;
    }
    Ok(())
}

/// Measures an arm that is one edit for all letters. Words of other letters are its targets too, so that it has no damage share
/// and nothing that is made of one.
fn unlabelled(
    lab: Lab<'_>,
    arm: &Arm,
    key: &str,
    latents: Option<&SparseLatents>,
    unit: &mut Unit,
) -> anyhow::Result<()> {
    const OF_DAMAGE: [&str; 4] = ["o_mean", "o_max", "m_star", "m_star_max"];
    unit.arm(lab, arm, latents)?;
    for metric in OF_DAMAGE {
        unit.summary.values.remove(&format!("{}/{metric}", arm.name));
        for row in unit.summary.letters.iter_mut().filter(|row| row.arm == arm.name) {
            row.values.remove(metric);
        }
    }
    if let Some(ms) = unit.summary.values.get(&format!("{}/ms", arm.name)).cloned() {
        unit.summary.put(key, ms);
    }
    Ok(())
}
