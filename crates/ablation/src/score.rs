//! Scores made of effects.
//!
//! `MS = sum D(E) / sum D(full)` over words of the letter, `O` the same ratio of absolute effects
//! on words of other letters, `M* = clip(MS) (1 - clip(O))`, and the fidelity `Fi`. Ratios of sums,
//! never means of ratios. A letter is scored only where the ceiling edit itself removes at least
//! half of its log-odds ([`MIN_CEILING`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stats::LetterRows;

use crate::error::{AblationError, Result};
use crate::measure::EffectRow;

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

/// Scores per letter, made of rows alone: what a reader of the rows file can compute again.
pub struct Scored {
    /// Score of each letter, by letter.
    pub letters: BTreeMap<char, ClassScore>,
    /// Sums for the bootstrap, in the same order.
    pub sums: Vec<ScoreRows>,
    /// Letters whose ceiling edit removes less than [`MIN_CEILING`] of their log-odds: they have no score.
    pub unidentified: Vec<char>,
}

/// A word in one example set: its text, its letter, the set.
type WordKey<'k> = (&'k str, char, u32);

/// Sums over the draws of one word, and how many draws.
#[derive(Clone, Copy, Default)]
struct WordSums {
    effect: f64,
    full: f64,
    after_to_ceiling: f64,
    before_to_ceiling: f64,
    effect_m: f64,
    before: f64,
    draws: f64,
}

/// Scores one arm's rows. Draws of one word are averaged first, so that words stay the rows.
///
/// # Errors
/// There are no rows.
pub fn score(rows: &[EffectRow]) -> Result<Scored> {
    let mut erase: BTreeMap<char, BTreeMap<WordKey<'_>, WordSums>> = BTreeMap::new();
    let mut patch: BTreeMap<char, [f64; 2]> = BTreeMap::new();
    for row in rows {
        if row.mode == "patch" {
            let sums = patch.entry(row.editor).or_default();
            sums[0] += f64::from(row.after) - f64::from(row.before);
            sums[1] += f64::from(row.ceiling) - f64::from(row.before);
        } else {
            let words = erase.entry(row.editor).or_default();
            words.entry((&row.word, row.letter, row.set)).or_default().add(row);
        }
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
        let patched = patch.get(&letter).filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]);
        match letter_score(letter, words, patched) {
            Some((score, sums)) => {
                scored.letters.insert(letter, score);
                scored.sums.push(sums);
            }
            None => scored.unidentified.push(letter),
        }
    }
    Ok(scored)
}

/// Mediated share of each letter from erase rows of its own words: what [`score`] calls `ms`, without a look at other letters' words
/// or at the ceiling's size.
#[must_use]
pub fn mediated_shares(rows: &[EffectRow]) -> BTreeMap<char, f64> {
    let mut sums: BTreeMap<char, [f64; 2]> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.mode == "erase" && row.letter == row.editor)
    {
        let sum = sums.entry(row.editor).or_default();
        sum[0] += f64::from(row.before) - f64::from(row.after);
        sum[1] += f64::from(row.before) - f64::from(row.ceiling);
    }
    let known = sums.into_iter().filter(|(_, sum)| sum[1] > 0.0);
    known.map(|(letter, sum)| (letter, sum[0] / sum[1])).collect()
}

impl WordSums {
    fn add(&mut self, row: &EffectRow) {
        let (before, after, ceiling) = (f64::from(row.before), f64::from(row.after), f64::from(row.ceiling));
        // On the letter's own words the direction counts; elsewhere any change is damage.
        let own = row.letter == row.editor;
        let size = |change: f64| if own { change } else { change.abs() };
        self.effect += size(before - after);
        self.full += size(before - ceiling);
        self.after_to_ceiling += (after - ceiling).abs();
        self.before_to_ceiling += (before - ceiling).abs();
        self.effect_m += row
            .m_before
            .zip(row.m_after)
            .map_or(0.0, |(b, a)| f64::from(b) - f64::from(a));
        self.before += before;
        self.draws += 1.0;
    }
}

/// Scores of one letter's editor; none where its ceiling is no ceiling.
fn letter_score(
    letter: char,
    words: BTreeMap<WordKey<'_>, WordSums>,
    ms_patch: Option<f64>,
) -> Option<(ClassScore, ScoreRows)> {
    let mut out = ScoreRows {
        groups: [Vec::new(), Vec::new()],
    };
    let mut damage: BTreeMap<char, [f64; 3]> = BTreeMap::new();
    let (mut effect_m, mut before) = (0.0, 0.0);
    for ((_, own, _), sums) in words {
        let n = sums.draws;
        if own == letter {
            effect_m += sums.effect_m / n;
            before += sums.before / n;
            let row = [sums.effect, sums.full, sums.after_to_ceiling, sums.before_to_ceiling];
            out.groups[0].push(row.map(|sum| sum / n));
        } else {
            out.groups[1].push([sums.effect / n, sums.full / n, 0.0, 0.0]);
            let row = damage.entry(own).or_default();
            row[0] += sums.effect / n;
            row[1] += sums.full / n;
            row[2] += sums.before / n;
        }
    }
    let totals: [[f64; 4]; 2] = std::array::from_fn(|group| {
        out.groups[group]
            .iter()
            .fold([0.0; 4], |t, r| std::array::from_fn(|i| t[i] + r[i]))
    });
    let [ms, o_mean, m_star, fi] = scores_of_sums(&totals).filter(|_| totals[0][1] >= MIN_CEILING * before)?;
    // Words of a letter that the ceiling hardly touches are no measure of damage either.
    let touched = damage.values().filter(|s| s[1] > 0.0 && s[1] >= MIN_CEILING * s[2]);
    let o_max = touched.map(|s| s[0] / s[1]).fold(0.0, f64::max);
    let n = out.groups[0].len().max(1) as f64;
    let score = ClassScore {
        ms,
        o_mean,
        o_max,
        m_star,
        m_star_max: ms.clamp(0.0, 1.0) * (1.0 - o_max.clamp(0.0, 1.0)),
        fi,
        ms_patch,
        effect: totals[0][0] / n,
        effect_m: effect_m / n,
        words: out.groups[0].len(),
    };
    Some((score, out))
}
