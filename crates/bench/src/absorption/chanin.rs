//! `--definition chanin`: decisions from given effects of latents on the letter's logit.
//!
//! Deliberately absent: measuring effects, which needs the model (`bench paper`).

use std::path::Path;

use ablation::absorption::chanin::{
    Aggregation, ChaninThresholds, Decision, Evidence, LetterRate, Ranked, aggregate, is_candidate,
};
use ablation::absorption::companions::Companions;
use ablation::absorption::{Accounting, decoder_cosines};
use checkpoint::Checkpoint;
use rand::seq::SliceRandom;
use report::Column;
use serde_json::{Value, json};

use super::Outcome;
use super::args::AbsorptionArgs;
use super::main_latents::Letter;
use super::material::Material;
use super::saebench::{companions_of, letter_fields, summary};
use crate::failure;
use crate::probe::input::wrong;

/// Tensor of the effects.
const ATTRIBUTION: &str = "attribution";

/// Scores an SAE.
pub(super) fn score(args: &AbsorptionArgs, material: &Material, letters: &[Letter]) -> anyhow::Result<Outcome> {
    let file = args.effects.as_deref().unwrap_or_else(|| Path::new(""));
    let effects = Checkpoint::open(file)?;
    let view = effects.get(ATTRIBUTION)?;
    if view.shape != [material.test.n(), material.sae.d_sae()] {
        return Err(wrong(
            file,
            ATTRIBUTION,
            &format!(
                "its shape is {:?}, expected [{}, {}]: the rows of `{}` and the latents of the SAE",
                view.shape,
                material.test.n(),
                material.sae.d_sae(),
                args.x
            ),
            "write one row of effects for each row of activations; rows that are no candidates may be zero",
        ));
    }
    let usual = ChaninThresholds::default();
    let thresholds = ChaninThresholds {
        delta: args.delta.unwrap_or(usual.delta),
        max_prompts: args.max_words.unwrap_or(usual.max_prompts),
        ..usual
    };
    let mut judge = Judge {
        args,
        material,
        thresholds,
        list: Vec::new(),
        rates: Vec::new(),
    };
    let mut companions = Vec::new();
    for (class, letter) in letters.iter().enumerate() {
        let words = material.words(class, Accounting::Exact)?;
        let beside = companions_of(material, letters, class, &words)?;
        let entry = letter_fields(material, letter, class, &beside);
        judge.letter(letter, class, entry, |row| {
            let scores = view.rows_f32(&[row])?;
            match scores.iter().position(|score| !score.is_finite()) {
                Some(at) => Err(wrong(
                    file,
                    ATTRIBUTION,
                    &format!("row {row}, column {at} is {}", scores[at]),
                    "this row is a candidate, so that its effects are needed",
                )),
                None => Ok(scores),
            }
        })?;
        if !words.is_empty() {
            companions.push(beside);
        }
    }
    let released = aggregate(&judge.rates, Aggregation::AsReleased);
    let zero = aggregate(&judge.rates, Aggregation::AbsentAsZero);
    let known = letters.iter().all(|letter| letter.k_sparse.is_some());
    Ok(Outcome {
        valid: released.mean.is_some(),
        mark: json!(if released.mean.is_some() { "valid" } else { "no_words" }),
        settings: json!({
            "thresholds": thresholds,
            // Without train rows there is no k-sparse probe to miss a word; silent main latents are asked for in any case.
            "candidates": if known { "missed by the k-sparse probe, main latents silent" } else { "main latents silent" },
            "effects": file,
        }),
        mean: json!({
            "absorption_rate": released.mean,
            "absorption_rate_absent_as_zero": zero.mean,
            "letters": released.n,
            "letters_absent_as_zero": zero.n,
            "letters_absent": released.absent,
        }),
        sd: json!({}),
        companions: summary(&Companions::new(&companions), known),
        letters: judge.list,
        columns: vec![
            ("letter", Column::text("letter")),
            (
                "true_positives",
                Column::number("words").with_help("test words that the dense probe finds"),
            ),
            (
                "candidates",
                Column::number("candidates").with_help("of these, missed by the main latents"),
            ),
            ("looked_at", Column::number("looked at")),
            ("absorbed", Column::number("absorbed")),
            ("absorption_rate", Column::lower("rate")),
            ("main", Column::text("main latents")),
            (
                "main_recall",
                Column::higher("main recall").with_help("share of the words on which a main latent fires"),
            ),
            ("k_sparse_f1", Column::higher("k-sparse F1")),
            ("probe_f1", Column::higher("probe F1")),
        ],
    })
}

/// Decides letter by letter.
struct Judge<'a> {
    args: &'a AbsorptionArgs,
    material: &'a Material,
    thresholds: ChaninThresholds,
    list: Vec<Value>,
    rates: Vec<LetterRate>,
}

impl Judge<'_> {
    fn letter(
        &mut self,
        letter: &Letter,
        class: usize,
        mut entry: Value,
        effects: impl Fn(usize) -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<()> {
        let mut rows = self.candidates(letter, class);
        let candidates = rows.len();
        let portion = self.thresholds.sample_portion(candidates);
        if portion < 1.0 {
            let purpose = format!("absorption/sample/{}", self.material.names[class]);
            rows.shuffle(&mut stats::seed::rng(self.args.seed, &purpose));
            rows.truncate(self.thresholds.max_prompts);
            rows.sort_unstable();
        }
        let cosines = decoder_cosines(&self.material.sae, self.material.probe.direction(class));
        let mut decisions = Vec::with_capacity(rows.len());
        for &row in &rows {
            decisions.push(self.decide(row, &effects(row)?, &cosines, &letter.main)?);
        }
        let absorbed = decisions.iter().filter(|decision| decision.is_absorption()).count();
        let found = self.material.found[class].len();
        let rate = LetterRate::new(self.material.letter(class), rows.len(), absorbed, portion, found)
            .map_err(|error| failure::input(error.to_string()))?;
        entry["candidates"] = json!(candidates);
        entry["looked_at"] = json!(rows.len());
        entry["absorbed"] = json!(absorbed);
        entry["sample_portion"] = json!(portion);
        entry["absorption_rate"] = json!(rate.rate());
        if self.args.words {
            let words = rows.iter().zip(&decisions);
            entry["words"] = words
                .map(
                    |(row, decision)| json!({ "row": row, "absorbed": decision.is_absorption(), "decision": decision }),
                )
                .collect::<Vec<Value>>()
                .into();
        }
        self.list.push(entry);
        self.rates.push(rate);
        Ok(())
    }

    /// Rows that the dense probe finds, the k-sparse probe misses where there is one, and on which main latents are silent.
    fn candidates(&self, letter: &Letter, class: usize) -> Vec<usize> {
        let missed = |row: usize| {
            let score = letter.k_sparse.as_ref().map(|probe| probe.scores[row]);
            score.is_none_or(|score| is_candidate(1.0, score))
        };
        let silent = |row: usize| {
            let main: Vec<f32> = letter.main.iter().map(|&j| self.material.latents.get(row, j)).collect();
            self.thresholds.passes_filter(&main)
        };
        let found = self.material.found[class].iter().copied();
        found.filter(|&row| missed(row) && silent(row)).collect()
    }

    fn decide(&self, row: usize, effects: &[f32], cosines: &[f64], main: &[u32]) -> anyhow::Result<Decision> {
        let latents: Vec<u32> = (0..effects.len() as u32)
            .filter(|&j| effects[j as usize] != 0.0)
            .collect();
        let scores: Vec<f64> = latents.iter().map(|&j| f64::from(effects[j as usize])).collect();
        let activations: Vec<f32> = latents.iter().map(|&j| self.material.latents.get(row, j)).collect();
        let evidence = Evidence {
            latents: &latents,
            scores: &scores,
            activations: &activations,
            cosines,
            main,
        };
        let ranked = Ranked::new(&evidence, &self.thresholds)
            .map_err(|error| failure::input(format!("row {row} of the effects: {error}")))?;
        Ok(ranked.decide(&self.thresholds))
    }
}
