//! `bench encode`: latents and reconstruction of given activations, block by block.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use checkpoint::{Dtype, SafetensorsStream, TensorSlot};
use clap::Args;
use sae::{Sae, Tally};

use super::Rows;
use crate::{failure, locate};

/// Values of a dense block of latents.
const BLOCK_VALUES: usize = 32 << 20;
/// Most rows of a block.
const BLOCK_ROWS: usize = 4096;

/// Encode activations with a sparse autoencoder, and decode them again.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Writes `acts` [.., d_sae] and `recon` [.., d_out]; with --sparse `indptr` [rows + 1], `indices` and `values`
instead of `acts`, as compressed sparse rows. What was measured on the way is JSON on stdout."
)]
pub(crate) struct EncodeArgs {
    /// SAE: a folder or file, or a place in the Hugging Face cache such as `owner/name:path`.
    #[arg(long, value_name = "SAE")]
    sae: String,
    /// Activations.
    #[arg(long, value_name = "FILE.safetensors")]
    acts: PathBuf,
    /// Tensor of `--acts` [default: the only one with rows of the SAE's width].
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// Fold decoder norms into the latents first.
    #[arg(long)]
    fold_norm: bool,
    /// Write latents as compressed sparse rows.
    #[arg(long)]
    sparse: bool,
    #[command(flatten)]
    open: OpenArgs,
    /// Where to.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

/// Decisions that the files of some SAEs leave open.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where the SAE's files leave it open")]
pub(crate) struct OpenArgs {
    /// Read the files as this format instead of recognising it.
    #[arg(long, value_name = "NAME")]
    pub(crate) sae_format: Option<String>,
    /// Active latents per row, where only a name says it (Qwen-Scope).
    #[arg(long, value_name = "N")]
    pub(crate) k: Option<usize>,
    /// Factor that activations were multiplied with in training, where it was not stored.
    #[arg(long, value_name = "S")]
    pub(crate) norm_scaling_factor: Option<f32>,
    /// Use the stored threshold of a `dictionary_learning` `AutoEncoderTopK` instead of top-k.
    #[arg(long)]
    pub(crate) stored_threshold: bool,
}

impl OpenArgs {
    /// What was decided, for the record; empty where nothing was.
    pub(crate) fn settings(&self) -> Vec<(String, serde_json::Value)> {
        let decided = [
            ("sae_format", self.sae_format.as_ref().map(|name| name.clone().into())),
            ("sae_k", self.k.map(Into::into)),
            ("sae_norm_scaling_factor", self.norm_scaling_factor.map(Into::into)),
            ("sae_stored_threshold", self.stored_threshold.then_some(true.into())),
        ];
        decided
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }

    /// Opens an SAE with these decisions.
    pub(crate) fn open(&self, path: &std::path::Path) -> anyhow::Result<Sae> {
        let mut options = sae::OpenOptions::new();
        if let Some(name) = &self.sae_format {
            options = options.format(format_named(name)?);
        }
        if let Some(k) = self.k {
            options = options.k(k);
        }
        if let Some(factor) = self.norm_scaling_factor {
            options = options.norm_scaling_factor(factor);
        }
        if self.stored_threshold {
            options = options.stored_threshold();
        }
        Ok(options.open(path)?)
    }
}

/// The format of a name such as `gemma-scope-2`.
fn format_named(name: &str) -> anyhow::Result<sae::Format> {
    let slug = |format: &sae::Format| -> String {
        let value = serde_json::to_value(format).unwrap_or_default();
        value.as_str().unwrap_or_default().replace('_', "-")
    };
    sae::Format::ALL
        .into_iter()
        .find(|format| slug(format) == name)
        .ok_or_else(|| {
            let known: Vec<String> = sae::Format::ALL.iter().map(slug).collect();
            failure::usage(format!("`--sae-format {name}` is none of {}", known.join(", ")))
        })
}

/// Runs the command.
pub(crate) fn encode(args: &EncodeArgs) -> anyhow::Result<u8> {
    let mut sae = args.open.open(&locate::sae(&args.sae)?.path)?;
    if args.fold_norm {
        sae = sae.fold_decoder_norms()?;
    }
    let rows = Rows::open(&args.acts, args.tensor.as_deref(), sae.d_in())?;
    eprintln!("{} rows of `{}`, {} latents", rows.count, rows.name(), sae.d_sae());
    let mut spill = args.sparse.then(Spill::new).transpose()?;
    let mut stream = if args.sparse {
        None
    } else {
        Some(SafetensorsStream::create(
            &args.out,
            &slots(&rows, &sae, None),
            &BTreeMap::new(),
        )?)
    };
    let mut tally = Tally::new(&sae);
    let (mut x, mut recon_file) = (Vec::new(), args.sparse.then(tempfile::tempfile).transpose()?);
    let step = (BLOCK_VALUES / sae.d_sae()).clamp(1, BLOCK_ROWS);
    for from in (0..rows.count).step_by(step) {
        let to = rows.count.min(from + step);
        rows.read(from, to, &mut x)?;
        let latents = sae.encode(&x);
        let recon = sae.decode_with_input(&latents, &x);
        if sae.is_transcoder() {
            tally.add_latents(&latents);
        } else {
            tally.add(&x, &recon, &latents);
        }
        if let Some(stream) = &mut stream {
            stream.write_f32("acts", from * sae.d_sae(), &latents.to_dense())?;
            stream.write_f32("recon", from * sae.d_out(), &recon)?;
        }
        if let (Some(spill), Some(file)) = (&mut spill, &mut recon_file) {
            for row in 0..latents.rows() {
                let (index, values) = latents.row(row);
                spill.row(index, values)?;
            }
            file.write_all(&checkpoint::write::f32_bytes(&recon))?;
        }
    }
    let stream = match (stream, spill, recon_file) {
        (Some(stream), ..) => stream,
        (None, Some(spill), Some(file)) => spill.into_stream(args, &rows, &sae, file)?,
        (None, ..) => return Err(failure::usage("nothing to write")),
    };
    stream.finish()?;
    eprintln!("wrote {}", args.out.display());
    println!("{}", serde_json::to_string_pretty(&tally.finish())?);
    Ok(failure::DONE)
}

/// Tensors of the result; `entries` of the sparse form.
fn slots(rows: &Rows, sae: &Sae, entries: Option<usize>) -> Vec<TensorSlot> {
    let slot = |name: &str, dtype, shape: Vec<usize>| TensorSlot {
        name: name.to_owned(),
        dtype,
        shape,
    };
    let wide = |width: usize| rows.shape.iter().copied().chain([width]).collect::<Vec<_>>();
    let mut slots = vec![slot("recon", Dtype::F32, wide(sae.d_out()))];
    match entries {
        None => slots.push(slot("acts", Dtype::F32, wide(sae.d_sae()))),
        Some(entries) => {
            slots.push(slot("indptr", Dtype::I64, vec![rows.count + 1]));
            slots.push(slot("indices", Dtype::I64, vec![entries]));
            slots.push(slot("values", Dtype::F32, vec![entries]));
        }
    }
    slots
}

/// Sparse rows on their way: how many entries there will be is known at the end only.
struct Spill {
    ends: Vec<i64>,
    index: std::io::BufWriter<std::fs::File>,
    value: std::io::BufWriter<std::fs::File>,
}

impl Spill {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            ends: vec![0],
            index: std::io::BufWriter::new(tempfile::tempfile()?),
            value: std::io::BufWriter::new(tempfile::tempfile()?),
        })
    }

    fn row(&mut self, index: &[u32], values: &[f32]) -> anyhow::Result<()> {
        for latent in index {
            self.index.write_all(&latent.to_le_bytes())?;
        }
        self.value.write_all(&checkpoint::write::f32_bytes(values))?;
        let before = self.ends.last().copied().unwrap_or_default();
        self.ends.push(before + index.len() as i64);
        Ok(())
    }

    fn into_stream(
        self,
        args: &EncodeArgs,
        rows: &Rows,
        sae: &Sae,
        mut recon: std::fs::File,
    ) -> anyhow::Result<SafetensorsStream> {
        let entries = self.ends.last().copied().unwrap_or_default() as usize;
        let mut stream = SafetensorsStream::create(&args.out, &slots(rows, sae, Some(entries)), &BTreeMap::new())?;
        stream.write_i64("indptr", 0, &self.ends)?;
        let mut index = self.index.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let mut value = self.value.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        words(&mut index, entries, |at, words| {
            let wide: Vec<i64> = words.iter().map(|&word| u32::from_le_bytes(word).into()).collect();
            Ok(stream.write_i64("indices", at, &wide)?)
        })?;
        words(&mut value, entries, |at, words| {
            let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
            Ok(stream.write_f32("values", at, &values)?)
        })?;
        words(&mut recon, rows.count * sae.d_out(), |at, words| {
            let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
            Ok(stream.write_f32("recon", at, &values)?)
        })?;
        Ok(stream)
    }
}

/// Goes through the first `count` four-byte words of a file.
fn words(
    file: &mut std::fs::File,
    count: usize,
    mut each: impl FnMut(usize, &[[u8; 4]]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    const AT_ONCE: usize = 1 << 20;
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 4 * AT_ONCE.min(count.max(1))];
    let mut at = 0;
    while at < count {
        let now = (count - at).min(AT_ONCE);
        file.read_exact(&mut buffer[..4 * now])?;
        each(at, buffer[..4 * now].as_chunks::<4>().0)?;
        at += now;
    }
    Ok(())
}
