//! What the tasks need from a tokenizer.

use crate::TaskError;

/// A tokenizer as the tasks see it. The crate that runs models implements it.
pub trait Tokenize {
    /// Token ids of `text`, without special tokens.
    ///
    /// # Errors
    /// [`TaskError::Tokenizer`] if the text cannot be encoded.
    fn encode(&self, text: &str) -> Result<Vec<u32>, TaskError>;

    /// The text of one token, as `convert_tokens_to_string([token])` gives it in Hugging Face's tokenizers: `▁cat` and `Ġcat` are
    /// `" cat"`, the byte token `<0x41>` is `"A"`. `None` if the id is unused or its bytes are not text.
    fn token_string(&self, id: u32) -> Option<String>;

    /// One more than the largest id.
    fn vocab_size(&self) -> usize;

    /// The token that begins every prompt, if the model expects one.
    fn bos(&self) -> Option<u32>;
}
