//! Measuring an autoencoder: on given activations, or on those of a model at its hook.

use std::path::{Path, PathBuf};

use anyhow::Context;
use checkpoint::Checkpoint;
use model_runner::{BosPolicy, HookName, Keep, Tokenizer, Transformer, choose_bos};
use sae::{Measured, Sae, Tally};
use tasks::Tokenize;

use super::InspectArgs;
use crate::dump::Rows;
use crate::token_ids::TokenIds;
use crate::{failure, locate};

/// Rows that are encoded at a time.
const ROWS: usize = 2048;

/// What was measured, and on what.
pub(super) struct Measurement {
    pub(super) measured: Measured,
    pub(super) on: String,
}

/// Measures if anything to measure on was given.
pub(super) fn measure(args: &InspectArgs, sae: &Sae) -> anyhow::Result<Option<Measurement>> {
    match (&args.acts, &args.model) {
        (Some(file), _) => on_file(args, sae, file).map(Some),
        (None, Some(model)) => on_model(args, sae, model).map(Some),
        (None, None) => Ok(None),
    }
}

fn on_file(args: &InspectArgs, sae: &Sae, file: &Path) -> anyhow::Result<Measurement> {
    let rows = Rows::open(file, args.tensor.as_deref(), sae.d_in())?;
    let target = match (&args.target, sae.is_transcoder()) {
        (Some(name), _) => Some(Rows::open(file, Some(name), sae.d_out())?),
        (None, _) => None,
    };
    if let Some(target) = target.as_ref().filter(|target| target.count != rows.count) {
        return Err(failure::input(format!(
            "`{}`: `{}` has {} rows, `{}` {}",
            file.display(),
            rows.name(),
            rows.count,
            target.name(),
            target.count
        )));
    }
    let mut tally = Tally::new(sae);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for from in (0..rows.count).step_by(ROWS) {
        let to = rows.count.min(from + ROWS);
        rows.read(from, to, &mut x)?;
        if let Some(target) = &target {
            target.read(from, to, &mut y)?;
        }
        add(&mut tally, sae, &x, target.is_some().then_some(&y));
    }
    Ok(Measurement {
        measured: tally.finish(),
        on: format!("{} rows of `{}`", rows.count, rows.name()),
    })
}

fn add(tally: &mut Tally, sae: &Sae, x: &[f32], target: Option<&Vec<f32>>) {
    let latents = sae.encode(x);
    match target {
        Some(target) => tally.add(target, &sae.decode_with_input(&latents, x), &latents),
        None if sae.is_transcoder() => tally.add_latents(&latents),
        None => tally.add(x, &sae.decode_with_input(&latents, x), &latents),
    }
}

fn on_model(args: &InspectArgs, sae: &Sae, text: &str) -> anyhow::Result<Measurement> {
    let folder = if text == "embedded" {
        crate::embedded::folder()?.join("model")
    } else {
        locate::model(text, args.prompts.is_some())?.path
    };
    let model = Transformer::open(&folder)?;
    let named = sae.identity().and_then(|identity| identity.hook_in.as_ref());
    let Some(hook) = named.map(|hook| hook.value.as_str()) else {
        return Err(failure::input(
            "the SAE's files do not say at which hook it stands\nhint: dump activations with `bench activations` and give them with `--acts`",
        ));
    };
    let hook = HookName::parse(hook, model.config().layers)
        .with_context(|| format!("the SAE stands at `{hook}`, which cannot be captured"))?;
    let out = match sae.identity().and_then(|identity| identity.hook_out.as_ref()) {
        Some(out) if sae.is_transcoder() => Some(HookName::parse(&out.value, model.config().layers)?),
        _ => None,
    };
    let width = hook.point.width(model.config());
    if width != sae.d_in() {
        return Err(failure::input(format!(
            "`{hook}` has {width} values per position, the SAE reads {}\nhint: it belongs to another model",
            sae.d_in()
        )));
    }
    let (prompts, bos) = prompts(args, &model, &folder)?;
    let mut tally = Tally::new(sae);
    let mut tokens = 0;
    for prompt in &prompts {
        let x = model.embed(prompt, 1, 0)?;
        let (mut input, mut target) = (Vec::new(), Vec::new());
        let before = HookName {
            layer: hook.layer.wrapping_sub(1),
            point: model_runner::Point::ResidPost,
        };
        if hook.point == model_runner::Point::ResidPre && hook.layer == 0 {
            input.clone_from(&x);
        }
        let mut tap = |at: HookName, value: &[f32]| {
            if at == hook || (hook.point == model_runner::Point::ResidPre && at == before) {
                input = value.to_vec();
            }
            if Some(at) == out {
                target = value.to_vec();
            }
        };
        let last = out.map_or(hook.layer, |out| out.layer.max(hook.layer));
        model.run_tapped(x, 1, 0..last + 1, None, Keep::All, &mut tap)?;
        // The first token is an attention sink of enormous norm, on which SAEs are neither trained nor scored.
        let skip = usize::from(bos.is_some_and(|bos| prompt.first() == Some(&bos)));
        tokens += prompt.len() - skip;
        let target = out.map(|_| target[skip * sae.d_out()..].to_vec());
        add(&mut tally, sae, &input[skip * width..], target.as_ref());
    }
    if tokens == 0 {
        return Err(failure::nothing_selected("there is no token to measure on"));
    }
    Ok(Measurement {
        measured: tally.finish(),
        on: format!(
            "{tokens} tokens of {} prompts, without the first token where it is special",
            prompts.len()
        ),
    })
}

/// Token ids of the prompts, and the beginning-of-sequence token.
fn prompts(args: &InspectArgs, model: &Transformer, folder: &Path) -> anyhow::Result<(Vec<Vec<u32>>, Option<u32>)> {
    let bos = choose_bos(model.config(), BosPolicy::Auto)?.id;
    if let Some(file) = &args.prompts {
        let tokenizer = Tokenizer::open(folder, bos)?;
        let text = fs_err::read_to_string(file).map_err(|error| failure::input(error.to_string()))?;
        let mut prompts = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            prompts.push(bos.into_iter().chain(tokenizer.encode(line)?).collect());
        }
        return Ok((prompts, bos));
    }
    let shipped = folder.join("sampled_ids.safetensors");
    let file: PathBuf = match &args.ids {
        Some(file) => file.clone(),
        None if shipped.is_file() => shipped,
        None => {
            return Err(failure::usage(
                "`--model` needs text: `--prompts FILE.txt` or `--ids FILE.safetensors`",
            ));
        }
    };
    let checkpoint = Checkpoint::open(&file)?;
    let name = match checkpoint.names().next() {
        Some(only) if checkpoint.names().len() == 1 => only.to_owned(),
        _ => "input_ids".to_owned(),
    };
    let read = TokenIds::read(&checkpoint, &file, &name)?;
    // Rows may be shorter than the file's widest prompt in no format that we read, so all have this length.
    Ok((read.rows().map(<[u32]>::to_vec).collect(), bos))
}
