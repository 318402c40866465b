//! Folders to open: copies of golden ones, and made-up ones of every format that has none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checkpoint::write::{self, TensorData};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::naive::Layers;
use crate::torch::{self, Item};

/// Where golden folders are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/open")
}

pub(crate) fn golden(name: &str) -> PathBuf {
    root().join(name)
}

/// Files below a folder.
pub(crate) fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            walk(&entry, found);
        } else {
            found.push(entry);
        }
    }
}

/// A copy of a folder, without the golden values.
pub(crate) fn copy(folder: &Path) -> TempDir {
    let target = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    walk(folder, &mut files);
    for file in files {
        let inner = file.strip_prefix(folder).unwrap();
        if inner.ends_with("golden.safetensors") {
            continue;
        }
        let place = target.path().join(inner);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(&file, place).unwrap();
    }
    target
}

pub(crate) fn put_json(path: &Path, value: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value.to_string()).unwrap();
}

pub(crate) fn put_tensors(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let tensors: Vec<TensorData<'_>> = tensors
        .iter()
        .map(|(name, shape, values)| TensorData::f32(*name, shape, values))
        .collect();
    write::safetensors(path, &tensors, &BTreeMap::new()).unwrap();
}

pub(crate) fn item(shape: &[usize], values: &[f32]) -> Item {
    Item::Tensor(shape.to_vec(), values.to_vec())
}

/// A made-up checkpoint: its folder, what to open in it, and its layers.
pub(crate) struct Made {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) layers: Layers,
}

impl Made {
    fn new(inner: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(inner);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        Self {
            folder,
            path,
            layers: Layers::new(6, 10, 6),
        }
    }
}

/// `OpenAI`, with or without an own decoder.
pub(crate) fn openai(activation: Option<&'static str>, tied: bool) -> Made {
    let made = Made::new("8.pt");
    let layers = &made.layers;
    let mut items = vec![
        ("pre_bias", item(&[6], &layers.b_dec)),
        ("latent_bias", item(&[10], &layers.b_enc)),
        ("encoder.weight", item(&[10, 6], &layers.encoder)),
        ("stats_last_nonzero", item(&[10], &layers.b_enc)),
        ("latents_activation_frequency", item(&[10], &layers.b_enc)),
        ("latents_mean_square", item(&[10], &layers.b_enc)),
    ];
    if tied {
        items.push(("decoder.linear.weight", item(&[10, 6], &layers.encoder)));
    } else {
        items.push(("decoder.weight", item(&[6, 10], &layers.decoder_t())));
    }
    if let Some(activation) = activation {
        items.push(("activation", Item::Text(activation)));
        let state = if activation == "TopK" {
            vec![("k", Item::Int(3)), ("postact_fn", Item::Text("ReLU"))]
        } else {
            Vec::new()
        };
        items.push(("activation_state_dict", Item::Dict(state)));
        // Some of these files hold the count a second time.
        if activation == "TopK" && tied {
            items.push(("activation.k", Item::Int(3)));
            items.push(("activation.postact_fn", Item::Text("ReLU")));
        }
    }
    torch::save(&made.path, &items);
    made
}

/// Weights and biases of two linear layers in a torch file.
pub(crate) fn linear(file: &str, encoder: [&'static str; 2], decoder: [&'static str; 2]) -> Made {
    let made = Made::new(file);
    let layers = &made.layers;
    let items = [
        (encoder[0], item(&[10, 6], &layers.encoder)),
        (encoder[1], item(&[10], &layers.b_enc)),
        (decoder[0], item(&[6, 10], &layers.decoder_t())),
        (decoder[1], item(&[6], &layers.b_dec)),
    ];
    torch::save(&made.path, &items);
    made
}

pub(crate) fn goodfire() -> Made {
    linear(
        "Llama-3.1-8B-Instruct-SAE-l19.pth",
        ["encoder_linear.weight", "encoder_linear.bias"],
        ["decoder_linear.weight", "decoder_linear.bias"],
    )
}

pub(crate) fn deepseek_r1() -> Made {
    linear(
        "DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt",
        ["encoder.weight", "encoder.bias"],
        ["decoder.weight", "decoder.bias"],
    )
}

pub(crate) fn qwen_scope(folder: &str) -> Made {
    let made = Made::new(&format!("{folder}/layer7.sae.pt"));
    let layers = &made.layers;
    let items = [
        ("W_enc", item(&[10, 6], &layers.encoder)),
        ("W_dec", item(&[6, 10], &layers.decoder_t())),
        ("b_enc", item(&[10], &layers.b_enc)),
        ("b_dec", item(&[6], &layers.b_dec)),
    ];
    torch::save(&made.path, &items);
    made
}

pub(crate) fn attention_hook_z() -> Made {
    let made = Made::new("gpt2-small_L5_Hcat_z.pt");
    let layers = &made.layers;
    let items = [
        ("W_enc", item(&[6, 10], &layers.encoder_t())),
        ("W_dec", item(&[10, 6], &layers.decoder)),
        ("b_enc", item(&[10], &layers.b_enc)),
        ("b_dec", item(&[6], &layers.b_dec)),
    ];
    torch::save(&made.path, &items);
    let cfg = json!({
        "act_size": 6, "dict_size": 10, "act_name": "blocks.5.attn.hook_z", "model_name": "gpt2-small", "seed": 49,
        "lr": 0.0012, "enc_dtype": "fp32",
    });
    put_json(&made.path.with_file_name("gpt2-small_L5_Hcat_z_cfg.json"), &cfg);
    made
}

/// Hanna's transcoders, from 6 to 4 values.
pub(crate) fn hanna(threshold: Option<&[f32]>, skip: Option<&[f32]>) -> Made {
    let mut made = Made::new("layer_12.safetensors");
    made.layers = Layers::new(6, 10, 4);
    let layers = &made.layers;
    let mut tensors: Vec<(&str, &[usize], &[f32])> = vec![
        ("W_enc", &[10, 6], &layers.encoder),
        ("W_dec", &[10, 4], &layers.decoder),
        ("b_enc", &[10], &layers.b_enc),
        ("b_dec", &[4], &layers.b_dec),
    ];
    if let Some(threshold) = threshold {
        tensors.push(("threshold", &[10], threshold));
    }
    if let Some(skip) = skip {
        tensors.push(("W_skip", &[4, 6], skip));
    }
    put_tensors(&made.path, &tensors);
    made
}

/// Llama Scope, with `edit` applied to its configuration. `path` is the folder.
pub(crate) fn llama_scope(edit: impl FnOnce(&mut Value)) -> Made {
    let mut made = Made::new("L15R-8x/checkpoints/final.safetensors");
    let layers = &made.layers;
    put_tensors(
        &made.path,
        &[
            ("encoder.weight", &[10, 6], &layers.encoder),
            ("encoder.bias", &[10], &layers.b_enc),
            ("decoder.weight", &[6, 10], &layers.decoder_t()),
            ("decoder.bias", &[6], &layers.b_dec),
        ],
    );
    let mut cfg = json!({
        "hook_point_in": "blocks.15.hook_resid_post", "hook_point_out": "blocks.15.hook_resid_post", "act_fn": "jumprelu",
        "jump_relu_threshold": 0.3, "use_decoder_bias": true, "apply_decoder_bias_to_pre_encoder": false,
        "norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 1.25, "out": 1.25}, "d_model": 6,
        "d_sae": 10, "top_k": 5, "expansion_factor": 1.666_666_666_666_666_7, "sparsity_include_decoder_norm": true,
        "use_glu_encoder": false, "device": "cuda", "dtype": "torch.bfloat16", "remove_gradient_parallel_to_decoder_directions": false,
    });
    cfg.as_object_mut().unwrap().shift_remove("expansion_factor");
    edit(&mut cfg);
    made.path.pop();
    made.path.pop();
    put_json(&made.path.join("hyperparams.json"), &cfg);
    made
}

/// A later `OpenMOSS` folder, in the layout of linear layers or the one of matrices.
pub(crate) fn openmoss(linear: bool, norm: Option<f32>, logarithms: &[f32], edit: impl FnOnce(&mut Value)) -> Made {
    let mut made = Made::new("L15R/sae_weights.safetensors");
    let layers = &made.layers;
    let (encoder, decoder) = (layers.encoder_t(), layers.decoder_t());
    let mut tensors: Vec<(&str, &[usize], &[f32])> = if linear {
        vec![
            ("encoder.weight", &[10, 6], &layers.encoder),
            ("encoder.bias", &[10], &layers.b_enc),
            ("decoder.weight", &[6, 10], &decoder),
            ("decoder.bias", &[6], &layers.b_dec),
            ("log_jumprelu_threshold", &[10], logarithms),
        ]
    } else {
        vec![
            ("W_E", &[6, 10], &encoder),
            ("b_E", &[10], &layers.b_enc),
            ("W_D", &[10, 6], &layers.decoder),
            ("b_D", &[6], &layers.b_dec),
            ("activation_function.log_jumprelu_threshold", &[10], logarithms),
        ]
    };
    let norm = norm.map(|norm| [norm]);
    if let Some(norm) = &norm {
        tensors.push(("dataset_average_activation_norm.blocks.15.hook_resid_post", &[], norm));
    }
    put_tensors(&made.path, &tensors);
    let mut cfg = json!({
        "sae_type": "sae", "hook_point_in": "blocks.15.hook_resid_post", "act_fn": "jumprelu", "norm_activation": "dataset-wise",
        "d_model": 5, "expansion_factor": 2, "sparsity_include_decoder_norm": true, "top_k": 5, "dtype": "torch.float32",
    });
    // 6 inputs and 10 latents have no whole factor.
    cfg["d_model"] = json!(6);
    cfg["expansion_factor"] = Value::Null;
    cfg["d_sae"] = json!(10);
    edit(&mut cfg);
    made.path.pop();
    put_json(&made.path.join("config.json"), &cfg);
    made
}

/// A sparsify folder.
pub(crate) fn sparsify(skip: Option<&[f32]>, cfg: &Value) -> Made {
    let mut made = Made::new("layers.3.mlp/sae.safetensors");
    let layers = &made.layers;
    let mut tensors: Vec<(&str, &[usize], &[f32])> = vec![
        ("encoder.weight", &[10, 6], &layers.encoder),
        ("encoder.bias", &[10], &layers.b_enc),
        ("W_dec", &[10, 6], &layers.decoder),
        ("b_dec", &[6], &layers.b_dec),
    ];
    if let Some(skip) = skip {
        tensors.push(("W_skip", &[6, 6], skip));
    }
    put_tensors(&made.path, &tensors);
    made.path.pop();
    put_json(&made.path.join("cfg.json"), cfg);
    made
}

/// A Gemma Scope 2 folder with a skip connection `[d_in, d_out]`, from 6 to 4 values.
pub(crate) fn gemma_scope_2(threshold: &[f32], skip: Option<&[f32]>, cfg: Option<&Value>) -> Made {
    let mut made = Made::new("transcoder/layer_9_width_16k_l0_small_affine/params.safetensors");
    made.layers = Layers::new(6, 10, 4);
    let layers = &made.layers;
    let encoder = layers.encoder_t();
    let mut tensors: Vec<(&str, &[usize], &[f32])> = vec![
        ("w_enc", &[6, 10], &encoder),
        ("w_dec", &[10, 4], &layers.decoder),
        ("b_enc", &[10], &layers.b_enc),
        ("b_dec", &[4], &layers.b_dec),
        ("threshold", &[10], threshold),
    ];
    if let Some(skip) = skip {
        tensors.push(("affine_skip_connection", &[6, 4], skip));
    }
    put_tensors(&made.path, &tensors);
    made.path.pop();
    if let Some(cfg) = cfg {
        put_json(&made.path.join("config.json"), cfg);
    }
    made
}

/// A `SAELens` folder with these tensors beside the usual four.
pub(crate) fn sae_lens(layers: Layers, more: &[(&str, &[usize], &[f32])], cfg: &Value) -> Made {
    let mut made = Made::new("sae/sae_weights.safetensors");
    let encoder = layers.encoder_t();
    let Layers { d_in, d_sae, d_out, .. } = layers;
    let (enc, sae, dec, out) = ([d_in, d_sae], [d_sae], [d_sae, d_out], [d_out]);
    let mut tensors: Vec<(&str, &[usize], &[f32])> = vec![
        ("W_enc", &enc, &encoder),
        ("b_enc", &sae, &layers.b_enc),
        ("W_dec", &dec, &layers.decoder),
        ("b_dec", &out, &layers.b_dec),
    ];
    tensors.extend(more);
    put_tensors(&made.path, &tensors);
    made.path.pop();
    put_json(&made.path.join("cfg.json"), cfg);
    made.layers = layers;
    made
}
