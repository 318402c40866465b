//! Exact ablation of the strongest latents of given prompts: each is taken out alone at the query word.
//!
//! One half of the comparison in `peers/`; the other half does the same with hooks and full passes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ablation::{Item, Stage};
use anyhow::{Context, ensure};
use checkpoint::Checkpoint;
use checkpoint::write::{TensorData, safetensors};
use clap::Parser;
use model_runner::{ModelConfig, Tokenizer, Transformer};
use sae::Sae;
use tasks::AnswerTokens;

#[derive(Parser)]
struct Args {
    /// Model folder.
    #[arg(long)]
    model: PathBuf,
    /// SAE folder.
    #[arg(long)]
    sae: PathBuf,
    /// File with whole prompts, `[prompts, seq]` token ids.
    #[arg(long)]
    ids: PathBuf,
    /// Tensor of `--ids`.
    #[arg(long, default_value = "input_ids")]
    tensor: String,
    /// Tokens behind the query word.
    #[arg(long, default_value_t = 5)]
    behind: usize,
    /// The layer whose `hook_resid_post` is edited.
    #[arg(long)]
    layer: usize,
    /// The first so many prompts.
    #[arg(long, default_value_t = 64)]
    words: usize,
    /// Latents of each prompt, the most active ones.
    #[arg(long, default_value_t = 32)]
    latents: usize,
    /// Where latents, activations and letter logits go.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let prompts = prompts(&args)?;
    let model = Transformer::open(&args.model)?;
    let config = ModelConfig::read(&args.model.join("config.json"))?;
    let answers = AnswerTokens::new(&Tokenizer::open(&args.model, config.bos_token_id)?)?;
    let sae = Sae::open(&args.sae)?.fold_decoder_norms()?;

    let (mut prefixes, mut items) = (Vec::new(), Vec::new());
    for (set, ids) in prompts.iter().enumerate() {
        let (prefix, suffix) = ids.split_at(ids.len() - args.behind - 1);
        prefixes.push(prefix.to_vec());
        let suffix = suffix.to_vec();
        items.push(Item { set, suffix });
    }
    let stage = Stage::new(&model, &prefixes, items, answers.ids())?;
    let capture = stage
        .capture(&[args.layer], None)?
        .pop()
        .context("one layer was asked for")?;
    let encoded = sae.encode(&capture.sites());

    let (mut rows, mut vectors, mut latents, mut activations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..prompts.len() {
        let (index, value) = encoded.row(row);
        let mut active: Vec<(u32, f32)> = index.iter().copied().zip(value.iter().copied()).collect();
        active.sort_by(|a, b| b.1.total_cmp(&a.1));
        let fire = active.len();
        ensure!(
            fire >= args.latents,
            "only {fire} latents fire in prompt {row}: choose another SAE or fewer `--latents`"
        );
        for &(latent, activation) in &active[..args.latents] {
            let decoder = sae.decoder_row(latent as usize);
            let edited = capture.site(row).iter().zip(&*decoder).map(|(x, w)| x - activation * w);
            vectors.extend(edited);
            rows.push(row);
            latents.push(i64::from(latent));
            activations.push(activation);
        }
    }
    let flat = |logits: Vec<[f32; 26]>| logits.into_iter().flatten().collect::<Vec<f32>>();
    let clean = flat(stage.clean_logits(&capture)?);
    let edited = flat(stage.edited_logits(&capture, &rows, &vectors)?);

    let (words, n) = (prompts.len(), args.latents);
    let tensors = [
        TensorData::i64("latents", &[words, n], &latents),
        TensorData::f32("activations", &[words, n], &activations),
        TensorData::f32("clean", &[words, 26], &clean),
        TensorData::f32("logits", &[words, n, 26], &edited),
    ];
    safetensors(&args.out, &tensors, &BTreeMap::new())?;
    Ok(())
}

/// Token ids of the prompts.
fn prompts(args: &Args) -> anyhow::Result<Vec<Vec<u32>>> {
    let checkpoint = Checkpoint::open(&args.ids)?;
    let view = checkpoint.get(&args.tensor)?;
    let &[count, seq] = view.shape else {
        anyhow::bail!("`{}` is not [prompts, seq]", args.tensor);
    };
    ensure!(
        seq > args.behind,
        "prompts of {seq} tokens have no word before the last {}",
        args.behind
    );
    ensure!(
        count >= args.words,
        "`--words {}`, but there are {count} prompts",
        args.words
    );
    let ids = view
        .to_i64()?
        .into_iter()
        .map(u32::try_from)
        .collect::<Result<Vec<u32>, _>>()?;
    Ok(ids.chunks_exact(seq).take(args.words).map(<[u32]>::to_vec).collect())
}
