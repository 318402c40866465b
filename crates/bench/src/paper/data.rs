//! What each unit measures, as it is kept on disk.

use ablation::paper::{Detection, Example, Found};
use ablation::rewrite::Rewritten;
use linear_probe::SgdProbe;
use linear_probe::metrics::ClassScores;
use serde::{Deserialize, Serialize};

/// Dense probes of one layer, scored on test words. Lists are by class.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProbeUnit {
    pub(crate) layer: usize,
    pub(crate) train_words: usize,
    pub(crate) test_words: usize,
    pub(crate) batch: usize,
    /// The paper's probe; kept where SAEs are measured against it.
    pub(crate) probe: Option<SgdProbe>,
    pub(crate) sgd: Vec<Option<ClassScores>>,
    /// A converged logistic regression on the same words, for SAE layers.
    pub(crate) converged: Vec<Option<ClassScores>>,
}

/// Detection by one SAE.
#[derive(Serialize, Deserialize)]
pub(crate) struct DetectionUnit {
    pub(crate) encode_seconds: f64,
    pub(crate) ranking_batch: usize,
    /// Whether decoder rows have unit length, folded where the architecture allows it: `SAEBench`'s accounting takes it for granted.
    pub(crate) unit_rows: bool,
    pub(crate) detection: Detection,
    /// The largest activations of the main latents of letters that are split, for Table 1.
    pub(crate) activating: Vec<Activating>,
}

/// What activates one latent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Activating {
    pub(crate) class: usize,
    pub(crate) latent: u32,
    /// Test words with activations, largest first.
    pub(crate) words: Vec<(String, f64)>,
}

/// How scores depend on the probe that ranks latents.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sensitivity {
    pub(crate) batch: usize,
    /// F1 of the first latent, mean over letters.
    pub(crate) first_f1: f64,
    /// Letters whose first latent is that of the setting used here.
    pub(crate) same_first: usize,
    pub(crate) main_latents: f64,
    pub(crate) full: Option<f64>,
    pub(crate) fraction: Option<f64>,
}

/// Absorption by one SAE, and by the random SAE of its shape.
#[derive(Serialize, Deserialize)]
pub(crate) struct AbsorptionUnit {
    pub(crate) found: Found,
    pub(crate) example: Option<Example>,
    pub(crate) sensitivity: Vec<Sensitivity>,
    pub(crate) control: Control,
}

/// The random SAE.
#[derive(Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) l0: f64,
    pub(crate) explained_variance: f64,
    /// F1 of the first latent by class.
    pub(crate) first_f1: Vec<f64>,
    /// Main latents by class.
    pub(crate) main_latents: Vec<usize>,
    pub(crate) found: Found,
}

/// Letters rewritten through one SAE, or through probe directions.
#[derive(Serialize, Deserialize)]
pub(crate) struct RewriteUnit {
    pub(crate) rewritten: Vec<Rewritten>,
}

/// One cell of the patching map.
#[derive(Serialize, Deserialize)]
pub(crate) struct MapCell {
    pub(crate) layer: usize,
    /// Positions behind the query word.
    pub(crate) position: usize,
    /// Effect of the patch over effect of changing the word, by letter: sums.
    pub(crate) by_letter: Vec<(usize, f64, f64)>,
}

/// Where the letter is.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct MapUnit {
    pub(crate) pairs: usize,
    /// Text of each position from the query word on.
    pub(crate) positions: Vec<String>,
    pub(crate) cells: Vec<MapCell>,
}

/// Right answers of words of one length.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) right: usize,
    pub(crate) of: usize,
}

/// What the model can spell, by number of letters of the word.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct AbilityUnit {
    /// Length, first letter, full spelling, and of the spelled letters the share that is right.
    pub(crate) by_length: Vec<(usize, Share, Share, Share)>,
}
