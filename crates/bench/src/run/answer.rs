//! Whether a set of one latent per letter mediates first-letter spelling: the records of a run in three sentences.

use report::sentences::{Choice, Gap, Mediation, Named, Together, mediate};
use stats::{DEFAULT_FLIPS, sign_flip};
use store::Record;

use super::summary::by_letter;
use super::unit::{LABEL_FREE_ARMS, LABEL_FREE_SAE, RULES, one_latent};

/// The arm that sets are held against.
const REFERENCE: &str = "leace-1";
/// Share of the reference that counts as reaching it, and the most damage: the goal of `k to match`.
const TAU: f64 = 0.9;
const O_CAP: f64 = 0.2;

/// Up to three sentences; none without an SAE or without a reference.
///
/// Of all SAEs and rules the best set is chosen by its mediated share, among those whose damage is within bounds if there
/// are any. The choice is made on the words that it is reported on: it flatters the set, not the reference.
pub(crate) fn answer(reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<String>> {
    let fair: Vec<(&Record, &str)> = saes
        .iter()
        .flat_map(|&sae| RULES[..3].iter().map(move |&rule| (sae, rule)))
        .filter(|(sae, rule)| value(sae, &one_latent(rule), "ms").is_some())
        .collect();
    let oracle: Vec<(&Record, &str)> = saes.iter().map(|&sae| (sae, RULES[3])).collect();
    let (Some(best), Some(linear)) = (best(&fair), named(reference, REFERENCE, REFERENCE)) else {
        return Ok(Vec::new());
    };
    let together = saes
        .iter()
        .filter_map(|sae| Some((*sae, value(sae, LABEL_FREE_SAE[0], "ms")?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .and_then(|(sae, _)| {
            Some(Together {
                latents: named(sae, LABEL_FREE_SAE[0], id(sae))?,
                random: named(sae, LABEL_FREE_SAE[1], id(sae)),
                references: LABEL_FREE_ARMS
                    .iter()
                    .filter_map(|arm| named(reference, arm, arm))
                    .collect(),
            })
        });
    Ok(mediate(&Mediation {
        latents: reference.spec.letters.len() as u64,
        tried: fair.len() as u64,
        reference: linear,
        tau: TAU,
        o_cap: O_CAP,
        random: named(best.0, "sae:random", id(best.0)),
        best: match choice(reference, best) {
            Some(best) => best,
            None => return Ok(Vec::new()),
        },
        together,
        oracle: self::best(&oracle).and_then(|oracle| choice(reference, oracle)),
    }))
}

fn id(sae: &Record) -> &str {
    sae.spec.sae.as_ref().map_or("", |sae| sae.id.as_str())
}

fn value(record: &Record, arm: &str, metric: &str) -> Option<f64> {
    record.summary.get(&format!("{arm}/{metric}")).map(|e| e.value)
}

fn named(record: &Record, arm: &str, name: &str) -> Option<Named> {
    let ms = record.summary.get(&format!("{arm}/ms"))?;
    Some(Named {
        name: name.to_owned(),
        value: ms.value,
        lo: ms.lo,
        hi: ms.hi,
    })
}

/// The set with the highest mediated share, one with too much damage only if all have.
fn best<'a>(sets: &[(&'a Record, &'a str)]) -> Option<(&'a Record, &'a str)> {
    let key = |(sae, rule): &(&Record, &str)| {
        let arm = one_latent(rule);
        let within = value(sae, &arm, "o_mean").is_some_and(|o| o <= O_CAP);
        Some((within, value(sae, &arm, "ms")?))
    };
    sets.iter()
        .copied()
        .filter_map(|set| Some((set, key(&set)?)))
        .max_by(|(_, a), (_, b)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(set, _)| set)
}

fn choice(reference: &Record, (sae, rule): (&Record, &str)) -> Option<Choice> {
    let arm = one_latent(rule);
    Some(Choice {
        ms: named(sae, &arm, id(sae))?,
        rule: rule.to_owned(),
        damage: value(sae, &arm, "o_mean"),
        gap: paired(reference, sae, &arm, 1.0),
        short: paired(reference, sae, &arm, TAU),
    })
}

/// Mean over letters of `share * MS(reference) - MS(arm)`.
fn paired(reference: &Record, sae: &Record, arm: &str, share: f64) -> Option<Gap> {
    let own = by_letter(&sae.letters, arm, "ms");
    let differences: Vec<f64> = by_letter(&reference.letters, REFERENCE, "ms")
        .iter()
        .filter_map(|(letter, ms)| Some(share * ms - own.get(letter)?))
        .collect();
    let interval = stats::letter_t(&differences, stats::DEFAULT_LEVEL).ok()?;
    let seed = stats::seed::sub_seed(reference.spec.seed, "statistics/sign-flip");
    Some(Gap {
        value: interval.value,
        lo: Some(interval.lo),
        hi: Some(interval.hi),
        p: sign_flip(&differences, DEFAULT_FLIPS, seed).ok().map(|test| test.p),
        units: format!("{} letters", interval.letters),
    })
}
