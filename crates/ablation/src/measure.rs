//! Effects of arms on words: what an edit does to the answer, beside what the ceiling edit does.
//!
//! A [`Bench`] runs its words unedited and with the full-site edit once, and every arm against
//! these; an effect becomes an [`EffectRow`], of which [`crate::score`] makes scores.

use rayon::prelude::*;
use sae::SparseLatents;
use serde::{Deserialize, Serialize};

use crate::arms::Arm;
use crate::editor::{Editor, Subject, norm};
use crate::effects::{LetterLogits, log_odds, logit_difference, pair_difference};
use crate::error::{AblationError, Result};
use crate::readout::Readout;

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

/// The words of an evaluation: run unedited and with the ceiling edit.
pub struct Bench<'a> {
    readout: &'a dyn Readout,
    /// Alphabet index of each class.
    letters: Vec<usize>,
    /// Class of each row.
    class_of: Vec<usize>,
    pairs: Vec<Pair>,
    clean: Vec<LetterLogits>,
    full: Vec<LetterLogits>,
    /// Donor row of each row, for patching.
    donors: Vec<Option<usize>>,
    patched_full: Patched,
}

/// Logits and relative dose of each row that has a donor.
type Patched = Vec<Option<(LetterLogits, f32)>>;

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
    /// The word whose value was patched in (empty for erase).
    pub donor: Option<String>,
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
    patch: Option<Patched>,
}

impl<'a> Bench<'a> {
    /// Runs the words unedited and with the ceiling edit of every pair.
    ///
    /// `class_of` gives each row's class, `full` the ceiling arm, `donors` each row's
    /// partner for patching (a row of the same capture).
    ///
    /// # Errors
    /// A pair names a row or class that does not exist, or the model refuses a run.
    pub fn new(
        readout: &'a dyn Readout,
        letters: Vec<usize>,
        class_of: Vec<usize>,
        pairs: Vec<Pair>,
        donors: Vec<Option<usize>>,
        full: &Arm,
    ) -> Result<Self> {
        let rows = readout.rows();
        let bad = class_of.len() != rows
            || donors.len() != rows
            || pairs.iter().any(|p| p.row >= rows || p.class >= letters.len());
        if bad || pairs.is_empty() {
            return Err(AblationError::Edit(
                "the evaluation's pairs do not fit its capture, or there are none".to_owned(),
            ));
        }
        let clean = readout.clean_logits()?;
        let mut bench = Self {
            readout,
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

    /// The same evaluation on each letter's own words alone: enough for mediated shares, without damage.
    #[must_use]
    pub fn own_words(&self) -> Self {
        let own = |(pair, full): (&Pair, &LetterLogits)| pair.on.then_some((*pair, *full));
        let (pairs, full) = self.pairs.iter().zip(&self.full).filter_map(own).unzip();
        Self {
            readout: self.readout,
            letters: self.letters.clone(),
            class_of: self.class_of.clone(),
            pairs,
            clean: self.clean.clone(),
            full,
            donors: self.donors.clone(),
            patched_full: self.patched_full.clone(),
        }
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

    /// The words' vectors and answers.
    #[must_use]
    pub fn readout(&self) -> &'a dyn Readout {
        self.readout
    }

    /// Alphabet index of each class.
    #[must_use]
    pub fn letters(&self) -> &[usize] {
        &self.letters
    }

    /// Letters' editors and the words they are applied to.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Logits after the ceiling edit of every pair.
    #[must_use]
    pub fn full(&self) -> &[LetterLogits] {
        &self.full
    }

    /// The row whose vector is patched into a row, where it has one.
    #[must_use]
    pub fn donor(&self, row: usize) -> Option<usize> {
        self.donors.get(row).copied().flatten()
    }

    /// Logits of a row with its donor's whole vector, where it has one.
    #[must_use]
    pub fn patched_full(&self, row: usize) -> Option<&LetterLogits> {
        self.patched_full.get(row)?.as_ref().map(|(logits, _)| logits)
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

    /// Applies any change to every pair: for edits that a rule over the whole word decides, which no list of editors can say.
    /// `change(i, pair)` gives what is added to the vector of pair `i`, `[d_model]`. There is no patch.
    ///
    /// # Errors
    /// A change fails, or the model refuses a run.
    pub fn measure_changes(
        &self,
        arm: &str,
        change: impl Fn(usize, &Pair) -> Result<Vec<f64>> + Sync,
    ) -> Result<Measured> {
        let (logits, doses) = self.run(self.pairs.len(), |i| {
            let pair = &self.pairs[i];
            Ok((pair.row, change(i, pair)?))
        })?;
        Ok(Measured {
            arm: arm.to_owned(),
            erase: vec![logits],
            dose: vec![doses],
            patch: None,
        })
    }

    fn subject<'s>(&'s self, row: usize, latents: Option<&'s SparseLatents>) -> Subject<'s> {
        Subject {
            x: self.readout.site(row),
            latents: latents.map(|l| (l, row)),
        }
    }

    fn erase(&self, editors: &[Editor], latents: Option<&SparseLatents>) -> Result<(Vec<LetterLogits>, Vec<f32>)> {
        if editors.windows(2).all(|pair| pair[0] == pair[1]) {
            return self.erase_once(editors, latents);
        }
        self.run(self.pairs.len(), |i| {
            let pair = &self.pairs[i];
            Ok((pair.row, editors[pair.class].delta(self.subject(pair.row, latents))?))
        })
    }

    /// One editor for all letters changes a word in one way, whichever letter asks: each word is run once.
    fn erase_once(&self, editors: &[Editor], latents: Option<&SparseLatents>) -> Result<(Vec<LetterLogits>, Vec<f32>)> {
        let mut place = vec![None; self.class_of.len()];
        let mut rows = Vec::new();
        for pair in &self.pairs {
            if place[pair.row].is_none() {
                place[pair.row] = Some(rows.len());
                rows.push(pair.row);
            }
        }
        let (logits, doses) = match editors.first() {
            Some(editor) => self.run(rows.len(), |i| {
                Ok((rows[i], editor.delta(self.subject(rows[i], latents))?))
            })?,
            None => (Vec::new(), Vec::new()),
        };
        let of_pairs = self.pairs.iter().filter_map(|pair| place[pair.row]);
        Ok(of_pairs.map(|at| (logits[at], doses[at])).unzip())
    }

    fn patch(&self, editors: &[Editor], latents: Option<&SparseLatents>) -> Result<Patched> {
        let rows: Vec<(usize, usize)> = self
            .donors
            .iter()
            .enumerate()
            .filter_map(|(row, donor)| Some((row, (*donor)?)))
            .collect();
        let (logits, doses) = self.run(rows.len(), |i| {
            let (row, donor) = rows[i];
            let both = [&editors[self.class_of[row]], &editors[self.class_of[donor]]];
            let delta = Editor::patch_delta(&both, self.subject(row, latents), self.subject(donor, latents))?;
            Ok((row, delta))
        })?;
        let mut out = vec![None; self.donors.len()];
        for ((row, _), patched) in rows.iter().zip(logits.into_iter().zip(doses)) {
            out[*row] = Some(patched);
        }
        Ok(out)
    }

    /// Runs `n` edited vectors; a change of exactly zero keeps the unedited logits, so that doing
    /// nothing has exactly no effect and costs nothing. `change(i)`: a row, and what is added to its vector.
    fn run(
        &self,
        n: usize,
        change: impl Fn(usize) -> Result<(usize, Vec<f64>)> + Sync,
    ) -> Result<(Vec<LetterLogits>, Vec<f32>)> {
        let edited = |i: usize| -> Result<(usize, f32, Option<Vec<f32>>)> {
            let (row, delta) = change(i)?;
            let x = self.readout.site(row);
            let length = norm(&delta);
            let size = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
            let dose = (length / size.max(1e-30)) as f32;
            let vector = || x.iter().zip(&delta).map(|(&x, d)| (f64::from(x) + d) as f32).collect();
            Ok((row, dose, (length > 0.0).then(vector)))
        };
        let (mut out, mut doses) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let (mut rows, mut slots, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (row, dose, vector) in (0..n).into_par_iter().map(edited).collect::<Result<Vec<_>>>()? {
            doses.push(dose);
            if let Some(vector) = vector {
                slots.push(out.len());
                rows.push(row);
                vectors.extend(vector);
            }
            out.push(self.clean.get(row).copied().unwrap_or([0.0; 26]));
        }
        let logits = self.readout.edited_logits(&rows, &vectors)?;
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
                    donor: None,
                    set: self.readout.set(pair.row),
                    before: log_odds(clean, y) as f32,
                    after: log_odds(&logits[i], y) as f32,
                    ceiling: log_odds(&self.full[i], y) as f32,
                    m_before: Some(logit_difference(clean, y) as f32),
                    m_after: Some(logit_difference(&logits[i], y) as f32),
                    dose: doses[i],
                });
            }
        }
        for (row, patched) in measured.patch.iter().flatten().enumerate() {
            let (Some((logits, dose)), Some((full, _)), Some(donor)) =
                (patched, &self.patched_full[row], self.donors[row])
            else {
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
                donor: Some(name_of(donor)),
                set: self.readout.set(row),
                before: pair_difference(&self.clean[row], from, to) as f32,
                after: pair_difference(logits, from, to) as f32,
                ceiling: pair_difference(full, from, to) as f32,
                m_before: None,
                m_after: None,
                dose: *dose,
            });
        }
        rows
    }
}
