//! `bench activations`: hook points and logits of prompts, written as they are computed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use checkpoint::{Dtype, SafetensorsStream, TensorSlot};
use clap::{Args, ValueEnum};
use model_runner::{BosPolicy, HookName, Keep, ModelConfig, Point, PromptGroup, Tokenizer, Transformer, choose_bos};
use rayon::prelude::*;

use super::prompts::Prompts;
use crate::device::DeviceArgs;
use crate::{embedded, failure, locate};

/// Values held at a time before they are written, over all points.
const BLOCK_VALUES: usize = 64 << 20;

/// Under which names tensors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    /// `blocks.3.hook_resid_post`.
    Long,
    /// `resid_post.3`.
    Short,
    /// Each tensor twice.
    Both,
}

/// Dump hook points and logits of prompts.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Points: resid_pre, z, attn_raw, attn_out, resid_mid, mlp_in, mlp_post, mlp_raw, mlp_out and resid_post of a
layer, such as `resid_post.12` or `blocks.12.hook_resid_post`, with `*` for all layers; `final_norm_out`; `logits`.
attn_raw and mlp_raw are before the norm that Gemma puts after attention and MLP; z is `attn.hook_z`, heads side by side.

Without --points and with --ids: the stream after each part of every layer, the last norm and the logits."
)]
pub(crate) struct ActivationsArgs {
    /// Model: a folder, or a name in the Hugging Face cache such as `google/gemma-2-2b@main` [default: the embedded model].
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Token ids, `[batch, seq]`, as they are: no special token is added.
    #[arg(
        long,
        value_name = "FILE.safetensors",
        required_unless_present = "prompts",
        conflicts_with = "prompts"
    )]
    ids: Option<PathBuf>,
    /// Tensor of `--ids`.
    #[arg(long, default_value = "input_ids", value_name = "NAME")]
    tensor: String,
    /// Text, one prompt per line.
    #[arg(long, value_name = "FILE.txt")]
    prompts: Option<PathBuf>,
    /// Whether prompts begin with the beginning-of-sequence token: auto (as the family was trained), always or never.
    #[arg(long, default_value = "auto", value_name = "POLICY")]
    bos: BosPolicy,
    /// Points, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    points: Vec<String>,
    /// Keep the last position of each prompt only.
    #[arg(long)]
    last: bool,
    /// Under which names.
    #[arg(long, value_enum, default_value = "both")]
    names: Names,
    /// Where passes run.
    #[command(flatten)]
    place: DeviceArgs,
    /// Where to.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

/// A tensor of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Output {
    Hook(HookName),
    FinalNorm,
    Logits,
}

impl Output {
    fn width(self, config: &ModelConfig) -> usize {
        match self {
            Self::Hook(hook) => hook.point.width(config),
            Self::FinalNorm => config.hidden_size,
            Self::Logits => config.vocab_size,
        }
    }

    fn names(self, names: Names) -> Vec<String> {
        let (long, short) = match self {
            Self::Hook(hook) => (hook.to_string(), hook.short()),
            Self::FinalNorm => ("ln_final.hook_out".to_owned(), "final_norm_out".to_owned()),
            Self::Logits => return vec!["logits".to_owned()],
        };
        match names {
            Names::Long => vec![long],
            Names::Short => vec![short],
            Names::Both => vec![long, short],
        }
    }
}

/// Runs the command.
pub(crate) fn activations(args: &ActivationsArgs) -> anyhow::Result<u8> {
    let folder = match &args.model {
        Some(text) => locate::model(text, args.prompts.is_some())?.path,
        None => embedded::folder()?.join("model"),
    };
    let model = args.place.model(&folder)?;
    let config = model.config();
    let prompts = match (&args.ids, &args.prompts) {
        (Some(file), _) => Prompts::of_tensor(file, &args.tensor)?,
        (None, Some(file)) => {
            let bos = choose_bos(config, args.bos)?;
            let said = bos.id.map_or("no".to_owned(), |id| format!("token {id}"));
            eprintln!("beginning-of-sequence token: {said} ({})", bos.reason);
            Prompts::of_lines(file, &Tokenizer::open(&folder, bos.id)?, &bos)?
        }
        (None, None) => return Err(failure::usage("give `--ids` or `--prompts`")),
    };
    let outputs = outputs(args, config)?;
    let longest = prompts
        .offsets()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(0);
    if longest > model.max_positions() {
        return Err(failure::input(format!(
            "a prompt of {longest} tokens; this model takes at most {}",
            model.max_positions()
        )));
    }
    let mut sink = Sink::new(args, config, &prompts, &outputs)?;
    let bytes = sink.stream.total_bytes();
    eprintln!(
        "{} prompts, {} tokens, {} points: {:.1} MB",
        prompts.len(),
        prompts.tokens(),
        outputs.len(),
        bytes as f64 / 1e6
    );
    let per_token: usize = outputs.iter().map(|output| output.width(config)).sum();
    for block in blocks(&prompts, per_token) {
        run_block(&model, &prompts, &outputs, &block, &mut sink)?;
    }
    sink.stream.finish()?;
    eprintln!("wrote {}", args.out.display());
    Ok(failure::DONE)
}

/// The tensors that were asked for, in order of computation.
fn outputs(args: &ActivationsArgs, config: &ModelConfig) -> anyhow::Result<Vec<Output>> {
    let layers = config.layers;
    let mut outputs = Vec::new();
    if args.points.is_empty() {
        if args.prompts.is_some() {
            return Err(failure::usage(
                "`--prompts` needs `--points`, such as `--points resid_post.12,logits`\nhint: all points of many prompts would fill a disk",
            ));
        }
        outputs.push(Output::Hook(HookName {
            layer: 0,
            point: Point::ResidPre,
        }));
        let usual = [
            Point::AttnRaw,
            Point::AttnOut,
            Point::ResidMid,
            Point::MlpRaw,
            Point::MlpOut,
            Point::ResidPost,
        ];
        for layer in 0..layers {
            let here = usual.iter().filter(|point| point.exists(config));
            outputs.extend(here.map(|&point| Output::Hook(HookName { layer, point })));
        }
        outputs.extend([Output::FinalNorm, Output::Logits]);
    }
    for name in &args.points {
        match name.as_str() {
            "final_norm_out" | "ln_final.hook_out" => outputs.push(Output::FinalNorm),
            "logits" => outputs.push(Output::Logits),
            _ if name.contains('*') => {
                for layer in 0..layers {
                    outputs.push(Output::Hook(hook(&name.replacen('*', &layer.to_string(), 1), config)?));
                }
            }
            _ => outputs.push(Output::Hook(hook(name, config)?)),
        }
    }
    outputs.sort_unstable();
    outputs.dedup();
    Ok(outputs)
}

fn hook(name: &str, config: &ModelConfig) -> anyhow::Result<HookName> {
    let hook = HookName::parse(name, config.layers)?;
    if !hook.point.exists(config) {
        return Err(failure::usage(format!(
            "`{name}`: models of family {} have no such point",
            config.family
        )));
    }
    Ok(hook)
}

/// Prompts of one length that run together: their indices.
type Batch = Vec<usize>;

/// Groups of batches whose results are held together; every prompt is in one batch.
fn blocks(prompts: &Prompts, per_token: usize) -> Vec<Vec<Batch>> {
    const ROWS: usize = 288;
    let most = (BLOCK_VALUES / per_token.max(1)).max(1);
    let (mut blocks, mut block, mut held) = (Vec::new(), BTreeMap::<usize, Vec<usize>>::new(), 0);
    let close = |block: &mut BTreeMap<usize, Vec<usize>>| -> Vec<Batch> {
        std::mem::take(block)
            .into_iter()
            .flat_map(|(seq, list)| {
                let size = (ROWS / seq).max(1);
                list.chunks(size).map(<[usize]>::to_vec).collect::<Vec<_>>()
            })
            .collect()
    };
    for prompt in 0..prompts.len() {
        let seq = prompts.prompt(prompt).len();
        if held > 0 && held + seq > most {
            blocks.push(close(&mut block));
            held = 0;
        }
        block.entry(seq).or_default().push(prompt);
        held += seq;
    }
    blocks.push(close(&mut block));
    blocks
}

/// What one batch computed: tensors in the order of the outputs, `[batch * seq, width]`, or those of the last layer and behind it
/// `[batch, width]` where only last positions are asked for.
fn run_batch(
    model: &Transformer,
    prompts: &Prompts,
    outputs: &[Output],
    batch: &Batch,
    last_only: bool,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let config = model.config();
    let ids: Vec<u32> = batch
        .iter()
        .flat_map(|&prompt| prompts.prompt(prompt))
        .copied()
        .collect();
    let x = model.embed(&ids, batch.len(), 0)?;
    let mut values = vec![Vec::new(); outputs.len()];
    let wants_end = outputs.iter().any(|output| !matches!(output, Output::Hook(_)));
    let mut layers = 0;
    for (slot, output) in outputs.iter().enumerate() {
        if let Output::Hook(hook) = output {
            layers = layers.max(hook.layer + 1);
            // The tap shows what blocks compute; the first block's input is the embedding.
            if hook.point == Point::ResidPre && hook.layer == 0 {
                values[slot].clone_from(&x);
                layers = layers.max(usize::from(outputs.len() > 1));
            }
        }
    }
    let mut tap = |hook: HookName, value: &[f32]| {
        let next = HookName {
            layer: hook.layer + 1,
            point: Point::ResidPre,
        };
        let is_next = hook.point == Point::ResidPost;
        for (slot, output) in outputs.iter().enumerate() {
            if *output == Output::Hook(hook) || (is_next && *output == Output::Hook(next)) {
                values[slot] = value.to_vec();
            }
        }
    };
    let layers = if wants_end { config.layers } else { layers };
    let wanted = |hook: HookName| {
        let next = HookName {
            layer: hook.layer + 1,
            point: Point::ResidPre,
        };
        outputs.contains(&Output::Hook(hook))
            || (hook.point == Point::ResidPost && outputs.contains(&Output::Hook(next)))
    };
    // Where only last positions are written, the last layer computes no other.
    let keep = if last_only { Keep::Last } else { Keep::All };
    let group = PromptGroup {
        batch: batch.len(),
        prefix: None,
    };
    let last = model.run_tapped_at(x, group, 0..layers, keep, &wanted, &mut tap)?;
    if wants_end {
        let normed = model.final_norm(&last);
        for (slot, output) in outputs.iter().enumerate() {
            match output {
                Output::Logits => values[slot] = model.all_logits(&normed)?,
                Output::FinalNorm => values[slot].clone_from(&normed),
                Output::Hook(_) => {}
            }
        }
    }
    Ok(values)
}

fn run_block(
    model: &Transformer,
    prompts: &Prompts,
    outputs: &[Output],
    block: &[Batch],
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let done: Vec<Vec<Vec<f32>>> = block
        .par_iter()
        .map(|batch| run_batch(model, prompts, outputs, batch, sink.last))
        .collect::<anyhow::Result<_>>()?;
    for (batch, values) in block.iter().zip(done) {
        for (&output, values) in outputs.iter().zip(values) {
            let width = output.width(model.config());
            for (&prompt, rows) in batch
                .iter()
                .zip(values.chunks_exact((values.len() / batch.len()).max(1)))
            {
                sink.write(prompts, prompt, output, rows, width)?;
            }
        }
    }
    Ok(())
}

/// The file in the making.
struct Sink {
    stream: SafetensorsStream,
    names: Names,
    last: bool,
}

impl Sink {
    fn new(
        args: &ActivationsArgs,
        config: &ModelConfig,
        prompts: &Prompts,
        outputs: &[Output],
    ) -> anyhow::Result<Self> {
        let rows = if args.last {
            vec![prompts.len()]
        } else {
            prompts.shape.clone()
        };
        let mut slots = Vec::new();
        for output in outputs {
            for name in output.names(args.names) {
                let shape = rows.iter().copied().chain([output.width(config)]).collect();
                slots.push(TensorSlot {
                    name,
                    dtype: Dtype::F32,
                    shape,
                });
            }
        }
        let slot = |name: &str, shape: &[usize]| TensorSlot {
            name: name.to_owned(),
            dtype: Dtype::I64,
            shape: shape.to_vec(),
        };
        slots.push(slot("input_ids", &prompts.shape));
        if !prompts.rectangular() {
            slots.push(slot("offsets", &[prompts.len() + 1]));
        }
        let metadata = BTreeMap::from([("model".to_owned(), config.family.clone())]);
        let mut stream = SafetensorsStream::create(&args.out, &slots, &metadata)?;
        let ids: Vec<i64> = prompts.ids().iter().map(|&id| id.into()).collect();
        stream.write_i64("input_ids", 0, &ids)?;
        if !prompts.rectangular() {
            let offsets: Vec<i64> = prompts.offsets().iter().map(|&offset| offset as i64).collect();
            stream.write_i64("offsets", 0, &offsets)?;
        }
        Ok(Self {
            stream,
            names: args.names,
            last: args.last,
        })
    }

    fn write(
        &mut self,
        prompts: &Prompts,
        prompt: usize,
        output: Output,
        rows: &[f32],
        width: usize,
    ) -> anyhow::Result<()> {
        let (row, values) = if self.last {
            (prompt, &rows[rows.len() - width..])
        } else {
            (prompts.offsets()[prompt], rows)
        };
        for name in output.names(self.names) {
            self.stream.write_f32(&name, row * width, values)?;
        }
        Ok(())
    }
}
