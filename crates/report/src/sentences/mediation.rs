//! Three sentences that answer whether one latent per letter does what a linear edit does.
//!
//! The first gives the best fair choice beside the reference, the second its controls, the third what hindsight adds: a choice on
//! the test words themselves that still falls short is the strongest form of "there is no such set". As elsewhere here,
//! they judge by the numbers they are given and compute nothing.

use super::{Gap, Named, estimate, named, p_value};

/// One latent per letter, chosen by a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The SAE, with its mediated share.
    pub ms: Named,
    /// The rule.
    pub rule: String,
    /// Damage share.
    pub damage: Option<f64>,
    /// Mediated share of the reference minus that of the set.
    pub gap: Option<Gap>,
    /// The same with only [`Mediation::tau`] of the reference: below 0 the set reaches it, above 0 it falls short.
    pub short: Option<Gap>,
}

/// Edits that are one for all letters.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// The best SAE's latents, all zeroed at once on every word.
    pub latents: Named,
    /// As many random ones.
    pub random: Option<Named>,
    /// Linear edits for all letters at once.
    pub references: Vec<Named>,
}

/// Everything that [`mediate`] speaks about.
#[derive(Debug, Clone, PartialEq)]
pub struct Mediation {
    /// Latents of a set: one per letter.
    pub latents: u64,
    /// Fair sets that were measured: SAEs times rules.
    pub tried: u64,
    /// The linear edit that sets are held against.
    pub reference: Named,
    /// Share of the reference's mediated share that counts as reaching it.
    pub tau: f64,
    /// Most damage of a set that counts.
    pub o_cap: f64,
    /// The best fair set.
    pub best: Choice,
    /// Random latents that fire as often, of the same SAE.
    pub random: Option<Named>,
    /// Edits for all letters at once.
    pub together: Option<Together>,
    /// The best set that was chosen on the test words.
    pub oracle: Option<Choice>,
}

/// What the data say of a set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Reaches,
    FallsShort,
    Damages,
    Open,
}

impl Mediation {
    fn verdict(&self, choice: &Choice) -> Verdict {
        let bounds = choice.short.as_ref().and_then(|short| Some((short.lo?, short.hi?)));
        match bounds {
            Some((lo, _)) if lo > 0.0 => Verdict::FallsShort,
            Some((_, hi)) if hi < 0.0 && choice.damage.is_none_or(|o| o > self.o_cap) => Verdict::Damages,
            Some((_, hi)) if hi < 0.0 => Verdict::Reaches,
            _ => Verdict::Open,
        }
    }

    /// What counts as reaching the reference, in words.
    fn goal(&self) -> String {
        format!("{} of the MS of `{}`", self.tau, self.reference.name)
    }
}

/// Two or three sentences: the best fair set, its controls, and the set chosen with hindsight.
#[must_use]
pub fn mediate(given: &Mediation) -> Vec<String> {
    let n = given.latents;
    let verdict = match given.verdict(&given.best) {
        Verdict::Reaches => format!(
            "A set of {n} latents mediates first-letter spelling to at least {}",
            given.goal()
        ),
        Verdict::FallsShort => format!(
            "No set of {n} latents mediates first-letter spelling to {}",
            given.goal()
        ),
        Verdict::Damages => format!(
            "A set of {n} latents reaches {}, but with a damage share above {}",
            given.goal(),
            given.o_cap
        ),
        Verdict::Open => format!(
            "These data do not decide whether a set of {n} latents mediates first-letter spelling to {}",
            given.goal()
        ),
    };
    let tried = match given.tried {
        1 => "the one fair set".to_owned(),
        tried => format!("the best of {tried} fair ones"),
    };
    let mut sentences = vec![format!(
        "{verdict}: {tried} is {} by rule `{}`{}, against {}{}.",
        named(&given.best.ms),
        given.best.rule,
        damage(&given.best),
        named(&given.reference),
        gap(&given.best),
    )];
    let mut controls = Vec::new();
    if let Some(random) = &given.random {
        controls.push(format!(
            "{n} random latents that fire as often have MS {}",
            estimate(random.value, random.lo, random.hi, 2)
        ));
    }
    if let Some(together) = &given.together {
        let mut others: Vec<String> = together
            .random
            .iter()
            .map(|random| {
                format!(
                    "{} for as many random ones",
                    estimate(random.value, random.lo, random.hi, 2)
                )
            })
            .collect();
        others.extend(together.references.iter().map(named));
        let against = if others.is_empty() {
            String::new()
        } else {
            format!(", against {}", others.join(", "))
        };
        controls.push(format!(
            "zeroed together on every word, whatever its letter, those of `{}` have MS {}{against}",
            together.latents.name,
            estimate(together.latents.value, together.latents.lo, together.latents.hi, 2)
        ));
    }
    if !controls.is_empty() {
        sentences.push(format!("Controls: {}.", controls.join("; ")));
    }
    if let Some(oracle) = &given.oracle {
        let verdict = match given.verdict(oracle) {
            Verdict::Reaches => format!("with hindsight {n} latents do reach it"),
            Verdict::FallsShort => format!("no choice that was tried makes {n} latents enough"),
            Verdict::Damages => "with hindsight the effect is reached, at too much damage".to_owned(),
            Verdict::Open => "whether hindsight is enough stays open".to_owned(),
        };
        sentences.push(format!(
            "Chosen on the test words themselves, an upper bound and no fair score, the best are {}{}{}: {verdict}.",
            named(&oracle.ms),
            damage(oracle),
            gap(oracle),
        ));
    }
    sentences
}

fn damage(choice: &Choice) -> String {
    choice.damage.map_or_else(String::new, |o| format!(" at O {o:.2}"))
}

fn gap(choice: &Choice) -> String {
    let Some(gap) = &choice.gap else { return String::new() };
    let p = gap.p.map(|p| format!(", {}", p_value(p))).unwrap_or_default();
    format!(
        ", paired gap {}{p} ({})",
        estimate(gap.value, gap.lo, gap.hi, 2),
        gap.units
    )
}
