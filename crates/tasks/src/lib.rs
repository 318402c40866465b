//! Vocabulary, prompts, answers and splits of the benchmark tasks: the first-letter task of "A is for Absorption" (Chanin et al. 2024).
//!
//! The path through this crate: [`vocabulary`] keeps the tokens that are words; a [`Split`] divides them; [`select_words`] takes some
//! of each letter; [`draw_icl`] gives every word its in-context examples; [`build_prompts`] encodes, checks and reports. The results are
//! token ids and positions, ready for a model. Around it stand [`AnswerTokens`] (what the model should say), [`off_target`] (words
//! on which an edit should do nothing) and [`partners`] (donors for patching).
//!
//! Invariants: a word is never an example in its own prompt; the query word is one token, its own, right behind the prefix of its example
//! set; all prompts of a [`PromptSet`] share one tail, so that positions counted from the end agree; whatever is left out is
//! listed with a reason; every random draw has a name and depends on the run seed and that name only, so a word keeps its examples
//! whichever other words are selected with it.
//!
//! Deliberately absent: a tokenizer (see [`Tokenize`], implemented elsewhere), models, files, printing, and burn.

mod answer;
mod answer_tokens;
mod attribute;
mod corpus;
mod error;
mod icl;
mod letter;
mod off_target;
mod partner;
mod prompt;
mod prompt_report;
mod seed;
mod select;
mod split;
mod template;
mod tokenize;
mod vocabulary;
mod word;

pub use answer::{AnswerFormat, AnswerStyle};
pub use answer_tokens::{AnswerTokens, AnswerWarning};
pub use attribute::{Attribute, Question, ask_instead};
pub use corpus::{Corpus, CorpusPlan, Document, Format};
pub use error::TaskError;
pub use icl::{Assignment, IclDraw, IclPlan, IclRequest, IclSet, draw_icl};
pub use letter::{Letter, parse_letters};
pub use off_target::{OffTarget, OffTargetRequest, off_target};
pub use partner::{Partner, PartnerMatch, PartnerRequest, partners};
pub use prompt::{Prompt, PromptSet, build_prompts};
pub use prompt_report::{DropReason, Dropped, PromptReport};
pub use select::{DroppedLetter, Selection, SelectionRequest, select_words};
pub use split::Split;
pub use template::Template;
pub use tokenize::Tokenize;
pub use vocabulary::{Vocabulary, vocabulary};
pub use word::{Case, Stratum, Word};
