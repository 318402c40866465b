//! What a device does with a model: its best large product, forward tokens and ablations per second, and how far its logits are from
//! the CPU engine's.
//!
//! Without `--model`, a checkpoint with Gemma-2-2b's shapes and random weights is written to a temporary folder first (5.2 GB). Every
//! figure is the fastest of some repetitions after a first one that compiles kernels, and ends with a value read back.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ablation::{Capture, Stage};
use anyhow::ensure;
use burn::tensor::{DType, Device, Distribution, Tensor};
use clap::Parser;
use model_runner::{Budget, ComputeDevice, Keep, Precision, Transformer};
use tasks::IclPlan;
use vernier_benches::{Prompts, RandomModel, embedded_model, run_flops};

#[derive(Parser)]
struct Args {
    /// Device, as `bench --device` names it.
    #[arg(long, default_value = "wgpu")]
    device: String,
    /// Number type of products with weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Model folder [default: random weights of Gemma-2-2b's shapes]; `embedded` is the shipped model.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Blocks of the random model.
    #[arg(long, default_value_t = 26)]
    layers: usize,
    /// The layer whose `hook_resid_post` is edited [default: the middle one].
    #[arg(long)]
    layer: Option<usize>,
    /// Words; each is captured once.
    #[arg(long, default_value_t = 256)]
    words: usize,
    /// Edits of each word.
    #[arg(long, default_value_t = 32)]
    edits: usize,
    /// Words whose logits are compared with the CPU engine's; 0 leaves it out.
    #[arg(long, default_value_t = 8)]
    compared: usize,
    /// Tokens of a prompt of the forward pass.
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Rows, inputs and outputs of the large product.
    #[arg(long, value_delimiter = ',', default_values_t = [4096, 4096, 4096])]
    product: Vec<usize>,
    /// Repetitions.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let device = ComputeDevice::open(&args.device)?;
    println!("device: {}, products in {}", device.label(), args.dtype);
    let [m, k, n] = args.product[..] else {
        anyhow::bail!("`--product` takes three sizes");
    };
    let peak = product(device.burn(), [m, k, n], args.dtype, args.repeat);
    println!("product [{m}, {k}] x [{k}, {n}]: {peak:.1} GFLOP/s");

    let temp = tempfile::tempdir()?;
    let folder = match &args.model {
        Some(name) if name == Path::new("embedded") => embedded_model(),
        Some(folder) => folder.clone(),
        None => {
            fs_err::copy(
                embedded_model().join("tokenizer.json"),
                temp.path().join("tokenizer.json"),
            )?;
            RandomModel {
                layers: args.layers,
                ..RandomModel::gemma2_2b()
            }
            .write(temp.path())?;
            temp.path().to_owned()
        }
    };
    let begun = Instant::now();
    let model = Transformer::open_on(&folder, &device, args.dtype, Budget::default())?;
    println!("weights uploaded in {:.2} s", begun.elapsed().as_secs_f64());
    let share = |flops: f64, seconds: f64| {
        format!(
            "{:.1} GFLOP/s, {:.0} % of the product's",
            flops / seconds / 1e9,
            flops / seconds / 1e7 / peak
        )
    };

    let (tokens, seconds, flops) = forward(&model, args.tokens, args.repeat)?;
    println!("forward: {:.0} tokens/s ({})", tokens / seconds, share(flops, seconds));

    let layer = args.layer.unwrap_or(model.config().layers / 2 - 1);
    let plan = IclPlan::Shared {
        sets: 2,
        prompts_per_word: 1,
    };
    let prompts = Prompts::new(&folder, plan, Some(args.words))?;
    let stage = |model| Stage::new(model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids());
    let begun = Instant::now();
    let on_device = stage(&model)?;
    let capture = capture(&on_device, layer)?;
    println!(
        "2 prefixes of {:.0} tokens and the capture of {} words, kernels compiled: {:.2} s",
        prompts.mean_prefix(),
        prompts.set.prompts.len(),
        begun.elapsed().as_secs_f64()
    );
    let (rows, vectors) = edits(&capture, args.edits);
    let mut best = f64::INFINITY;
    for _ in 0..=args.repeat {
        let begun = Instant::now();
        on_device.edited_logits(&capture, &rows, &vectors)?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let (seq, past) = (prompts.set.suffix_len(), prompts.mean_prefix().round() as usize);
    let flops = run_flops(
        model.config(),
        layer + 1..model.config().layers,
        rows.len(),
        seq,
        past,
        true,
    );
    println!(
        "ablations after layer {layer}: {:.1} per second ({})",
        rows.len() as f64 / best,
        share(flops, best)
    );

    if args.compared > 0 {
        let host = Transformer::open(&folder)?;
        let on_host = stage(&host)?;
        let some: Vec<usize> = (0..args.compared.min(capture.rows.len())).collect();
        let sites: Vec<f32> = some.iter().flat_map(|&row| capture.site(row).to_vec()).collect();
        let of = |stage: &Stage<'_>| -> anyhow::Result<Vec<f32>> {
            let own = stage.capture(&[layer], Some(&some))?;
            Ok(stage.edited_logits(&own[0], &some, &sites)?.concat())
        };
        let (a, b) = (of(&on_device)?, of(&on_host)?);
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let top = b.iter().fold(0f32, |top, v| top.max(v.abs()));
        println!(
            "parity with the CPU engine: logits differ by at most {worst:.2e}, of up to {top:.1} ({} words)",
            some.len()
        );
        ensure!(worst.is_finite(), "the device's logits are not finite");
    }
    Ok(())
}

/// Best rate of one large product, GFLOP/s.
fn product(device: &Device, [m, k, n]: [usize; 3], precision: Precision, repeat: usize) -> f64 {
    const QUEUED: usize = 8;
    let dtype = match precision {
        Precision::F32 => DType::F32,
        Precision::F16 => DType::F16,
        Precision::Bf16 => DType::BF16,
    };
    let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), device).cast(dtype);
    let (a, b) = (random([m, k]), random([n, k]).transpose());
    let mut best = f64::INFINITY;
    for _ in 0..=repeat {
        let begun = Instant::now();
        let mut last = None;
        for _ in 0..QUEUED {
            last = Some(a.clone().matmul(b.clone()));
        }
        // One value of the last product: the device works in order.
        let _ = last.map(|product| product.slice([0..1, 0..1]).cast(DType::F32).into_data());
        best = best.min(begun.elapsed().as_secs_f64() / QUEUED as f64);
    }
    2.0 * (m * k * n) as f64 / best / 1e9
}

/// Tokens of one chunk of whole passes, the fastest time, and operations.
fn forward(model: &Transformer, seq: usize, repeat: usize) -> anyhow::Result<(f64, f64, f64)> {
    let (layers, batch) = (model.config().layers, model.chunk_size(1 << 16, seq));
    let ids: Vec<u32> = (0..batch * seq).map(|i| 2 + (i as u32 * 97) % 900).collect();
    let x = model.embed(&ids, batch, 0)?;
    let mut best = f64::INFINITY;
    for _ in 0..=repeat {
        let x = x.clone();
        let begun = Instant::now();
        model.run(x, batch, 0..layers, None, Keep::Last)?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let flops = run_flops(model.config(), 0..layers, batch, seq, 0, true);
    Ok(((batch * seq) as f64, best, flops))
}

fn capture(stage: &Stage<'_>, layer: usize) -> anyhow::Result<Capture> {
    stage
        .capture(&[layer], None)?
        .pop()
        .ok_or_else(|| anyhow::anyhow!("nothing was captured"))
}

/// Each word's vector, changed in as many ways.
fn edits(capture: &Capture, count: usize) -> (Vec<usize>, Vec<f32>) {
    let (mut rows, mut vectors) = (Vec::new(), Vec::new());
    for row in 0..capture.rows.len() {
        for edit in 0..count {
            rows.push(row);
            vectors.extend(capture.site(row).iter().map(|x| x * (1.0 - 0.01 * edit as f32)));
        }
    }
    (rows, vectors)
}
