//! Effects of arms on words, and the scores made of them.
//!
//! `MS = sum D(E) / sum D(full)` over words of the letter, `O` the same ratio of absolute effects
//! on words of other letters, `M* = clip(MS) (1 - clip(O))`, and the fidelity `Fi`. Ratios of sums,
//! never means of ratios. A letter is scored only where the ceiling edit itself removes at least
//! half of its log-odds ([`MIN_CEILING`]).

use std::collections::BTreeMap;

use sae::SparseLatents;
use serde::{Deserialize, Serialize};
use stats::LetterRows;

use crate::arms::Arm;
use crate::editor::{Editor, Subject, norm};
use crate::effects::{LetterLogits, log_odds, logit_difference, pair_difference};
use crate::error::{AblationError, Result};
use crate::stage::{Capture, Stage};

/// An editor's letter applied to a captured word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Class whose editor is applied.
    pub class: usize,
    /// Row of the capture.
    pub row: usize,
    /// Whether the word has that class's letter.
    pub on: bool,
}

/// The words of an evaluation: captured, run unedited and with the ceiling edit.
pub struct Bench<'a> {
    stage: &'a Stage<'a>,
    capture: &'a Capture,
    /// Alphabet index of each class.
    letters: Vec<usize>,
    /// Class of each row.
    class_of: Vec<usize>,
    pairs: Vec<Pair>,
    clean: Vec<LetterLogits>,
    full: Vec<LetterLogits>,
    /// Donor row of each row, for patching.
    donors: Vec<Option<usize>>,
    patched_full: Vec<Option<LetterLogits>>,
}

/// One effect, as it stands in the rows file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// Arm.
    pub arm: String,
    /// Draw of a random arm, from 0.
    pub draw: u32,
    /// `erase` or `patch`.
    pub mode: String,
    /// Letter whose editor was applied (patch: letter that is patched away).
    pub editor: char,
    /// The word.
    pub word: String,
    /// Its letter.
    pub letter: char,
    /// Its example set.
    pub set: u32,
    /// Log-odds of the word's letter before, nats (patch: donor letter's logit minus own).
    pub before: f32,
    /// The same after the edit.
    pub after: f32,
    /// The same after the full-site edit.
    pub ceiling: f32,
    /// Mean logit difference `m` before, logits (empty for patch).
    pub m_before: Option<f32>,
    /// The same after.
    pub m_after: Option<f32>,
    /// Length of the edit over length of the vector.
    pub dose: f32,
}

/// Logits after an arm's edits: `[draws][pairs]`, with relative doses.
pub struct Measured {
    /// Arm name.
    pub arm: String,
    erase: Vec<Vec<LetterLogits>>,
    dose: Vec<Vec<f32>>,
    patch: Option<Vec<Option<LetterLogits>>>,
}

/// Scores of an arm for one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Mediated share.
    pub ms: f64,
    /// Mean damage share on other letters' words.
    pub o_mean: f64,
    /// Largest damage share on one other letter's words.
    pub o_max: f64,
    /// `clip(MS) (1 - clip(O_mean))`.
    pub m_star: f64,
    /// The same with `O_max`.
    pub m_star_max: f64,
    /// Fidelity to the ceiling.
    pub fi: f64,
    /// Mediated share of patching a donor's value, where it was measured.
    pub ms_patch: Option<f64>,
    /// Mean effect on the letter's own words, nats.
    pub effect: f64,
    /// Mean effect on `m`, logits.
    pub effect_m: f64,
    /// Words of the letter that were scored.
    pub words: usize,
}

/// Smallest share of a letter's log-odds that the ceiling edit must remove. The mean vector of all
/// words reads as some letter too; for that letter replacing the vector by it changes little, and
/// a ratio to that little means nothing.
pub const MIN_CEILING: f64 = 0.5;

/// Sums per word: on-target effect, ceiling, distances to the ceiling after and before; or
/// off-target absolute effect and ceiling.
pub type ScoreRows = LetterRows<2, 4>;

/// `[MS, O_mean, M*, Fi]` of resampled sums; `None` where the ceiling itself does nothing.
#[must_use]
pub fn scores_of_sums(sums: &[[f64; 4]; 2]) -> Option<[f64; 4]> {
    let [on, off] = sums;
    if on[1] <= 0.0 || off[1] <= 0.0 || on[3] <= 0.0 {
        return None;
    }
    let (ms, o) = (on[0] / on[1], off[0] / off[1]);
    Some([
        ms,
        o,
        ms.clamp(0.0, 1.0) * (1.0 - o.clamp(0.0, 1.0)),
        1.0 - on[2] / on[3],
    ])
}

impl<'a> Bench<'a> {
    /// Runs the words unedited and with the ceiling edit of every pair.
    ///
    /// `class_of` gives each captured row's class, `full` the ceiling arm, `donors` each row's
    /// partner for patching (a row of the same capture).
    ///
    /// # Errors
    /// A pair names a row or class that does not exist, or the model refuses a run.
    pub fn new(
        stage: &'a Stage<'a>,
        capture: &'a Capture,
        letters: Vec<usize>,
        class_of: Vec<usize>,
        pairs: Vec<Pair>,
        donors: Vec<Option<usize>>,
        full: &Arm,
    ) -> Result<Self> {
        let rows = capture.rows.len();
        let bad = class_of.len() != rows
            || donors.len() != rows
            || pairs.iter().any(|p| p.row >= rows || p.class >= letters.len());
        if bad || pairs.is_empty() {
            return Err(AblationError::Edit(
                "the evaluation's pairs do not fit its capture, or there are none".to_owned(),
            ));
        }
        let clean = stage.clean_logits(capture)?;
        let mut bench = Self {
            stage,
            capture,
            letters,
            class_of,
            pairs,
            clean,
            full: Vec::new(),
            patched_full: Vec::new(),
            donors,
        };
        bench.full = bench.erase(&full.draws[0], None)?.0;
        bench.patched_full = bench.patch(&full.draws[0], None)?;
        Ok(bench)
    }

    /// Unedited logits of every row.
    #[must_use]
    pub fn clean(&self) -> &[LetterLogits] {
        &self.clean
    }

    /// Class of each row.
    #[must_use]
    pub fn class_of(&self) -> &[usize] {
        &self.class_of
    }

    /// The capture.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        self.capture
    }

    /// Applies an arm to every pair; `latents` are those of the captured rows.
    ///
    /// # Errors
    /// An editor cannot apply, or the model refuses a run.
    pub fn measure(&self, arm: &Arm, latents: Option<&SparseLatents>, with_patch: bool) -> Result<Measured> {
        let (mut erase, mut dose) = (Vec::new(), Vec::new());
        for editors in &arm.draws {
            if editors.len() != self.letters.len() {
                return Err(AblationError::Edit(format!(
                    "arm `{}` has {} editors for {} letters",
                    arm.name,
                    editors.len(),
                    self.letters.len()
                )));
            }
            let (logits, doses) = self.erase(editors, latents)?;
            erase.push(logits);
            dose.push(doses);
        }
        let matched = arm.draws[0].iter().any(|e| matches!(e, Editor::MatchedNorm { .. }));
        let patch = (with_patch && !matched)
            .then(|| self.patch(&arm.draws[0], latents))
            .transpose()?;
        Ok(Measured {
            arm: arm.name.clone(),
            erase,
            dose,
            patch,
        })
    }

    fn subject<'s>(&'s self, row: usize, latents: Option<&'s SparseLatents>) -> Subject<'s> {
        Subject {
            x: self.capture.site(row),
            latents: latents.map(|l| (l, row)),
        }
    }

    fn erase(&self, editors: &[Editor], latents: Option<&SparseLatents>) -> Result<(Vec<LetterLogits>, Vec<f32>)> {
        let changes = self
            .pairs
            .iter()
            .map(|pair| Ok((pair.row, editors[pair.class].delta(self.subject(pair.row, latents))?)));
        self.run(changes)
    }

    fn patch(&self, editors: &[Editor], latents: Option<&SparseLatents>) -> Result<Vec<Option<LetterLogits>>> {
        let rows: Vec<(usize, usize)> = self
            .donors
            .iter()
            .enumerate()
            .filter_map(|(row, donor)| Some((row, (*donor)?)))
            .collect();
        let changes = rows.iter().map(|&(row, donor)| {
            let both = [&editors[self.class_of[row]], &editors[self.class_of[donor]]];
            let delta = Editor::patch_delta(&both, self.subject(row, latents), self.subject(donor, latents))?;
            Ok((row, delta))
        });
        let (logits, _) = self.run(changes)?;
        let mut out = vec![None; self.donors.len()];
        for ((row, _), logits) in rows.iter().zip(logits) {
            out[*row] = Some(logits);
        }
        Ok(out)
    }

    /// Runs edited vectors; a change of exactly zero keeps the unedited logits, so that doing
    /// nothing has exactly no effect and costs nothing.
    fn run(&self, changes: impl Iterator<Item = Result<(usize, Vec<f64>)>>) -> Result<(Vec<LetterLogits>, Vec<f32>)> {
        let (mut out, mut doses) = (Vec::new(), Vec::new());
        let (mut rows, mut slots, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            let (row, delta) = change?;
            let x = self.capture.site(row);
            let length = norm(&delta);
            let size = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
            doses.push((length / size.max(1e-30)) as f32);
            if length > 0.0 {
                slots.push(out.len());
                rows.push(row);
                vectors.extend(x.iter().zip(&delta).map(|(&x, d)| (f64::from(x) + d) as f32));
            }
            out.push(self.clean.get(row).copied().unwrap_or([0.0; 26]));
        }
        let logits = self.stage.edited_logits(self.capture, &rows, &vectors)?;
        for (slot, logits) in slots.into_iter().zip(logits) {
            out[slot] = logits;
        }
        Ok((out, doses))
    }

    /// The rows of an arm; `name_of(row)` gives a captured word's text.
    pub fn rows(&self, measured: &Measured, name_of: impl Fn(usize) -> String) -> Vec<EffectRow> {
        let letter_of = |class: usize| char::from(b'a' + self.letters[class] as u8);
        let mut rows = Vec::new();
        for (draw, (logits, doses)) in measured.erase.iter().zip(&measured.dose).enumerate() {
            for (i, pair) in self.pairs.iter().enumerate() {
                let y = self.letters[self.class_of[pair.row]];
                let clean = &self.clean[pair.row];
                rows.push(EffectRow {
                    arm: measured.arm.clone(),
                    draw: draw as u32,
                    mode: "erase".to_owned(),
                    editor: letter_of(pair.class),
                    word: name_of(pair.row),
                    letter: letter_of(self.class_of[pair.row]),
                    set: self.stage.items()[self.capture.rows[pair.row]].set as u32,
                    before: log_odds(clean, y) as f32,
                    after: log_odds(&logits[i], y) as f32,
                    ceiling: log_odds(&self.full[i], y) as f32,
                    m_before: Some(logit_difference(clean, y) as f32),
                    m_after: Some(logit_difference(&logits[i], y) as f32),
                    dose: doses[i],
                });
            }
        }
        for (row, logits) in measured.patch.iter().flatten().enumerate() {
            let (Some(logits), Some(full), Some(donor)) = (logits, &self.patched_full[row], self.donors[row]) else {
                continue;
            };
            let (from, to) = (self.letters[self.class_of[row]], self.letters[self.class_of[donor]]);
            rows.push(EffectRow {
                arm: measured.arm.clone(),
                draw: 0,
                mode: "patch".to_owned(),
                editor: letter_of(self.class_of[row]),
                word: name_of(row),
                letter: letter_of(self.class_of[row]),
                set: self.stage.items()[self.capture.rows[row]].set as u32,
                before: pair_difference(&self.clean[row], from, to) as f32,
                after: pair_difference(logits, from, to) as f32,
                ceiling: pair_difference(full, from, to) as f32,
                m_before: None,
                m_after: None,
                dose: 0.0,
            });
        }
        rows
    }
}

/// Scores per letter, made of rows alone: what a reader of the rows file can compute again.
pub struct Scored {
    /// Score of each letter, by letter.
    pub letters: BTreeMap<char, ClassScore>,
    /// Sums for the bootstrap, in the same order.
    pub sums: Vec<ScoreRows>,
    /// Letters whose ceiling edit removes less than [`MIN_CEILING`] of their log-odds: they have no score.
    pub unidentified: Vec<char>,
}

/// Scores one arm's rows. Draws of one word are averaged first, so that words stay the rows.
///
/// # Errors
/// There are no rows.
pub fn score(rows: &[EffectRow]) -> Result<Scored> {
    type WordKey<'k> = (&'k str, char, u32);
    let mut erase: BTreeMap<char, BTreeMap<WordKey<'_>, ([f64; 6], f64)>> = BTreeMap::new();
    let mut patch: BTreeMap<char, [f64; 2]> = BTreeMap::new();
    for row in rows {
        let (before, after, ceiling) = (f64::from(row.before), f64::from(row.after), f64::from(row.ceiling));
        if row.mode == "patch" {
            let sums = patch.entry(row.editor).or_default();
            sums[0] += after - before;
            sums[1] += ceiling - before;
            continue;
        }
        let words = erase.entry(row.editor).or_default();
        let (sums, draws) = words.entry((&row.word, row.letter, row.set)).or_default();
        let m = row
            .m_before
            .zip(row.m_after)
            .map_or(0.0, |(b, a)| f64::from(b) - f64::from(a));
        let effect = if row.letter == row.editor {
            before - after
        } else {
            (before - after).abs()
        };
        let full = if row.letter == row.editor {
            before - ceiling
        } else {
            (before - ceiling).abs()
        };
        for (sum, value) in sums.iter_mut().zip([
            effect,
            full,
            (after - ceiling).abs(),
            (before - ceiling).abs(),
            m,
            before,
        ]) {
            *sum += value;
        }
        *draws += 1.0;
    }
    if erase.is_empty() {
        return Err(AblationError::Edit("an arm without rows cannot be scored".to_owned()));
    }
    let mut scored = Scored {
        letters: BTreeMap::new(),
        sums: Vec::new(),
        unidentified: Vec::new(),
    };
    for (letter, words) in erase {
        let mut out = ScoreRows {
            groups: [Vec::new(), Vec::new()],
        };
        let mut damage: BTreeMap<char, [f64; 2]> = BTreeMap::new();
        let (mut effect, mut effect_m, mut before) = (0.0, 0.0, 0.0);
        for ((_, own, _), (sums, draws)) in words {
            let s = sums.map(|sum| sum / draws);
            if own == letter {
                effect += s[0];
                effect_m += s[4];
                before += s[5];
                out.groups[0].push([s[0], s[1], s[2], s[3]]);
            } else {
                out.groups[1].push([s[0], s[1], 0.0, 0.0]);
                let sums = damage.entry(own).or_default();
                sums[0] += s[0];
                sums[1] += s[1];
            }
        }
        let ceiling: f64 = out.groups[0].iter().map(|row| row[1]).sum();
        let total = |group: &Vec<[f64; 4]>| {
            group
                .iter()
                .fold([0.0; 4], |t, r| [t[0] + r[0], t[1] + r[1], t[2] + r[2], t[3] + r[3]])
        };
        let scores = scores_of_sums(&[total(&out.groups[0]), total(&out.groups[1])]);
        let Some([ms, o_mean, m_star, fi]) = scores.filter(|_| ceiling >= MIN_CEILING * before) else {
            scored.unidentified.push(letter);
            continue;
        };
        let o_max = damage
            .values()
            .filter(|s| s[1] > 0.0)
            .map(|s| s[0] / s[1])
            .fold(0.0, f64::max);
        let n = out.groups[0].len().max(1) as f64;
        let score = ClassScore {
            ms,
            o_mean,
            o_max,
            m_star,
            m_star_max: ms.clamp(0.0, 1.0) * (1.0 - o_max.clamp(0.0, 1.0)),
            fi,
            ms_patch: patch.get(&letter).filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]),
            effect: effect / n,
            effect_m: effect_m / n,
            words: out.groups[0].len(),
        };
        scored.letters.insert(letter, score);
        scored.sums.push(out);
    }
    Ok(scored)
}
