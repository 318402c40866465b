//! Hugging Face `tokenizer.json` files.

use std::path::Path;

use tasks::{TaskError, Tokenize};
use tokenizers::{Decoder, Tokenizer as HfTokenizer};

use crate::error::{ModelError, Result};

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
        let refuse = |reason: String| ModelError::Tokenizer {
            file: file.clone(),
            reason,
        };
        let bytes = fs_err::read(&file).map_err(|e| refuse(e.to_string()))?;
        let mut inner = HfTokenizer::from_bytes(&bytes).map_err(|e| refuse(e.to_string()))?;
        // A file may ask for padding or truncation; prompts of a benchmark must get neither.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| refuse(e.to_string()))?;
        if let Some(id) = bos
            && inner.id_to_token(id).is_none()
        {
            return Err(refuse(format!("has no token {id}, the model's `bos_token_id`")));
        }
        Ok(Self { inner, bos })
    }

    /// Ids of `text`, with the special tokens that the file's post-processor adds.
    ///
    /// # Errors
    /// The tokenizer refuses the text.
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, true);
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
        self.inner
            .decode(ids, false)
            .map_err(|e| ModelError::Run(format!("decoding ids: {e}")))
    }

    /// Text of `ids`, special tokens left out.
    ///
    /// # Errors
    /// The tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner
            .decode(ids, true)
            .map_err(|e| ModelError::Run(format!("decoding ids: {e}")))
    }

    /// The id of a token as it stands in the vocabulary.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

impl Tokenize for Tokenizer {
    fn encode(&self, text: &str) -> std::result::Result<Vec<u32>, TaskError> {
        let encoding = self.inner.encode(text, false).map_err(|e| TaskError::Tokenizer {
            text: text.to_owned(),
            reason: e.to_string(),
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    fn token_string(&self, id: u32) -> Option<String> {
        let token = self.inner.id_to_token(id)?;
        let Some(decoder) = self.inner.get_decoder() else {
            return Some(token);
        };
        let text = decoder.decode(vec![token.clone()]).ok()?;
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
