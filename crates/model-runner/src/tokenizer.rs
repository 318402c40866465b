//! Hugging Face `tokenizer.json` files.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use tasks::{TaskError, Tokenize};
use tokenizers::{Decoder, ModelWrapper, Tokenizer as HfTokenizer};

use crate::error::{ModelError, Result};

/// Largest `tokenizer.json` that is read, bytes; the largest that we know (Gemma 3's) has 33 MB.
const MAX_FILE: u64 = 1 << 28;

/// A tokenizer read from a checkpoint folder.
pub struct Tokenizer {
    inner: HfTokenizer,
    bos: Option<u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder`; `bos` is the token that starts every prompt, from the
    /// model's configuration.
    ///
    /// # Errors
    /// The file is missing or no tokenizer, or `bos` is not one of its tokens.
    pub fn open(folder: &Path, bos: Option<u32>) -> Result<Self> {
        let file = folder.join("tokenizer.json");
        let length = fs_err::metadata(&file).map_err(|e| refusal(&file, &e))?.len();
        if length > MAX_FILE {
            return Err(too_large(&file, length));
        }
        let bytes = fs_err::read(&file).map_err(|e| refusal(&file, &e))?;
        Self::from_bytes(&file, &bytes, bos)
    }

    /// Reads the bytes of a `tokenizer.json`; `file` is for messages only.
    ///
    /// # Errors
    /// As [`Tokenizer::open`].
    pub fn from_bytes(file: &Path, bytes: &[u8], bos: Option<u32>) -> Result<Self> {
        if bytes.len() as u64 > MAX_FILE {
            return Err(too_large(file, bytes.len() as u64));
        }
        let mut inner = contain(|| HfTokenizer::from_bytes(bytes)).map_err(|reason| refusal(file, &reason))?;
        // A file may ask for padding or truncation; prompts of a benchmark must get neither.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| refusal(file, &e))?;
        // Left over from training, this would make the ids of a text random.
        if let ModelWrapper::BPE(model) = inner.get_model()
            && model.dropout.is_some_and(|share| share != 0.0)
        {
            let mut model = model.clone();
            model.dropout = None;
            inner.with_model(model);
        }
        if let Some(id) = bos
            && inner.id_to_token(id).is_none()
        {
            return Err(refusal(file, &format!("has no token {id}, the model's `bos_token_id`")));
        }
        Ok(Self { inner, bos })
    }

    /// Ids of `text`, with the special tokens that the file's post-processor adds.
    ///
    /// # Errors
    /// The tokenizer refuses the text.
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = contain(|| self.inner.encode(text, true));
        Ok(encoding
            .map_err(|e| ModelError::Run(format!("encoding text: {e}")))?
            .get_ids()
            .to_vec())
    }

    /// The tokens of `ids` as they stand in the vocabulary; ids outside it become `<id N>`.
    #[must_use]
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        let token = |&id: &u32| self.inner.id_to_token(id).unwrap_or_else(|| format!("<id {id}>"));
        ids.iter().map(token).collect()
    }

    /// Text of `ids`, special tokens written out.
    ///
    /// # Errors
    /// The tokenizer's decoder fails.
    pub fn decode_with_special(&self, ids: &[u32]) -> Result<String> {
        contain(|| self.inner.decode(ids, false)).map_err(|e| ModelError::Run(format!("decoding ids: {e}")))
    }

    /// Text of `ids`, special tokens left out.
    ///
    /// # Errors
    /// The tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        contain(|| self.inner.decode(ids, true)).map_err(|e| ModelError::Run(format!("decoding ids: {e}")))
    }

    /// The id of a token as it stands in the vocabulary.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

/// Runs a function of the crate `tokenizers`, which panics on some files that are no tokenizers and on some that ask for the
/// impossible, and makes an error of the panic. Foreign bytes must not end a run of hours.
fn contain<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> std::result::Result<T, String> {
    // A tokenizer that panicked is left behind in a state without meaning at worst; its caches are behind locks.
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            Err(format!(
                "the tokenizer library failed on this file: {}",
                text.unwrap_or("no reason given")
            ))
        }
    }
}

fn refusal(file: &Path, reason: &dyn ToString) -> ModelError {
    ModelError::Tokenizer {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

fn too_large(file: &Path, length: u64) -> ModelError {
    refusal(
        file,
        &format!("{length} bytes are more than the {MAX_FILE} that a tokenizer may have"),
    )
}

impl Tokenize for Tokenizer {
    fn encode(&self, text: &str) -> std::result::Result<Vec<u32>, TaskError> {
        let encoding = contain(|| self.inner.encode(text, false)).map_err(|reason| TaskError::Tokenizer {
            text: text.to_owned(),
            reason,
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    fn token_string(&self, id: u32) -> Option<String> {
        let token = self.inner.id_to_token(id)?;
        let Some(decoder) = self.inner.get_decoder() else {
            return Some(token);
        };
        let text = contain(|| decoder.decode(vec![token.clone()])).ok()?;
        // Decoders that strip the space of a sentence's first word would make " cat" and "cat" one.
        if token.starts_with('\u{2581}') && !text.starts_with(' ') {
            return Some(format!(" {text}"));
        }
        Some(text)
    }

    fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    fn bos(&self) -> Option<u32> {
        self.bos
    }
}
