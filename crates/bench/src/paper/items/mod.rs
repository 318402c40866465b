//! The paper's tables and figures, each made from finished units alone.

mod absorption;
mod causal;
mod common;
mod definitions;
mod detection;
mod letters;
mod model;
mod rewrite;
mod splitting;
mod toys;

use report::{Published, Table};

use super::args::PaperArgs;
use super::data::{AbilityUnit, MapUnit, ProbeUnit, RewriteUnit};
use super::plan::{Member, Plan};
use super::subject::SaeUnits;
use super::toys::Toy;

/// Everything that was measured.
pub(crate) struct Measured<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) args: &'a PaperArgs,
    pub(crate) saes: Vec<(&'a Member, SaeUnits)>,
    /// Probes of the layers that have SAEs, with the seconds that they took.
    pub(crate) probes: Vec<(ProbeUnit, f64)>,
    /// Probes of all layers.
    pub(crate) line: Vec<ProbeUnit>,
    /// Letters rewritten along the probes of the layers that have SAEs.
    pub(crate) rewrites: Vec<(usize, RewriteUnit)>,
    /// Without cells if no item needs it; so are the lists above and below.
    pub(crate) map: MapUnit,
    pub(crate) ability: AbilityUnit,
    pub(crate) toys: Vec<Toy>,
}

/// What an item consists of: tables and figures, each with a name that is added to the item's (empty for the only one).
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) tables: Vec<(String, Table)>,
    pub(crate) figures: Vec<(String, String)>,
}

impl Output {
    fn table(mut self, name: &str, table: Table) -> Self {
        self.tables.push((name.to_owned(), table));
        self
    }

    fn figure(mut self, name: &str, svg: String) -> Self {
        self.figures.push((name.to_owned(), svg));
        self
    }
}

/// A group of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Toy models.
    Toys,
    /// Probes and all units of every SAE.
    Saes,
    /// Probes of all layers.
    Line,
    /// The patching map.
    Map,
    /// What the model can spell.
    Ability,
}

/// A table or figure of the paper, or of what it leaves open.
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What the paper says, with its place.
    pub(crate) published: fn() -> Published,
    /// What has to be measured for it.
    pub(crate) needs: &'static [Need],
    pub(crate) make: fn(&Measured<'_>) -> anyhow::Result<Output>,
}

macro_rules! item {
    ($name:literal, $title:literal, $published:expr, $make:path) => {
        item!($name, $title, $published, $make, [Need::Saes])
    };
    ($name:literal, $title:literal, $published:expr, $make:path, $needs:expr) => {
        Item {
            needs: &$needs,
            name: $name,
            title: $title,
            published: || $published,
            make: $make,
        }
    };
}

fn words(text: &str, source: &str) -> Published {
    Published::words(text, source)
}

/// All of them, in the order of the paper; what it has no number for stands last.
pub(crate) const ALL: &[Item] = &[
    item!(
        "absorption",
        "Absorption in every published definition, with what must stand beside it",
        Published::axis(0.0, 0.35, "figures 9a, 9b, Gemma-2-2b, layers 0-17"),
        definitions::summary,
        [Need::Saes, Need::Map]
    ),
    item!(
        "fig2",
        "Toy models: independent and hierarchical features",
        words(
            "hierarchical features are absorbed, independent ones found",
            "figures 2 and 3"
        ),
        toys::fig2,
        [Need::Toys]
    ),
    item!(
        "fig4",
        "F1 of the latent nearest to the probe, by layer and by L0",
        Published::axis(0.2, 0.8, "figure 4; no SAE matches the probe"),
        detection::fig4,
        [Need::Saes, Need::Line]
    ),
    item!(
        "fig5",
        "Precision and recall of the latent nearest to the probe",
        words(
            "low L0: high precision, low recall; high L0: the opposite; axes 0.2 to 1",
            "figure 5"
        ),
        detection::fig5
    ),
    item!(
        "fig6",
        "An absorbed word: activations and decoder cosines",
        words(
            "latent 6510: F1 0.81, cosine 0.52; absorber 1085: cosine 0.12",
            "figure 6, section 5.2"
        ),
        causal::fig6
    ),
    item!(
        "fig7",
        "An absorbed word: effect of each latent, and without the probe direction",
        words(
            "absorber below -6, all others within 0.5; gone without the probe direction",
            "figure 7"
        ),
        causal::fig7
    ),
    item!(
        "fig8",
        "Splitting: F1 by k, and latents per letter by L0",
        Published::axis(0.0, 2.5, "figure 8b: mean splits per letter"),
        splitting::fig8
    ),
    item!(
        "fig9",
        "Absorption rate by layer and by L0",
        Published::axis(0.0, 0.35, "figures 9a, 9b; 0 to 0.40 in 9c"),
        absorption::fig9,
        [Need::Saes, Need::Map]
    ),
    item!(
        "fig10",
        "Toy model: the parent's magnitude varies",
        words("partial absorption", "figure 10"),
        toys::fig10,
        [Need::Toys]
    ),
    item!(
        "fig11",
        "Toy model: the child sometimes fires alone",
        words("partial absorption", "figure 11"),
        toys::fig11,
        [Need::Toys]
    ),
    item!(
        "fig12",
        "Toy model: BatchTopK",
        words("absorption without an L1 penalty", "figure 12"),
        toys::fig12,
        [Need::Toys]
    ),
    item!(
        "fig13",
        "What the model can spell, by length of the word",
        words(
            "first letter: high at all lengths; full spelling falls with length",
            "figure 13"
        ),
        model::fig13,
        [Need::Ability]
    ),
    item!(
        "fig14",
        "Rewriting the first letter, by layer and by L0",
        words(
            "16k edits better than 65k; best L0 75 to 150; layers 7 to 9 best",
            "figure 14"
        ),
        rewrite::fig14
    ),
    item!(
        "fig15",
        "Rewriting the first letter, by letter",
        words("no numbers in the text", "figure 15"),
        rewrite::fig15
    ),
    item!(
        "fig16",
        "Latents by encoder cosine and by the ranking probe, F1 by L0",
        words("nearly identical", "figure 16, layers 0-9"),
        detection::fig16
    ),
    item!(
        "fig17",
        "Latents by encoder cosine and by the ranking probe, F1 by layer",
        words("nearly identical", "figure 17, layers 0-9"),
        detection::fig17
    ),
    item!(
        "fig18",
        "Decoder cosines with each letter's probe: outliers",
        words("one or two outliers per letter", "figure 18, layer 0, 16k, L0 105"),
        splitting::fig18
    ),
    item!(
        "fig19",
        "Precision and recall of the first latent of the ranking probe",
        words("as figure 5", "figure 19, layers 0-9"),
        detection::fig19
    ),
    item!(
        "fig20",
        "F1 by L0, letter by letter",
        words("z best at the lowest L0, others at 30 to 50", "figure 20"),
        detection::fig20
    ),
    item!(
        "fig21",
        "Absorption with the mean and with the largest other logit",
        words(
            "same shape; the mean is slightly more conservative",
            "figure 21, layers 0-3"
        ),
        absorption::fig21,
        [Need::Saes, Need::Map]
    ),
    item!(
        "fig22",
        "Where the letter is: patching every layer and position",
        words(
            "the letter leaves the word near layer 18 of 26",
            "figure 22, appendix A.12"
        ),
        model::fig22,
        [Need::Map]
    ),
    item!(
        "fig23",
        "Absorption rate by L0, letter by letter",
        Published::axis(0.0, 0.8, "figure 23, one panel; 0.2 to 0.6 in the others"),
        absorption::fig23,
        [Need::Saes, Need::Map]
    ),
    item!(
        "table1",
        "Words that most activate the latents that a letter is split into",
        words(
            "L: latent 7112 for lower case, 7657 for upper case",
            "table 1, layer 0, 16k, L0 105"
        ),
        splitting::table1
    ),
    item!(
        "table2",
        "Toy model: activations where the parent's magnitude varies",
        words("1.00/0.00, 0.22/1.27, 0.12/1.27, 0.00/1.26", "table 2"),
        toys::table2,
        [Need::Toys]
    ),
    item!(
        "table3",
        "Toy model: activations where the child sometimes fires alone",
        words("1.00/0.00, 0.67/1.05, 0.00/0.95", "table 3"),
        toys::table3,
        [Need::Toys]
    ),
    item!(
        "letters",
        "Every score of every SAE and letter",
        words("means over letters, and figures 20 and 23", "the paper"),
        letters::letters
    ),
    item!(
        "sensitivity",
        "How far the scores depend on the training of the ranking probe",
        words("batches of 4096 for 50 epochs, one setting", "released code"),
        definitions::sensitivity
    ),
    item!(
        "control",
        "The same scores for random SAEs",
        words("no control", "not in the paper"),
        definitions::control
    ),
    item!(
        "attribution",
        "Integrated gradients against exact ablation",
        words("6 steps, error faded", "appendix A.4"),
        causal::attribution
    ),
    item!(
        "timing",
        "Seconds per SAE, by stage",
        words(
            "26 minutes per SAE on one GPU at Gemma-2-2b's size",
            "README of SAEBench 0.6.0"
        ),
        definitions::timing
    ),
];
