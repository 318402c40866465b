//! What a caller is after, and which files that takes.

/// The files of a folder with one model.
pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// What a caller is after. It decides when a folder is complete and what a download fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A model folder: `config.json` and `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    Model {
        /// Whether `tokenizer.json` is needed too.
        tokenizer: bool,
    },
    /// One SAE: a weight file, or the folder that holds it in one of the layouts by which SAEs are published.
    Sae,
}

/// How some library lays out the folder of one SAE.
pub(super) struct Layout {
    /// The weight file by which the layout is known.
    pub(super) weights: &'static str,
    /// What its reader cannot do without.
    pub(super) needs: &'static [&'static str],
}

/// The layouts by which SAEs are published. Order matters only for messages.
pub(super) const LAYOUTS: [Layout; 6] = [
    // SAELens.
    Layout {
        weights: "sae_weights.safetensors",
        needs: &["cfg.json"],
    },
    // EleutherAI sparsify.
    Layout {
        weights: "sae.safetensors",
        needs: &["cfg.json"],
    },
    // Gemma Scope.
    Layout {
        weights: "params.npz",
        needs: &[],
    },
    // Gemma Scope 2; some of its folders have no config.json.
    Layout {
        weights: "params.safetensors",
        needs: &[],
    },
    // dictionary_learning.
    Layout {
        weights: "ae.pt",
        needs: &["config.json"],
    },
    // Llama Scope.
    Layout {
        weights: "checkpoints/final.safetensors",
        needs: &["hyperparams.json"],
    },
];

impl Wanted {
    /// As in "is not a model".
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Model { .. } => "a model folder",
            Self::Sae => "an SAE",
        }
    }

    /// Patterns for `hf download --include`, none for everything. There `*` crosses `/`.
    pub(super) fn patterns(self, path: Option<&str>) -> Vec<String> {
        match (self, path) {
            (Self::Model { tokenizer }, path) => {
                let folder = path.map_or_else(String::new, |path| format!("{path}/"));
                let tokenizer = tokenizer.then_some("tokenizer*.json");
                let names = [Some(CONFIG), Some("model*.safetensors*"), tokenizer];
                names
                    .into_iter()
                    .flatten()
                    .map(|name| format!("{folder}{name}"))
                    .collect()
            }
            (Self::Sae, None) => Vec::new(),
            (Self::Sae, Some(path)) if is_weights(path) || path.ends_with('*') => vec![path.to_owned()],
            (Self::Sae, Some(path)) => vec![format!("{path}/*")],
        }
    }
}

/// Whether a name is that of a file with the weights of an SAE.
pub(super) fn is_weights(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    // SAELens' firing rates, Gemma Scope 2's examples and what a trainer needs to go on.
    let beside = ["sparsity", "examples", "optimizer"]
        .iter()
        .any(|start| stem.starts_with(start));
    ["safetensors", "npz", "pt", "pth"].contains(&extension) && !beside
}
