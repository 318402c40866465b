//! Everything a result can warn about, each with a way out.
//!
//! The set is closed: a warning that is not listed here cannot be stored. A warning is kept with its data in the record, and its
//! words are made from the data when it is shown, so that better words reach old results.

use serde::{Deserialize, Serialize};

/// Something a reader should know before using the numbers of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "code",
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
#[expect(
    missing_docs,
    reason = "the message of each variant names every field in its sentence"
)]
pub enum Warning {
    /// Fewer words than the task has, by request.
    LimitedRun { used: u64, available: u64 },
    /// Too few letters for tests over letters.
    FewLetters { letters: u64, needed: u64 },
    /// Replacing the whole vector at the site moves the answer too little for shares of it to mean anything.
    SiteNotIdentifiable {
        hook: String,
        full_site_effect: f64,
        needed: f64,
    },
    /// Words that were asked for and could not be used.
    DroppedWords { dropped: u64, total: u64, reason: String },
    /// Decoder rows are not of length one.
    NonUnitDecoder { sae: String, min_norm: f64, max_norm: f64 },
    /// Probes that do not read their letter well enough to be a reference.
    ProbeBelowF1 {
        letters: Vec<char>,
        lowest_f1: f64,
        needed: f64,
    },
    /// Letters that no usable word begins with.
    NoWordsForLetter { letters: Vec<char> },
    /// Answers that are several tokens; their last token stands for them.
    AnswersOfSeveralTokens { letters: Vec<char> },
    /// An interval could not be computed.
    NoInterval { measurement: String, reason: String },
    /// Some letters have fewer supporting latents than the largest sets ask for.
    ShortLatentSets { sae: String, k: u64, letters: u64 },
    /// Letters for which even replacing the whole vector removes less than half of the log-odds.
    LettersWithoutCeiling { letters: Vec<char> },
    /// The model answers too few prompts correctly.
    ModelFailsTask { accuracy: f64, needed: f64 },
    /// Latents that never fired.
    DeadLatents { sae: String, dead: u64, width: u64 },
    /// The number of active latents is not what the checkpoint says.
    L0Mismatch { sae: String, declared: f64, measured: f64 },
    /// The SAE was trained on another hook than the one it is used at.
    HookMismatch { sae: String, trained: String, used: String },
    /// Something that was guessed, changed or is missing in the SAE's files.
    SaeNote { sae: String, note: String },
    /// The SAE was trained on prompts that begin otherwise.
    BosMismatch { sae: String, trained_with: bool },
    /// Letters whose main latent cannot stand in as a writer: their gap was divided in one order of read and write only.
    OneWriteOrder { sae: String, letters: Vec<char> },
    /// Two ways of dividing a gap among causes disagree.
    DivisionUncertain { sae: String, deviation: f64, allowed: f64 },
    /// An analysis that does not apply to an SAE.
    NotApplicable {
        sae: String,
        analysis: String,
        reason: String,
    },
    /// An arm that changed nothing.
    NoOpEdit { arm: String },
    /// The answer tokens hold little of the model's probability.
    LowTokenMass { mass: f64, needed: f64 },
    /// No unrelated text on which an edit's damage could be measured.
    TextNotMeasured { model: String },
    /// The unedited model cannot answer another question about the same words.
    SideTaskNotLearned {
        task: String,
        accuracy: f64,
        needed: f64,
        first_letter: f64,
    },
    /// A measurement for which there was not enough to go by.
    NotMeasured { measurement: String, reason: String },
    /// The forward pass used fewer bits than the reference does.
    DtypeBelowReference { dtype: String, reference: String },
    /// Covariates of a regression that separate its outcomes, held by its ridge.
    SeparatedCovariates {
        measurement: String,
        covariates: Vec<String>,
        ridge: f64,
    },
    /// Repeated projection ended before the probes were at chance.
    NullspaceNotReached { letters: Vec<char>, rank: u64 },
    /// A dose at which arms are compared lies beyond the largest that was tried.
    DoseNotReached {
        arm: String,
        dose: String,
        letters: Vec<char>,
    },
}

impl Warning {
    /// Short name, as in the JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LimitedRun { .. } => "limited-run",
            Self::FewLetters { .. } => "few-letters",
            Self::SiteNotIdentifiable { .. } => "site-not-identifiable",
            Self::DroppedWords { .. } => "dropped-words",
            Self::NonUnitDecoder { .. } => "non-unit-decoder",
            Self::ProbeBelowF1 { .. } => "probe-below-f1",
            Self::NoWordsForLetter { .. } => "no-words-for-letter",
            Self::AnswersOfSeveralTokens { .. } => "answers-of-several-tokens",
            Self::NoInterval { .. } => "no-interval",
            Self::ShortLatentSets { .. } => "short-latent-sets",
            Self::LettersWithoutCeiling { .. } => "letters-without-ceiling",
            Self::ModelFailsTask { .. } => "model-fails-task",
            Self::DeadLatents { .. } => "dead-latents",
            Self::L0Mismatch { .. } => "l0-mismatch",
            Self::HookMismatch { .. } => "hook-mismatch",
            Self::SaeNote { .. } => "sae-note",
            Self::BosMismatch { .. } => "bos-mismatch",
            Self::OneWriteOrder { .. } => "one-write-order",
            Self::DivisionUncertain { .. } => "division-uncertain",
            Self::NotApplicable { .. } => "not-applicable",
            Self::NoOpEdit { .. } => "no-op-edit",
            Self::LowTokenMass { .. } => "low-token-mass",
            Self::TextNotMeasured { .. } => "text-not-measured",
            Self::SideTaskNotLearned { .. } => "side-task-not-learned",
            Self::NotMeasured { .. } => "not-measured",
            Self::DtypeBelowReference { .. } => "dtype-below-reference",
            Self::SeparatedCovariates { .. } => "separated-covariates",
            Self::NullspaceNotReached { .. } => "nullspace-not-reached",
            Self::DoseNotReached { .. } => "dose-not-reached",
        }
    }

    /// One sentence that says what was seen.
    #[must_use]
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each warning: in parts, the compiler would not see that all are there"
    )]
    pub fn message(&self) -> String {
        match self {
            Self::LimitedRun { used, available } => {
                format!("only {used} of {available} words were used")
            }
            Self::FewLetters { letters, needed } => {
                format!("{letters} letters take part; tests over letters need at least {needed}")
            }
            Self::SiteNotIdentifiable {
                hook,
                full_site_effect,
                needed,
            } => format!(
                "the site share at `{hook}` is {full_site_effect:.3}, below {needed:.3} (or too uncertain): the letter does not go \
                 through this vector, so shares of it are not identifiable"
            ),
            Self::DroppedWords { dropped, total, reason } => {
                format!("{dropped} of {total} words were dropped: {reason}")
            }
            Self::NonUnitDecoder {
                sae,
                min_norm,
                max_norm,
            } => {
                format!("decoder rows of `{sae}` have lengths from {min_norm:.3} to {max_norm:.3} instead of 1")
            }
            Self::ProbeBelowF1 {
                letters,
                lowest_f1,
                needed,
            } => {
                format!(
                    "probes below F1 {needed:.2} (lowest {lowest_f1:.2}) for letters: {}",
                    list(letters)
                )
            }
            Self::NoWordsForLetter { letters } => {
                format!("no usable words for letters: {}", list(letters))
            }
            Self::AnswersOfSeveralTokens { letters } => format!(
                "the answers of letters {} are several tokens each; the last one stands for the answer",
                list(letters)
            ),
            Self::NoInterval { measurement, reason } => format!("`{measurement}` has no interval: {reason}"),
            Self::ShortLatentSets { sae, k, letters } => format!(
                "`{sae}`: {letters} letters have fewer supporting latents than the largest sets ask for, from k = {k} on; their sets stop growing"
            ),
            Self::LettersWithoutCeiling { letters } => {
                format!(
                    "replacing the whole vector by the other letters' mean removes less than half of the log-odds of letters: {}; \
                     they have no scores",
                    list(letters)
                )
            }
            Self::ModelFailsTask { accuracy, needed } => {
                format!("the model answers {accuracy:.3} of the prompts correctly; at least {needed:.3} is needed")
            }
            Self::DeadLatents { sae, dead, width } => {
                format!("{dead} of {width} latents of `{sae}` never fired")
            }
            Self::L0Mismatch {
                sae,
                declared,
                measured,
            } => {
                format!("`{sae}` declares L0 {declared:.1}; measured: {measured:.1}")
            }
            Self::HookMismatch { sae, trained, used } => {
                format!("`{sae}` was trained on `{trained}` and is used at `{used}`")
            }
            Self::SaeNote { sae, note } => format!("`{sae}`: {note}"),
            Self::BosMismatch { sae, trained_with } => {
                let (trained, used) = if *trained_with {
                    ("with", "without")
                } else {
                    ("without", "with")
                };
                format!("`{sae}` was trained {trained} a beginning-of-sequence token; the prompts are {used} one")
            }
            Self::OneWriteOrder { sae, letters } => format!(
                "`{sae}`: the latents of letters {} hardly write along what the reference reads; their gap is divided between reading and \
                 writing in one order only",
                list(letters)
            ),
            Self::DivisionUncertain {
                sae,
                deviation,
                allowed,
            } => format!(
                "`{sae}`: the parts of its gap differ by up to {deviation:.3} from their exact Shapley values (allowed: {allowed:.3})"
            ),
            Self::NotApplicable { sae, analysis, reason } => format!("`{sae}`: no {analysis}: {reason}"),
            Self::NoOpEdit { arm } => format!("arm `{arm}` changed nothing"),
            Self::LowTokenMass { mass, needed } => {
                format!("the answer tokens hold {mass:.3} of the probability; at least {needed:.3} is expected")
            }
            Self::TextNotMeasured { model } => {
                format!("no text was given for `{model}`: what edits do to unrelated text was not measured")
            }
            Self::SideTaskNotLearned {
                task,
                accuracy,
                needed,
                first_letter,
            } => format!(
                "the unedited model answers {accuracy:.3} of the `{task}` prompts correctly (at least {needed:.3} would show that it can) \
                 and {first_letter:.3} of them with the first letter: there, losing the first letter is itself a divergence"
            ),
            Self::NotMeasured { measurement, reason } => format!("`{measurement}` was not measured: {reason}"),
            Self::DtypeBelowReference { dtype, reference } => {
                format!("the forward pass ran in `{dtype}`; the reference uses `{reference}`")
            }
            Self::SeparatedCovariates {
                measurement,
                covariates,
                ridge,
            } => format!(
                "`{measurement}`: {} separate the outcomes, or nearly; a ridge of {ridge} holds their slopes, whose size means nothing",
                covariates.join(", ")
            ),
            Self::NullspaceNotReached { letters, rank } => {
                format!("after {rank} projections a probe still reads {}", list(letters))
            }
            Self::DoseNotReached { arm, dose, letters } => format!(
                "`{arm}` does not reach {dose} for {} within three times its natural dose, so there is no mean at that dose",
                list(letters)
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::LimitedRun { .. } => "run again without `--limit` before quoting these numbers",
            Self::FewLetters { .. } => "use more letters or a longer word list; read the intervals, not the p values",
            Self::SiteNotIdentifiable { .. } => {
                "choose a layer where the full-site effect is large; the site map shows them"
            }
            Self::DroppedWords { .. } => "choose words that the model's tokenizer keeps whole and the model answers",
            Self::NonUnitDecoder { .. } => {
                "compare latents by their effect, or fold decoder norms into the activations"
            }
            Self::ProbeBelowF1 { .. } => "give these letters more training words, or leave them out",
            Self::NoWordsForLetter { .. } => "use a longer word list, or leave the letters out",
            Self::AnswersOfSeveralTokens { .. } => "read these letters with care, or leave them out with `--letters`",
            Self::NoInterval { .. } => "use more words or letters",
            Self::ShortLatentSets { .. } => {
                "raise `--select-words`: a latent counts as supporting only where it was seen to be active"
            }
            Self::LettersWithoutCeiling { .. } => {
                "one letter is usual (the mean vector itself reads as it); for many, choose an earlier layer from the site map"
            }
            Self::ModelFailsTask { .. } => "use a larger model or more in-context examples",
            Self::DeadLatents { .. } => {
                "check the scaling of the activations and the hook; dead latents cannot mediate"
            }
            Self::L0Mismatch { .. } => "check hook, normalisation and the beginning-of-text token of the prompts",
            Self::HookMismatch { .. } => "use the SAE at the hook that it was trained on",
            Self::SaeNote { .. } => "`bench inspect` shows how every field and tensor was read",
            Self::BosMismatch { .. } => "choose `--bos always` or `--bos never` as the SAE was trained",
            Self::OneWriteOrder { .. } => {
                "read the write part of these letters as a lower bound on how wrong their latents write"
            }
            Self::DivisionUncertain { .. } => {
                "quote the parts of this SAE's gap no finer than that; the total and its read and write parts are not concerned"
            }
            Self::NotApplicable { .. } => "compare this SAE by its arms",
            Self::NoOpEdit { .. } => "check that the arm's latents fire on these words and that its dose is not zero",
            Self::LowTokenMass { .. } => "check the answer template: the model expects other tokens than the letters",
            Self::TextNotMeasured { .. } => "give some thousand words of ordinary text with `--text FILE`",
            Self::SideTaskNotLearned { .. } => {
                "read it as a change of the word's trace, not as the loss of an ability, and beside the full-site edit; or use a larger model"
            }
            Self::NotMeasured { .. } => "use more words or letters, or another layer or model",
            Self::DtypeBelowReference { .. } => "run again with `--dtype f32` before comparing with published numbers",
            Self::SeparatedCovariates { .. } => "read their sign only, or use more words",
            Self::NullspaceNotReached { .. } => {
                "read `inlp` as a lower bound on what linear erasure needs for these letters"
            }
            Self::DoseNotReached { .. } => {
                "read the area under the dose curve instead, in which doses that are not reached count as 0"
            }
        }
    }
}

fn list(letters: &[char]) -> String {
    letters.iter().map(char::to_string).collect::<Vec<_>>().join(", ")
}
