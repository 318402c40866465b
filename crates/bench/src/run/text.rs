//! Unrelated text for `bench run --arms full`: where it comes from, and how it is cut.
//!
//! `--text FILE`, or the tokens that the embedded model sampled from itself; another model has no text of its own, and then text damage
//! is a named gap of the record. Deliberately absent: choosing passages. The first tokens are taken, in order.

use std::path::Path;

use checkpoint::Checkpoint;
use model_runner::ModelConfig;
use tasks::Tokenize;

use super::args::RunArgs;
use crate::failure;
use crate::token_ids::TokenIds;

/// Tokens of text that are read where `--text-tokens` does not say.
const TOKENS: usize = 1_000;
/// Fewest tokens that a mean over tokens is taken of.
const FEWEST: usize = 64;
/// Tokens of a sequence, that at its beginning included.
const LENGTH: usize = 128;
/// Bytes of text that are tokenised for each token that is needed: no tokenizer's mean is near it.
const BYTES_PER_TOKEN: usize = 64;

/// Token sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) sequences: Vec<Vec<u32>>,
    /// The beginning-of-sequence token, where sequences begin with it.
    pub(crate) start: Option<u32>,
}

impl Text {
    /// Identity of the tokens: BLAKE3 over a version, then of each sequence its length and ids.
    pub(crate) fn hash(&self) -> String {
        let mut bytes = b"text/1".to_vec();
        for ids in &self.sequences {
            bytes.extend((ids.len() as u64).to_le_bytes());
            bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        }
        store::Blake3::of(&bytes).to_string()
    }

    /// The first sequences, until they hold at least `tokens`.
    pub(crate) fn beginning(&self, tokens: usize) -> Vec<Vec<u32>> {
        let mut held = 0;
        let more = |sequence: &&Vec<u32>| {
            let wanted = held < tokens;
            held += sequence.len();
            wanted
        };
        self.sequences.iter().take_while(more).cloned().collect()
    }

    /// Tokens, without those at the beginnings.
    pub(crate) fn tokens(&self) -> usize {
        let starts = if self.start.is_some() { self.sequences.len() } else { 0 };
        self.sequences.iter().map(Vec::len).sum::<usize>() - starts
    }
}

/// The text that a run was given or has of its own; none for a model without either.
pub(super) fn find(
    args: &RunArgs,
    model: (&Path, &ModelConfig),
    tokenizer: &dyn Tokenize,
    bos: Option<u32>,
) -> anyhow::Result<Option<Text>> {
    let (folder, config) = model;
    match &args.text {
        Some(file) => from_file(file, args.text_tokens, config, tokenizer, bos).map(Some),
        None if args.model.is_none() => sampled(folder, args.text_tokens, config).map(Some),
        None => Ok(None),
    }
}

fn from_file(
    file: &Path,
    wanted: Option<usize>,
    config: &ModelConfig,
    tokenizer: &dyn Tokenize,
    bos: Option<u32>,
) -> anyhow::Result<Text> {
    let name = file.display();
    let bytes = fs_err::read(file)
        .map_err(|error| failure::input(format!("{error}\nhint: `--text` wants a file of UTF-8 text")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        failure::input(format!(
            "`{name}` is not UTF-8 text (byte {} on)\nhint: convert it, for example with `iconv -t UTF-8`",
            error.valid_up_to()
        ))
    })?;
    if text.trim().is_empty() {
        return Err(failure::input(format!(
            "`{name}` is empty\nhint: give `--text` some paragraphs of ordinary text"
        )));
    }
    let most = wanted.unwrap_or(TOKENS);
    let ids = tokenizer.encode(&text[..text.floor_char_boundary(most.saturating_mul(BYTES_PER_TOKEN))])?;
    let needed = wanted.unwrap_or(FEWEST);
    if ids.len() < needed {
        return Err(failure::input(format!(
            "`{name}` has {} tokens, at least {needed} are needed\nhint: give `--text` a longer text{}",
            ids.len(),
            if wanted.is_some() {
                ", or lower `--text-tokens`"
            } else {
                ""
            }
        )));
    }
    let length = LENGTH.min(config.position_limit().unwrap_or(LENGTH)) - usize::from(bos.is_some());
    let sequences = ids[..ids.len().min(most)]
        .chunks(length.max(2))
        .map(|ids| bos.into_iter().chain(ids.iter().copied()).collect());
    Ok(Text {
        sequences: sequences.collect(),
        start: bos,
    })
}

/// The shipped tokens that the embedded model sampled.
fn sampled(folder: &Path, wanted: Option<usize>, config: &ModelConfig) -> anyhow::Result<Text> {
    let file = folder.join("sampled_ids.safetensors");
    let checkpoint = Checkpoint::open(&file)?;
    let read = TokenIds::read(&checkpoint, &file, "ids")?;
    let start = config.bos_token_id.filter(|id| read.ids.first() == Some(id));
    let extra = usize::from(start.is_some());
    let mut left = wanted.unwrap_or(TOKENS);
    let mut sequences = Vec::new();
    for row in read.rows() {
        let taken = left.min(row.len() - extra);
        if taken == 0 {
            break;
        }
        sequences.push(row[..taken + extra].to_vec());
        left -= taken;
    }
    if left > 0 && wanted.is_some() {
        return Err(failure::input(format!(
            "`{}` has {} tokens, `--text-tokens` asks for {}\nhint: lower `--text-tokens`, or give longer text with `--text FILE`",
            file.display(),
            wanted.unwrap_or_default() - left,
            wanted.unwrap_or_default()
        )));
    }
    Ok(Text { sequences, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_tokens_and_where_sequences_end() {
        let text = |sequences: &[&[u32]], start| Text {
            sequences: sequences.iter().map(|ids| ids.to_vec()).collect(),
            start,
        };
        let one = text(&[&[2, 5, 6, 7]], Some(2));
        assert_eq!(one.tokens(), 3);
        assert_eq!(text(&[&[2, 5], &[6, 7]], None).tokens(), 4);
        assert_eq!(one.hash(), text(&[&[2, 5, 6, 7]], Some(2)).hash());
        assert_ne!(one.hash(), text(&[&[2, 5], &[6, 7]], Some(2)).hash());
        assert_ne!(one.hash(), text(&[&[2, 5, 6, 8]], Some(2)).hash());
    }
}
