//! Integration tests of `tasks`, one binary, on a toy tokenizer.

mod answers; // Letters, letter lists, answer tokens.
mod attributes; // Other questions about the same words.
mod icl; // Example sets: contamination, determinism, coverage.
mod prompts; // Templates, encoding, what is dropped and why.
mod sampling; // Splits, selections, off-target words, partners.
mod toy;
mod words; // The vocabulary filter and strata.
