//! A name for the cause of a class's gap, with its evidence.
//!
//! The rule, in order:
//! 1. A gap below [`Rule::gap`] is no gap; but where the main latents damage some other letter by [`Rule::damage`] more than the reference
//!    does, they mix letters, which shows in the damage and not in the mediated share.
//! 2. Otherwise the largest part of the gap names it: split latents (splitting), absorbing latents (absorption), thresholds
//!    (thresholding), no latent (dark matter), other latents (diffuse), or the write.
//!    Without their thresholds all silent letter latents together can add more than is missing; then the error holds less than they
//!    would add, `dark` is below zero, and the two count as one: what the error holds.
//! 3. The write is called mixing where the damage to some other letter is high as in 1, else a write error.
//!
//! What each mechanism predicts of the curve over the number of latents is held against the name afterwards and never changes it:
//! splitting jumps within four latents, absorption rises slowly (about one latent per word), thresholds and dark matter leave it flat,
//! since no further latent helps.
//!
//! Words of the class are drawn again with replacement to see how often the first cause stays ahead of the second.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::effects::COLUMNS;
use super::terms::GapTerms;

/// Why a class's main latents mediate less than the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// They do not.
    NoGap,
    /// Other latents stand for parts of the class.
    Splitting,
    /// Latents of single words hold the class where the main one is silent or weak.
    Absorption,
    /// The main latents are cut off below their threshold.
    Thresholding,
    /// It is in no latent.
    DarkMatter,
    /// Latents of other things hold it.
    Diffuse,
    /// What the main latents write is not what the class needs.
    WriteError,
    /// The main latents write other classes too.
    Mixing,
}

impl Cause {
    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoGap => "no gap",
            Self::Splitting => "splitting",
            Self::Absorption => "absorption",
            Self::Thresholding => "thresholding",
            Self::DarkMatter => "dark matter",
            Self::Diffuse => "diffuse",
            Self::WriteError => "write error",
            Self::Mixing => "mixing",
        }
    }

    /// What it means, as the end of "... of the gap is ...".
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NoGap => "nothing",
            Self::Splitting => "in latents of sub-classes of the letter",
            Self::Absorption => "in latents of single words, where the letter's own latent carries less than half",
            Self::Thresholding => "in letter latents that are cut off below their threshold",
            Self::DarkMatter => "in no latent: the SAE's error holds it",
            Self::Diffuse => "in latents that are not the letter's own",
            Self::WriteError => "lost in writing: the latent's decoder row is not what the letter needs",
            Self::Mixing => "lost in writing: the latent's decoder row writes other letters too",
        }
    }

    /// Shape of the curve over the number of latents that it predicts.
    #[must_use]
    pub fn predicts(self) -> Option<Curve> {
        match self {
            Self::Splitting => Some(Curve::Jump),
            Self::Absorption => Some(Curve::Tail),
            Self::Thresholding | Self::DarkMatter => Some(Curve::Flat),
            Self::NoGap | Self::Diffuse | Self::WriteError | Self::Mixing => None,
        }
    }
}

/// How mediated share grows with the number of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// Most of what is gained is gained by the fourth latent.
    Jump,
    /// Most of it comes later.
    Tail,
    /// Hardly anything is gained.
    Flat,
}

impl Curve {
    /// The shape of `(k, mediated share)` in rising `k`; what is gained counts as nothing below a fifth of the gap. `None` for less than two points.
    #[must_use]
    pub fn of(points: &[(usize, f64)], gap: f64) -> Option<Self> {
        const EARLY: usize = 4;
        let (first, last) = (points.first()?, points.last()?);
        if points.len() < 2 {
            return None;
        }
        let fourth = points.iter().rev().find(|(k, _)| *k <= EARLY).unwrap_or(first);
        let (early, late) = (fourth.1 - first.1, last.1 - fourth.1);
        Some(if early + late < 0.2 * gap {
            Self::Flat
        } else if early >= late {
            Self::Jump
        } else {
            Self::Tail
        })
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jump => "jumps within four latents",
            Self::Tail => "rises slowly with more latents",
            Self::Flat => "stays flat with more latents",
        }
    }
}

/// Limits of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// A smaller gap is none, share of the full-site effect.
    pub gap: f64,
    /// Damage to the most damaged other letter, beyond the reference's, from which letters count as mixed. Share.
    pub damage: f64,
    /// Draws of the class's words.
    pub draws: usize,
    /// The first cause is clear if it stays ahead in at least this share of the draws.
    pub clear: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            gap: 0.05,
            damage: 0.1,
            draws: 400,
            clear: 0.95,
        }
    }
}

/// What is known about a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Symptoms {
    /// Sums of each word, from [`super::ClassEffects::sums`].
    pub words: Vec<[f64; COLUMNS]>,
    /// `(k, mediated share)` of the strongest `k` latents, in rising `k`; may be empty.
    pub curve: Vec<(usize, f64)>,
    /// Damage of the main latents to the most damaged other class, share; if measured.
    pub damage: Option<f64>,
    /// That of the reference.
    pub damage_of_reference: Option<f64>,
}

/// A named cause with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The cause.
    pub cause: Cause,
    /// The parts.
    pub terms: GapTerms,
    /// The named part, share of the full-site effect.
    pub amount: f64,
    /// The second largest part and its amount; none without a gap.
    pub second: Option<(Cause, f64)>,
    /// Share of draws of the class's words in which the name stays what it is against the second.
    pub support: f64,
    /// Whether it is clear of the second.
    pub clear: bool,
    /// Shape of the curve over the number of latents, if it was measured.
    pub curve: Option<Curve>,
    /// Damage of the main latents to the most damaged other class.
    pub damage: Option<f64>,
    /// That beyond the reference's is high.
    pub mixes: bool,
}

/// Names the cause of a class's gap; none where the full-site edit does nothing.
#[must_use]
pub fn diagnose(symptoms: &Symptoms, rule: &Rule, rng: &mut impl Rng) -> Option<Diagnosis> {
    let terms = GapTerms::of_sums(&total(symptoms.words.iter()))?;
    let mixes = match (symptoms.damage, symptoms.damage_of_reference) {
        (Some(own), Some(reference)) => own > reference + rule.damage,
        _ => false,
    };
    let parts = parts(&terms, mixes);
    let order = |a: &(Cause, f64), b: &(Cause, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut ranked = parts;
    ranked.sort_by(order);
    let gap = terms.total >= rule.gap;
    let (first, second) = (ranked[0], ranked[1]);
    let mut stays = 0usize;
    for _ in 0..rule.draws {
        let n = symptoms.words.len();
        let drawn = (0..n).map(|_| &symptoms.words[rng.random_range(0..n)]);
        let Some(again) = GapTerms::of_sums(&total(drawn)) else {
            continue;
        };
        let amount = |cause: Cause| {
            let mut parts = self::parts(&again, mixes).into_iter();
            parts.find(|part| part.0 == cause).map_or(0.0, |part| part.1)
        };
        let same = if gap {
            amount(first.0) > amount(second.0)
        } else {
            again.total < rule.gap
        };
        stays += usize::from(same);
    }
    let support = stays as f64 / rule.draws.max(1) as f64;
    let cause = match (gap, mixes) {
        (true, _) => first.0,
        (false, true) => Cause::Mixing,
        (false, false) => Cause::NoGap,
    };
    Some(Diagnosis {
        cause,
        terms,
        amount: if gap { first.1 } else { terms.total },
        second: gap.then_some(second),
        support,
        clear: support >= rule.clear,
        curve: Curve::of(&symptoms.curve, terms.total.max(rule.gap)),
        damage: symptoms.damage,
        mixes,
    })
}

impl Diagnosis {
    /// Whether the curve over the number of latents is what the cause predicts; none where it predicts nothing or was not measured.
    #[must_use]
    pub fn curve_agrees(&self) -> Option<bool> {
        Some(self.cause.predicts()? == self.curve?)
    }

    /// The evidence in plain English.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut pieces = vec![match (self.cause, self.second) {
            (Cause::NoGap, _) => format!("the gap of {:.2} is below the limit", self.terms.total),
            (Cause::Mixing, None) => format!(
                "no gap in the mediated share ({:.2}), but the latent damages another letter by {:.2}",
                self.terms.total,
                self.damage.unwrap_or(0.0)
            ),
            (cause, _) => format!(
                "{:.2} of the gap of {:.2} ({:.0} %) is {}",
                self.amount,
                self.terms.total,
                100.0 * self.amount / self.terms.total,
                cause.meaning()
            ),
        }];
        if self.cause == Cause::Diffuse && (0.5 * self.amount..=self.amount).contains(&self.terms.shared) {
            pieces.push(format!(
                ", {:.2} of it in latents that fire on many words of the letter and on others as well",
                self.terms.shared
            ));
        }
        if let Some((second, amount)) = self.second.filter(|(_, amount)| *amount > 0.0) {
            pieces.push(format!("; next: {} {amount:.2}", second.name()));
            if !self.clear {
                pieces.push(format!(
                    ", too close to tell apart (ahead in {:.0} % of draws of the words)",
                    100.0 * self.support
                ));
            }
        }
        if let (Some(agrees), Some(curve)) = (self.curve_agrees(), self.curve) {
            let verdict = if agrees { "as it should" } else { "which it should not" };
            pieces.push(format!("; the curve over latents {}, {verdict}", curve.name()));
        }
        // Part of what a contaminated reference reads belongs to something else: other latents hold it, and writing it was no use.
        if self.terms.diffuse > 0.02 && self.terms.write < -0.02 {
            pieces.push(
                "; other latents hold some of the read while the latent writes better than the reference: the reference may read \
                 something else too"
                    .to_owned(),
            );
        }
        pieces.concat()
    }
}

/// Parts of a gap by cause.
fn parts(terms: &GapTerms, mixes: bool) -> [(Cause, f64); 6] {
    let write = if mixes { Cause::Mixing } else { Cause::WriteError };
    let (threshold, dark) = match (terms.threshold, terms.dark) {
        (threshold, dark) if threshold * dark >= 0.0 => (threshold, dark),
        (threshold, dark) if threshold > dark => (threshold + dark, 0.0),
        (threshold, dark) => (0.0, threshold + dark),
    };
    [
        (Cause::Splitting, terms.split),
        (Cause::Absorption, terms.absorb),
        (Cause::Thresholding, threshold),
        (Cause::DarkMatter, dark),
        (Cause::Diffuse, terms.diffuse),
        (write, terms.write),
    ]
}

fn total<'a>(words: impl Iterator<Item = &'a [f64; COLUMNS]>) -> [f64; COLUMNS] {
    words.fold([0.0; COLUMNS], |sum, row| std::array::from_fn(|i| sum[i] + row[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words with equal effects: full 1, reference .9, both mixed edits and the main latents as given, parts of the read.
    fn symptoms(m10: f64, m01: f64, m00: f64, parts: [f64; 5]) -> Symptoms {
        let [split, absorb, diffuse, threshold, dark] = parts;
        Symptoms {
            words: vec![
                [
                    1.0, 0.9, m10, m01, m00, split, absorb, diffuse, threshold, dark, 0.0, 0.0
                ];
                12
            ],
            ..Symptoms::default()
        }
    }

    fn cause(symptoms: &Symptoms) -> Cause {
        let mut rng = stats::seed::rng(1, "test/diagnosis");
        diagnose(symptoms, &Rule::default(), &mut rng).unwrap().cause
    }

    #[test]
    fn the_largest_part_names_the_cause() {
        let causes = [
            Cause::Splitting,
            Cause::Absorption,
            Cause::Diffuse,
            Cause::Thresholding,
            Cause::DarkMatter,
        ];
        for (i, expected) in causes.into_iter().enumerate() {
            let mut parts = [0.05; 5];
            parts[i] = 0.2;
            assert_eq!(cause(&symptoms(0.9, 0.5, 0.5, parts)), expected);
        }
        // All is read and half is lost in writing.
        let mut write = symptoms(0.45, 0.9, 0.45, [0.0; 5]);
        assert_eq!(cause(&write), Cause::WriteError);
        (write.damage, write.damage_of_reference) = (Some(0.5), Some(0.1));
        assert_eq!(cause(&write), Cause::Mixing);
    }

    #[test]
    fn thresholds_that_would_add_too_much_count_for_what_is_missing() {
        assert_eq!(
            cause(&symptoms(0.9, 0.5, 0.5, [0.0, 0.25, 0.05, 0.9, -0.8])),
            Cause::Absorption
        );
        assert_eq!(
            cause(&symptoms(0.9, 0.5, 0.5, [0.0, 0.1, 0.0, 0.9, -0.6])),
            Cause::Thresholding
        );
    }

    #[test]
    fn a_small_gap_is_none_unless_letters_are_mixed() {
        let mut none = symptoms(0.89, 0.88, 0.87, [0.01, 0.0, 0.0, 0.0, 0.01]);
        assert_eq!(cause(&none), Cause::NoGap);
        (none.damage, none.damage_of_reference) = (Some(0.3), Some(0.05));
        assert_eq!(cause(&none), Cause::Mixing);
    }

    #[test]
    fn close_parts_are_said_to_be_close() {
        let mut two = symptoms(0.9, 0.5, 0.5, [0.2, 0.2, 0.0, 0.0, 0.0]);
        // Half of the words split, the other half are absorbed, and a little more of the first.
        for (i, word) in two.words.iter_mut().enumerate() {
            (word[5], word[6]) = if i % 2 == 0 { (0.42, 0.0) } else { (0.0, 0.38) };
        }
        let mut rng = stats::seed::rng(1, "test/diagnosis");
        let found = diagnose(&two, &Rule::default(), &mut rng).unwrap();
        assert_eq!((found.cause, found.clear), (Cause::Splitting, false));
        assert!(
            found.sentence().contains("too close to tell apart"),
            "{}",
            found.sentence()
        );
        let clear = diagnose(
            &symptoms(0.9, 0.5, 0.5, [0.3, 0.1, 0.0, 0.0, 0.0]),
            &Rule::default(),
            &mut rng,
        )
        .unwrap();
        assert!(clear.clear && (clear.support - 1.0).abs() < 1e-12);
        assert!(!clear.sentence().contains("too close"));
    }

    #[test]
    fn curves_are_told_apart() {
        let curve = |ms: [f64; 4]| Curve::of(&[(1, ms[0]), (4, ms[1]), (16, ms[2]), (64, ms[3])], 0.5);
        assert_eq!(curve([0.3, 0.7, 0.75, 0.8]), Some(Curve::Jump));
        assert_eq!(curve([0.3, 0.35, 0.6, 0.8]), Some(Curve::Tail));
        assert_eq!(curve([0.3, 0.32, 0.33, 0.35]), Some(Curve::Flat));
        assert_eq!(Curve::of(&[(1, 0.3)], 0.5), None);
    }
}
