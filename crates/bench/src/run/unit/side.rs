//! Side effects of some arms: text, other questions about the same words, the prediction outside the letters.
//!
//! Divergences are means over a letter's words (or over the tokens of the text), then over letters; lower is better everywhere. Only
//! own words are edited: what an editor does to other letters' words is damage `O`, measured elsewhere.

use std::collections::BTreeMap;

use ::sae::SparseLatents;
use ablation::side::answers::{AnswerDamage, Answers};
use ablation::side::text::text_damage;
use ablation::{Arm, Captured, Pair, arms};
use store::{Estimate, LetterRow, TableRow, Warning};

use super::sae::OfSae;
use super::{Lab, Unit, k_latents, one_latent};
use crate::run::side::SideStages;
use crate::run::summary::{Summary, macro_estimate};

/// Draws of random arms here: each is as dear as an arm, and the mean of a divergence settles fast.
const DRAWS: usize = 2;

/// Share of a question's prompts that the unedited model must answer for it to count as able to.
const MIN_ACCURACY: f64 = 0.5;

/// The SAE arm of several latents whose side effects are measured.
const SEVERAL: usize = 16;

/// Arms without an SAE.
pub(super) fn directions(lab: Lab<'_>, side: &SideStages<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let site = lab.site;
    let bench = Prompts::new(lab, side)?;
    bench.accuracies(&mut unit.summary)?;
    let leace = arms::leace_1(&site.directions, &site.train);
    let random = arms::random(&leace, site.train.d, DRAWS, lab.plan.directions.seed);
    let all = [
        arms::full_site(&site.directions),
        random,
        arms::diff_mean(&site.directions, &site.train),
        arms::lr(&site.directions, &site.train),
        leace,
    ];
    for arm in all {
        bench.arm(&arm, None, &mut unit.summary)?;
    }
    Ok(())
}

/// Arms of one SAE.
pub(super) fn of_sae(lab: Lab<'_>, side: &SideStages<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let bench = Prompts::new(lab, side)?;
    let latents = Latents {
        text: side.text.as_ref().map(|text| of.sae.encode(text.stream())),
        letters: &of.scored,
        questions: side
            .questions
            .iter()
            .map(|asked| of.sae.encode(&asked.capture.sites()))
            .collect(),
    };
    let random = of
        .side
        .random_arm(&of.by_probe(), &lab.site.train, DRAWS, lab.plan.directions.seed);
    let all = [
        random,
        of.side.arm(&one_latent("probe"), &of.by_probe()),
        of.side.arm(&k_latents(SEVERAL), &of.strongest(SEVERAL)),
    ];
    for arm in all {
        bench.arm(&arm, Some(&latents), &mut unit.summary)?;
    }
    Ok(())
}

/// An SAE's latents wherever side effects are measured.
struct Latents<'a> {
    text: Option<SparseLatents>,
    /// Of the first-letter prompts.
    letters: &'a SparseLatents,
    questions: Vec<SparseLatents>,
}

/// Prompts with their unedited predictions.
struct Prompts<'a> {
    lab: Lab<'a>,
    side: &'a SideStages<'a>,
    letters: Answers<'a>,
    /// Each word with its own letter's editor.
    own: Vec<Pair>,
    questions: Vec<Answers<'a>>,
}

/// One number of every letter; none where a letter has no words there.
type ByLetter = Vec<Option<f64>>;

impl<'a> Prompts<'a> {
    fn new(lab: Lab<'a>, side: &'a SideStages<'a>) -> anyhow::Result<Self> {
        let first = Captured {
            stage: &lab.stages.test,
            capture: &lab.site.scored,
        };
        let asked = side.questions.iter().map(|asked| {
            let captured = Captured {
                stage: &asked.stage,
                capture: &asked.capture,
            };
            Answers::new(captured, &[])
        });
        Ok(Self {
            lab,
            side,
            letters: Answers::new(first, lab.plan.answers.ids())?,
            own: lab.bench.pairs().iter().copied().filter(|p| p.on).collect(),
            questions: asked.collect::<Result<_, _>>()?,
        })
    }

    /// Says how well the unedited model answers the other questions: where it does not, a divergence is of word identity only.
    fn accuracies(&self, summary: &mut Summary) -> anyhow::Result<()> {
        for (asked, answers) in self.side.questions.iter().zip(&self.questions) {
            let tops = answers.tops()?;
            let right = tops
                .iter()
                .zip(&asked.answers)
                .filter(|(top, answer)| top == answer)
                .count();
            let n = tops.len().max(1) as f64;
            let accuracy = right as f64 / n;
            // A model that knows one question about words may answer every question with its answer.
            let first = |pair: &Pair| self.lab.plan.answers.id(self.lab.plan.letters[pair.class]);
            let habit = asked.pairs.iter().filter(|pair| tops[pair.row] == first(pair)).count();
            let first_letter = habit as f64 / n;
            let name = asked.attribute.name();
            summary.put(
                &format!("side/{name}/answers_first_letter"),
                Estimate::point(first_letter, tops.len() as u64, "share"),
            );
            summary.put(
                &format!("side/{name}/accuracy"),
                Estimate::point(accuracy, tops.len() as u64, "share").higher_is_better(),
            );
            if accuracy < MIN_ACCURACY {
                summary.warnings.push(Warning::SideTaskNotLearned {
                    task: name.to_owned(),
                    accuracy,
                    needed: MIN_ACCURACY,
                    first_letter,
                });
            }
        }
        Ok(())
    }

    fn arm(&self, arm: &Arm, latents: Option<&Latents<'_>>, summary: &mut Summary) -> anyhow::Result<()> {
        let classes = self.lab.plan.letters.len();
        let mut found: Vec<(String, &str, ByLetter)> = Vec::new();
        if let Some(text) = &self.side.text {
            let damage = text_damage(text, arm, latents.and_then(|l| l.text.as_ref()))?;
            let kl = damage.iter().map(|d| Some(d.kl)).collect();
            let rise = damage.iter().map(|d| Some(d.cross_entropy)).collect();
            found.push(("text_kl".to_owned(), "nats/token", kl));
            found.push(("text_ce".to_owned(), "nats/token", rise));
        }
        let damage = self.letters.damage(arm, &self.own, latents.map(|l| l.letters))?;
        let beside = by_letter(&damage, &self.own, classes, |d| d.outside);
        found.push(("letter_free_kl".to_owned(), "nats", beside));
        for (i, (asked, answers)) in self.side.questions.iter().zip(&self.questions).enumerate() {
            let damage = answers.damage(arm, &asked.pairs, latents.map(|l| &l.questions[i]))?;
            let name = asked.attribute.name();
            let kl = by_letter(&damage, &asked.pairs, classes, |d| d.kl);
            let flipped = by_letter(&damage, &asked.pairs, classes, |d| f64::from(u8::from(d.flipped)));
            found.push((format!("{name}_kl"), "nats", kl));
            found.push((format!("{name}_flipped"), "share", flipped));
        }
        self.keep(&arm.name, found, summary);
        Ok(())
    }

    fn keep(&self, arm: &str, found: Vec<(String, &str, ByLetter)>, summary: &mut Summary) {
        let words = |class: usize| self.own.iter().filter(|p| p.class == class).count() as u64;
        let tokens = self
            .side
            .text
            .as_ref()
            .map_or(0, ablation::side::text::TextStage::tokens) as u64;
        let mut row = TableRow {
            at: BTreeMap::from([("arm".to_owned(), arm.to_owned())]),
            values: BTreeMap::new(),
        };
        let mut letters: Vec<BTreeMap<String, Estimate>> = vec![BTreeMap::new(); self.lab.plan.letters.len()];
        for (metric, unit, values) in found {
            for (class, value) in values.iter().enumerate() {
                let n = if metric.starts_with("text_") {
                    tokens
                } else {
                    words(class)
                };
                if let Some(value) = value {
                    letters[class].insert(metric.clone(), Estimate::point(*value, n, unit));
                }
            }
            let known: Vec<f64> = values.into_iter().flatten().collect();
            let name = format!("side/{arm}/{metric}");
            if known.is_empty() {
                summary.warnings.push(Warning::NotMeasured {
                    measurement: name,
                    reason: "no letter has words that are asked this".to_owned(),
                });
                continue;
            }
            let estimate = macro_estimate(&known, unit).lower_is_better();
            row.values.insert(metric, estimate.clone());
            summary.put(&name, estimate);
        }
        summary.tables.entry("side".to_owned()).or_default().push(row);
        for (letter, values) in self.lab.plan.letters.iter().zip(letters) {
            if !values.is_empty() {
                summary.letters.push(LetterRow {
                    letter: letter.lower(),
                    arm: format!("side/{arm}"),
                    values,
                });
            }
        }
    }
}

/// Mean over a letter's words and an arm's draws.
fn by_letter(damage: &[Vec<AnswerDamage>], pairs: &[Pair], classes: usize, of: fn(&AnswerDamage) -> f64) -> ByLetter {
    let mut sums = vec![[0.0; 2]; classes];
    for (pair, damage) in damage.iter().flat_map(|draw| pairs.iter().zip(draw)) {
        sums[pair.class][0] += of(damage);
        sums[pair.class][1] += 1.0;
    }
    sums.iter().map(|&[sum, n]| (n > 0.0).then_some(sum / n)).collect()
}
