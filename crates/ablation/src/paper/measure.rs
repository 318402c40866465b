//! Absorption of one SAE on new prompts, in every definition.

use std::time::Instant;

use linear_probe::LogisticProbe;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::absorption::chanin::{
    ChaninThresholds, Decision, Evidence, FrameRow, LetterRate, PromptFacts, Ranked, is_candidate,
};
use crate::absorption::companions::LetterCompanions;
use crate::absorption::saebench::{Definition, Guard, LetterWords, SaeScore, Thresholds, WordScore, score_word};
use crate::absorption::variants::{VariantThresholds, score_variant};
use crate::absorption::{Accounting, Along, Word, decoder_along};
use crate::attribution::{
    Against, Attribution, LatentEffect, Path, PositiveToken, Subjects, integrated_gradients, latent_effects,
};
use crate::error::{AblationError, Result};
use crate::paper::detection::{KSparseLetter, all_decoder_cosines};

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Thresholds of the paper's definition.
    pub chanin: ChaninThresholds,
    /// Thresholds of the released benchmark.
    pub saebench: Thresholds,
    /// The paper's attribution.
    pub path: Path,
    /// Whether effects are measured at all (the paper's definition), or only projections.
    pub causal: bool,
    /// Whether `m_max` and exact ablation are measured beside the paper's attribution.
    pub alternatives: bool,
    /// The seed of the run.
    pub seed: u64,
}

/// The words, one for each row of the capture that the subjects hold.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Class of each word's letter.
    pub class: &'a [usize],
    /// Whether the dense probe found the letter on the test prompt.
    pub found: &'a [bool],
    /// Score of the letter's k-sparse probe on the test prompt.
    pub k_sparse: &'a [f64],
    /// The words.
    pub text: &'a [String],
    /// Text of the new prompts.
    pub prompt: &'a [String],
    /// Alphabet index of each class.
    pub alphabet: &'a [usize],
}

/// Decisions of the paper's definition with one kind of effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributed {
    /// `paper`, `m_max` or `exact`.
    pub effect: String,
    /// Rate of each letter, every class.
    pub rates: Vec<LetterRate>,
}

/// How many words of a letter came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LetterCounts {
    /// Test words.
    pub words: usize,
    /// Found by the dense probe.
    pub true_positives: usize,
    /// Of these, missed by the k-sparse probe.
    pub candidates: usize,
    /// Of these, with all main latents silent on the new prompt.
    pub silent: usize,
    /// Of these, looked at.
    pub looked_at: usize,
}

/// What was measured. Lists are by class unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Words at each stage.
    pub counts: Vec<LetterCounts>,
    /// The paper's definition, by kind of effect; empty if effects were not asked for.
    pub chanin: Vec<Attributed>,
    /// The released code's frame: a row for each word that was looked at.
    pub frame: Vec<FrameRow>,
    /// `SAEBench`'s scores of each true positive, with its text.
    pub words: Vec<Vec<(String, WordScore)>>,
    /// Share of true positives that are absorbed by projection: one absorber, three, and one with main latents that may carry up
    /// to a tenth (appendix A.13).
    pub variants: Vec<[Option<f64>; 3]>,
    /// What stands beside each score.
    pub companions: Vec<LetterCompanions>,
    /// For a few words, attributions with few and many steps beside exact ablation.
    pub checks: Vec<PathCheck>,
    /// Seconds of each stage.
    pub seconds: Vec<(String, f64)>,
}

/// Completeness and agreement of the attributions of one word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathCheck {
    /// The word.
    pub word: String,
    /// Change of the metric along the path.
    pub change: f64,
    /// Sum of attributions with the paper's number of steps.
    pub sum: f64,
    /// Sum with [`MANY_STEPS`].
    pub sum_many: f64,
    /// Correlation of the paper's attributions with exact effects over the word's latents.
    pub correlation: Option<f64>,
    /// Correlation of gradient times activation with exact effects.
    pub correlation_first_order: Option<f64>,
}

/// Steps at which completeness is shown.
pub const MANY_STEPS: usize = 512;

/// Words for which completeness is shown.
const CHECKED: usize = 12;

/// Measures one SAE.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn measure(
    subjects: Subjects<'_>,
    words: Words<'_>,
    probe: &LogisticProbe,
    ksparse: &[KSparseLetter],
    probe_f1: &[f64],
    settings: &Settings,
) -> Result<Found> {
    let classes = ksparse.len();
    let n = subjects.capture.rows.len();
    let sizes = [
        words.class.len(),
        words.found.len(),
        words.k_sparse.len(),
        words.text.len(),
        words.prompt.len(),
    ];
    if sizes.iter().any(|&size| size != n) || probe_f1.len() != classes || words.alphabet.len() != classes {
        return Err(AblationError::Edit(format!(
            "{n} captured words, {classes} letters and lists of {sizes:?}"
        )));
    }
    let mut seconds = Vec::new();
    let begun = Instant::now();
    let cosines = all_decoder_cosines(subjects.sae, probe);
    let by_projection = projections(subjects, words, probe, ksparse, probe_f1, settings)?;
    seconds.push(("projections".to_owned(), begun.elapsed().as_secs_f64()));
    let (mut counts, looked_at, portions) = candidates(subjects, words, ksparse, settings);
    let mut found = Found {
        counts: Vec::new(),
        chanin: Vec::new(),
        frame: Vec::new(),
        words: by_projection.words,
        variants: by_projection.variants,
        companions: by_projection.companions,
        checks: Vec::new(),
        seconds,
    };
    if settings.causal {
        let letters: Vec<usize> = looked_at.iter().map(|&row| words.alphabet[words.class[row]]).collect();
        let begun = Instant::now();
        let paper = integrated_gradients(subjects, &looked_at, &letters, settings.path)?;
        found
            .seconds
            .push(("integrated gradients".to_owned(), begun.elapsed().as_secs_f64()));
        let judge = Judge {
            subjects,
            words,
            ksparse,
            cosines: &cosines,
            thresholds: &settings.chanin,
        };
        for (attribution, &row) in paper.iter().zip(&looked_at) {
            if let Some(line) = judge.frame_row(attribution, row, &counts, &portions)? {
                found.frame.push(line);
            }
        }
        found
            .chanin
            .push(judge.rates("paper", &paper_scores(&paper), &looked_at, &counts, &portions)?);
        if settings.alternatives {
            let begun = Instant::now();
            let max = Path {
                against: Against::Max,
                ..settings.path
            };
            let max = integrated_gradients(subjects, &looked_at, &letters, max)?;
            found
                .seconds
                .push(("integrated gradients, m_max".to_owned(), begun.elapsed().as_secs_f64()));
            found
                .chanin
                .push(judge.rates("m_max", &paper_scores(&max), &looked_at, &counts, &portions)?);
            let begun = Instant::now();
            let directions: Vec<&[f64]> = looked_at.iter().map(|&row| probe.direction(words.class[row])).collect();
            let (capture, latents) = (subjects.capture, subjects.latents);
            let exact = latent_effects(
                subjects.stage,
                (capture, latents),
                subjects.sae,
                (&looked_at, &letters),
                &directions,
                positive(subjects, settings),
            )?;
            found
                .seconds
                .push(("exact ablation".to_owned(), begun.elapsed().as_secs_f64()));
            let by_word = exact_scores(&exact, &looked_at);
            found
                .chanin
                .push(judge.rates("exact", &by_word, &looked_at, &counts, &portions)?);
            let begun = Instant::now();
            found.checks = checks(subjects, words, (&looked_at, &letters), &paper, &by_word, settings.path)?;
            found
                .seconds
                .push(("completeness".to_owned(), begun.elapsed().as_secs_f64()));
        }
    }
    found.counts = std::mem::take(&mut counts);
    Ok(found)
}

/// The right answers' tokens where they are not the capitals.
pub(super) fn positive<'a>(subjects: Subjects<'a>, settings: &Settings) -> Option<&'a [u32; 26]> {
    (settings.path.positive == PositiveToken::Released).then_some(&subjects.answers.lower)
}

/// What needs no effect.
struct Projections {
    words: Vec<Vec<(String, WordScore)>>,
    variants: Vec<[Option<f64>; 3]>,
    companions: Vec<LetterCompanions>,
}

fn projections(
    subjects: Subjects<'_>,
    words: Words<'_>,
    probe: &LogisticProbe,
    ksparse: &[KSparseLetter],
    probe_f1: &[f64],
    settings: &Settings,
) -> Result<Projections> {
    let rules = [
        VariantThresholds::default(),
        VariantThresholds::several(crate::absorption::MIN_SHARE, 3),
        VariantThresholds::weak_main(crate::absorption::MIN_SHARE, 0.1),
    ];
    let mut out = Projections {
        words: Vec::new(),
        variants: Vec::new(),
        companions: Vec::new(),
    };
    for (class, letter) in ksparse.iter().enumerate() {
        let direction = probe.direction(class);
        let length = crate::editor::norm(direction);
        let along: Along = decoder_along(subjects.sae, direction);
        let rows: Vec<usize> = rows_of(words, class).filter(|&row| words.found[row]).collect();
        let read = |accounting| -> Result<Vec<Word>> {
            rows.iter()
                .map(|&row| {
                    let site = subjects.capture.site(row);
                    let dot: f64 = site.iter().zip(direction).map(|(&x, p)| f64::from(x) * p).sum();
                    Ok(Word::of_row(subjects.latents, row, dot / length, &along, accounting)?)
                })
                .collect()
        };
        let (cosine, exact) = (read(Accounting::Cosine)?, read(Accounting::Exact)?);
        let scored = cosine.iter().zip(&rows).map(|(word, &row)| {
            let score = score_word(word, &letter.main_saebench, &settings.saebench);
            (words.text[row].clone(), score)
        });
        out.words.push(scored.collect());
        out.variants.push(rules.map(|rule| {
            let absorbed = exact
                .iter()
                .filter(|word| score_variant(word, &letter.main, &rule).is_some_and(|score| score.is_absorption))
                .count();
            (!exact.is_empty()).then(|| absorbed as f64 / exact.len() as f64)
        }));
        let f1 = letter.f1(letter.main_saebench.len()).unwrap_or(0.0);
        let name = letter_name(words, class);
        out.companions.push(LetterCompanions::new(
            name,
            &cosine,
            &letter.main_saebench,
            f1,
            probe_f1[class],
        )?);
    }
    Ok(out)
}

fn rows_of(words: Words<'_>, class: usize) -> impl Iterator<Item = usize> {
    (0..words.class.len()).filter(move |&row| words.class[row] == class)
}

fn letter_name(words: Words<'_>, class: usize) -> char {
    char::from(b'a' + words.alphabet[class] as u8)
}

/// Counts by class, rows that are looked at by class and row, and the sampled portion of each class.
fn candidates(
    subjects: Subjects<'_>,
    words: Words<'_>,
    ksparse: &[KSparseLetter],
    settings: &Settings,
) -> (Vec<LetterCounts>, Vec<usize>, Vec<f64>) {
    let (mut counts, mut looked_at, mut portions) = (Vec::new(), Vec::new(), Vec::new());
    for (class, letter) in ksparse.iter().enumerate() {
        let all: Vec<usize> = rows_of(words, class).collect();
        let found: Vec<usize> = all.iter().copied().filter(|&row| words.found[row]).collect();
        let missed: Vec<usize> = found
            .iter()
            .copied()
            .filter(|&row| is_candidate(1.0, words.k_sparse[row]))
            .collect();
        let mut silent: Vec<usize> = missed
            .iter()
            .copied()
            .filter(|&row| {
                let main: Vec<f32> = letter.main.iter().map(|&j| subjects.latents.get(row, j)).collect();
                settings.chanin.passes_filter(&main)
            })
            .collect();
        let n = silent.len();
        let portion = settings.chanin.sample_portion(n);
        if portion < 1.0 {
            let name = format!("paper/absorption-sample/{}", letter_name(words, class));
            silent.shuffle(&mut stats::seed::rng(settings.seed, &name));
            silent.truncate(settings.chanin.max_prompts);
            silent.sort_unstable();
        }
        counts.push(LetterCounts {
            words: all.len(),
            true_positives: found.len(),
            candidates: missed.len(),
            silent: n,
            looked_at: silent.len(),
        });
        portions.push(portion);
        looked_at.extend(silent);
    }
    (counts, looked_at, portions)
}

/// Turns effects into decisions.
struct Judge<'a> {
    subjects: Subjects<'a>,
    words: Words<'a>,
    ksparse: &'a [KSparseLetter],
    cosines: &'a [Vec<f64>],
    thresholds: &'a ChaninThresholds,
}

/// Latents and signed effects of one word.
type Scores = (Vec<u32>, Vec<f64>);

impl Judge<'_> {
    fn decide(&self, (latents, scores): &Scores, row: usize) -> Result<(Decision, usize)> {
        let class = self.words.class[row];
        let activations: Vec<f32> = latents.iter().map(|&j| self.subjects.latents.get(row, j)).collect();
        let evidence = Evidence {
            latents,
            scores,
            activations: &activations,
            cosines: &self.cosines[class],
            main: &self.ksparse[class].main,
        };
        let ranked = Ranked::new(&evidence, self.thresholds)?;
        Ok((ranked.decide(self.thresholds), class))
    }

    fn rates(
        &self,
        effect: &str,
        scores: &[Scores],
        rows: &[usize],
        counts: &[LetterCounts],
        portions: &[f64],
    ) -> Result<Attributed> {
        let mut absorbed = vec![0; counts.len()];
        for (scores, &row) in scores.iter().zip(rows) {
            let (decision, class) = self.decide(scores, row)?;
            absorbed[class] += usize::from(decision.is_absorption());
        }
        let rates = counts.iter().zip(absorbed).zip(portions).enumerate();
        let rates = rates.map(|(class, ((counts, absorbed), &portion))| {
            let name = letter_name(self.words, class);
            Ok(LetterRate::new(
                name,
                counts.looked_at,
                absorbed,
                portion,
                counts.true_positives,
            )?)
        });
        Ok(Attributed {
            effect: effect.to_owned(),
            rates: rates.collect::<Result<_>>()?,
        })
    }

    /// `None` for a word with fewer than two latents in the whole SAE, which the frame has no columns for.
    fn frame_row(
        &self,
        attribution: &Attribution,
        row: usize,
        counts: &[LetterCounts],
        portions: &[f64],
    ) -> Result<Option<FrameRow>> {
        let class = self.words.class[row];
        if self.subjects.sae.d_sae() < 2 {
            return Ok(None);
        }
        let (latents, scores): Scores = attribution.latents.iter().copied().unzip();
        let activations: Vec<f32> = latents.iter().map(|&j| self.subjects.latents.get(row, j)).collect();
        let evidence = Evidence {
            latents: &latents,
            scores: &scores,
            activations: &activations,
            cosines: &self.cosines[class],
            main: &self.ksparse[class].main,
        };
        let facts = PromptFacts {
            letter: letter_name(self.words, class),
            token: self.words.text[row].clone(),
            prompt: self.words.prompt[row].clone(),
            sample_portion: portions[class],
            num_probe_true_positives: counts[class].true_positives,
        };
        Ok(Some(FrameRow::new(facts, &evidence, self.thresholds)?))
    }
}

fn paper_scores(attributions: &[Attribution]) -> Vec<Scores> {
    let unzip = |attribution: &Attribution| attribution.latents.iter().copied().unzip();
    attributions.iter().map(unzip).collect()
}

fn exact_scores(effects: &[LatentEffect], rows: &[usize]) -> Vec<Scores> {
    let mut at = 0;
    rows.iter()
        .map(|&row| {
            let own = effects[at..].iter().take_while(|effect| effect.row == row);
            let scores: Scores = own.map(|effect| (effect.latent, effect.effect)).unzip();
            at += scores.0.len();
            scores
        })
        .collect()
}

/// A spread of the words that were looked at.
fn checks(
    subjects: Subjects<'_>,
    words: Words<'_>,
    (rows, letters): (&[usize], &[usize]),
    paper: &[Attribution],
    exact: &[Scores],
    path: Path,
) -> Result<Vec<PathCheck>> {
    let step = rows.len().div_ceil(CHECKED).max(1);
    let chosen: Vec<usize> = (0..rows.len()).step_by(step).collect();
    let few: Vec<usize> = chosen.iter().map(|&at| rows[at]).collect();
    let own: Vec<usize> = chosen.iter().map(|&at| letters[at]).collect();
    let many = integrated_gradients(
        subjects,
        &few,
        &own,
        Path {
            steps: MANY_STEPS,
            ..path
        },
    )?;
    let first = integrated_gradients(subjects, &few, &own, Path { steps: 1, ..path })?;
    let sum = |attribution: &Attribution| attribution.error + attribution.latents.iter().map(|(_, v)| v).sum::<f64>();
    Ok(chosen
        .iter()
        .zip(many.iter().zip(&first))
        .map(|(&at, (many, first))| {
            let against = |attribution: &Attribution| {
                let values: Vec<f64> = attribution.latents.iter().map(|(_, v)| *v).collect();
                correlation(&values, &exact[at].1)
            };
            PathCheck {
                word: words.text[rows[at]].clone(),
                change: many.end - many.start,
                sum: sum(&paper[at]),
                sum_many: sum(many),
                correlation: against(&paper[at]),
                correlation_first_order: against(first),
            }
        })
        .collect())
}

/// Pearson's; `None` for fewer than three latents or without variance.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 3 {
        return None;
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&x, &y)| f(x - ma, y - mb)).sum::<f64>();
    let both = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    (both > 0.0).then(|| sum(&|x, y| x * y) / both)
}

impl Found {
    /// `SAEBench`'s score. `main`: main latents of each class, by number.
    ///
    /// # Errors
    /// As [`SaeScore::new`].
    pub fn score(&self, main: &[usize], definition: Definition, guard: &Guard) -> Result<SaeScore> {
        let words: Vec<Vec<WordScore>> = self
            .words
            .iter()
            .map(|words| words.iter().map(|(_, score)| *score).collect())
            .collect();
        let letters: Vec<LetterWords<'_>> = self
            .companions
            .iter()
            .zip(&words)
            .zip(main)
            .map(|((companions, words), &main_latents)| LetterWords {
                letter: companions.letter,
                probe_f1: companions.probe_f1,
                main_latents,
                true_positives: companions.true_positives,
                words,
            })
            .collect();
        Ok(SaeScore::new(&letters, definition, guard)?)
    }
}
