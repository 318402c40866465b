//! Which tensors of a checkpoint hold which part of the model.
//!
//! Families differ in names, in what they pack together (queries, keys and values in one tensor, heads interleaved or not) and
//! in orientation. All of that ends here: the engines see projections and norms.

use std::ops::Range;

use checkpoint::Checkpoint;

use crate::config::{Layout, ModelConfig, Norm, Positions};

/// Output rows of one stored tensor that a projection is made of.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Name without `.weight` and `.bias`.
    pub(crate) tensor: String,
    /// Which outputs, in order.
    pub(crate) outputs: Vec<Range<usize>>,
    /// How many outputs the tensor has.
    pub(crate) stored: usize,
}

/// A linear map of the model: pieces beside each other.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) pieces: Vec<Piece>,
    /// Inputs.
    pub(crate) input: usize,
    pub(crate) bias: bool,
}

impl Projection {
    fn new(pieces: Vec<Piece>, input: usize, bias: bool) -> Self {
        Self { pieces, input, bias }
    }

    /// Outputs.
    pub(crate) fn width(&self) -> usize {
        self.pieces
            .iter()
            .flat_map(|piece| &piece.outputs)
            .map(Range::len)
            .sum()
    }
}

/// The names of a checkpoint's tensors.
#[derive(Clone, Debug)]
pub(crate) struct Names<'a> {
    config: &'a ModelConfig,
    prefix: String,
}

/// A norm's place in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormPlace {
    AttnIn,
    AttnOut,
    MlpIn,
    MlpOut,
    Query,
    Key,
}

impl<'a> Names<'a> {
    /// The names that `transformers` writes.
    pub(crate) fn usual(config: &'a ModelConfig) -> Self {
        let prefix = prefixes(config.layout)[0].to_owned();
        Self { config, prefix }
    }

    /// The names in `checkpoint`, which may lack the head's prefix or have one more.
    pub(crate) fn of(config: &'a ModelConfig, checkpoint: &Checkpoint) -> Self {
        let found = prefixes(config.layout).iter().find(|prefix| {
            let names = Self {
                config,
                prefix: (**prefix).to_owned(),
            };
            checkpoint.contains(&format!("{}.weight", names.embedding()))
        });
        match found {
            Some(prefix) => Self {
                config,
                prefix: (*prefix).to_owned(),
            },
            None => Self::usual(config),
        }
    }

    pub(crate) fn embedding(&self) -> String {
        let name = match self.config.layout {
            Layout::Llama => "embed_tokens",
            Layout::NeoX => "embed_in",
            Layout::Gpt2 => "wte",
        };
        format!("{}{name}", self.prefix)
    }

    /// The learned positions, where there are any.
    pub(crate) fn positions(&self) -> Option<(String, usize)> {
        match self.config.positions {
            Positions::Learned(count) => Some((format!("{}wpe", self.prefix), count)),
            Positions::Rotary => None,
        }
    }

    pub(crate) fn final_norm(&self) -> String {
        let name = match self.config.layout {
            Layout::Llama => "norm",
            Layout::NeoX => "final_layer_norm",
            Layout::Gpt2 => "ln_f",
        };
        format!("{}{name}", self.prefix)
    }

    /// The unembedding: the embedding where they are tied.
    pub(crate) fn head(&self) -> String {
        if self.config.tied {
            return self.embedding();
        }
        match self.config.layout {
            Layout::Llama if self.prefix.starts_with("language_model.") => "language_model.lm_head".to_owned(),
            Layout::Llama | Layout::Gpt2 => "lm_head".to_owned(),
            Layout::NeoX => "embed_out".to_owned(),
        }
    }

    /// What every tensor name of a layer starts with.
    pub(crate) fn layer_prefix(&self, layer: usize) -> String {
        match self.config.layout {
            Layout::Llama | Layout::NeoX => format!("{}layers.{layer}.", self.prefix),
            Layout::Gpt2 => format!("{}h.{layer}.", self.prefix),
        }
    }

    fn whole(&self, layer: usize, part: &str, outputs: usize) -> Piece {
        Piece {
            tensor: format!("{}{part}", self.layer_prefix(layer)),
            outputs: std::iter::once(0..outputs).collect(),
            stored: outputs,
        }
    }

    /// Third `which` (queries, keys, values) of a fused tensor.
    fn third(&self, layer: usize, part: &str, which: usize) -> Piece {
        let (heads, hd) = (self.config.heads, self.config.head_dim);
        let width = heads * hd;
        let outputs = if self.config.layout == Layout::NeoX {
            (0..heads)
                .map(|head| {
                    let start = (3 * head + which) * hd;
                    start..start + hd
                })
                .collect()
        } else {
            std::iter::once(which * width..(which + 1) * width).collect()
        };
        Piece {
            tensor: format!("{}{part}", self.layer_prefix(layer)),
            outputs,
            stored: 3 * width,
        }
    }

    pub(crate) fn queries(&self, layer: usize) -> Projection {
        let config = self.config;
        let piece = match config.layout {
            Layout::Llama => self.whole(layer, "self_attn.q_proj", config.heads * config.head_dim),
            Layout::NeoX => self.third(layer, "attention.query_key_value", 0),
            Layout::Gpt2 => self.third(layer, "attn.c_attn", 0),
        };
        Projection::new(vec![piece], config.hidden_size, config.biases.qkv)
    }

    /// Keys beside values.
    pub(crate) fn keys_values(&self, layer: usize) -> Projection {
        let config = self.config;
        let width = config.kv_heads * config.head_dim;
        let pieces = match config.layout {
            Layout::Llama => vec![
                self.whole(layer, "self_attn.k_proj", width),
                self.whole(layer, "self_attn.v_proj", width),
            ],
            Layout::NeoX => [1, 2]
                .map(|which| self.third(layer, "attention.query_key_value", which))
                .to_vec(),
            Layout::Gpt2 => [1, 2].map(|which| self.third(layer, "attn.c_attn", which)).to_vec(),
        };
        Projection::new(pieces, config.hidden_size, config.biases.qkv)
    }

    pub(crate) fn output(&self, layer: usize) -> Projection {
        let config = self.config;
        let part = match config.layout {
            Layout::Llama => "self_attn.o_proj",
            Layout::NeoX => "attention.dense",
            Layout::Gpt2 => "attn.c_proj",
        };
        let piece = self.whole(layer, part, config.hidden_size);
        Projection::new(vec![piece], config.heads * config.head_dim, config.biases.o)
    }

    /// Gate beside up, or up alone.
    pub(crate) fn up(&self, layer: usize) -> Projection {
        let config = self.config;
        let parts: &[&str] = match (config.layout, config.gated) {
            (Layout::Llama, true) => &["mlp.gate_proj", "mlp.up_proj"],
            (Layout::Llama, false) => &["mlp.up_proj"],
            (Layout::NeoX, _) => &["mlp.dense_h_to_4h"],
            (Layout::Gpt2, _) => &["mlp.c_fc"],
        };
        let pieces = parts
            .iter()
            .map(|part| self.whole(layer, part, config.intermediate_size))
            .collect();
        Projection::new(pieces, config.hidden_size, config.biases.mlp)
    }

    pub(crate) fn down(&self, layer: usize) -> Projection {
        let config = self.config;
        let part = match config.layout {
            Layout::Llama => "mlp.down_proj",
            Layout::NeoX => "mlp.dense_4h_to_h",
            Layout::Gpt2 => "mlp.c_proj",
        };
        let piece = self.whole(layer, part, config.hidden_size);
        Projection::new(vec![piece], config.intermediate_size, config.biases.mlp)
    }

    /// A block's norm and its width, where the family has it.
    pub(crate) fn norm(&self, layer: usize, place: NormPlace) -> Option<(String, usize)> {
        use NormPlace::{AttnIn, AttnOut, Key, MlpIn, MlpOut, Query};
        let config = self.config;
        let (d, hd) = (config.hidden_size, config.head_dim);
        let (part, width) = match (config.layout, place) {
            (Layout::Llama, Query) if config.qk_norm => ("self_attn.q_norm", hd),
            (Layout::Llama, Key) if config.qk_norm => ("self_attn.k_norm", hd),
            (Layout::Llama, AttnOut) if config.post_norms => ("post_attention_layernorm", d),
            (Layout::Llama, MlpIn) if config.post_norms => ("pre_feedforward_layernorm", d),
            (Layout::Llama, MlpOut) if config.post_norms => ("post_feedforward_layernorm", d),
            (Layout::Llama | Layout::NeoX, AttnIn) => ("input_layernorm", d),
            (Layout::Llama | Layout::NeoX, MlpIn) => ("post_attention_layernorm", d),
            (Layout::Gpt2, AttnIn) => ("ln_1", d),
            (Layout::Gpt2, MlpIn) => ("ln_2", d),
            (_, AttnOut | MlpOut | Query | Key) => return None,
        };
        Some((format!("{}{part}", self.layer_prefix(layer)), width))
    }

    /// Every tensor of the checkpoint with its shape, in the file order of `transformers`.
    pub(crate) fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let config = self.config;
        let d = config.hidden_size;
        let mut all = Vec::new();
        all.push((format!("{}.weight", self.embedding()), vec![config.vocab_size, d]));
        if let Some((name, count)) = self.positions() {
            all.push((format!("{name}.weight"), vec![count, d]));
        }
        for layer in 0..config.layers {
            self.layer_shapes(layer, &mut all);
        }
        self.norm_shapes(&self.final_norm(), d, &mut all);
        if !config.tied {
            all.push((format!("{}.weight", self.head()), vec![config.vocab_size, d]));
        }
        all
    }

    fn layer_shapes(&self, layer: usize, all: &mut Vec<(String, Vec<usize>)>) {
        use NormPlace::{AttnIn, AttnOut, Key, MlpIn, MlpOut, Query};
        let projections = [
            self.queries(layer),
            self.keys_values(layer),
            self.output(layer),
            self.up(layer),
            self.down(layer),
        ];
        let from = all.len();
        for projection in &projections {
            for piece in &projection.pieces {
                let weight = format!("{}.weight", piece.tensor);
                // The thirds of a fused tensor are one tensor.
                if all[from..].iter().any(|(name, _)| *name == weight) {
                    continue;
                }
                let shape = if self.config.layout == Layout::Gpt2 {
                    vec![projection.input, piece.stored]
                } else {
                    vec![piece.stored, projection.input]
                };
                all.push((weight, shape));
                if projection.bias {
                    all.push((format!("{}.bias", piece.tensor), vec![piece.stored]));
                }
            }
        }
        for place in [Query, Key, AttnIn, AttnOut, MlpIn, MlpOut] {
            // Gemma names its second norm like Llama's third, so each name is listed once.
            if let Some((name, width)) = self.norm(layer, place) {
                self.norm_shapes(&name, width, all);
            }
        }
    }

    fn norm_shapes(&self, name: &str, width: usize, all: &mut Vec<(String, Vec<usize>)>) {
        all.push((format!("{name}.weight"), vec![width]));
        if self.config.norm == Norm::Layer {
            all.push((format!("{name}.bias"), vec![width]));
        }
    }
}

/// What tensor names start with, the usual one first.
fn prefixes(layout: Layout) -> &'static [&'static str] {
    match layout {
        Layout::Llama => &["model.", "language_model.model.", "model.language_model.", ""],
        Layout::NeoX => &["gpt_neox.", ""],
        Layout::Gpt2 => &["transformer.", ""],
    }
}

/// Every tensor of a checkpoint of this architecture with its shape, under the names and in the order of `transformers`.
#[must_use]
pub fn tensor_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    Names::usual(config).shapes()
}
