//! A top-k autoencoder with random bf16 weights, streamed to its file: of any width in bounded memory.
//!
//! Deliberately absent: any claim about what it computes. [`crate::RandomSae`] is the one with unit decoder rows.

use std::io::{BufWriter, Write};
use std::path::Path;

use checkpoint::write::atomic;
use rand::Rng;
use serde_json::{Map, Value, json};

/// Bytes that are drawn at a time.
const BLOCK: usize = 1 << 20;
/// Of four bf16, the signs and fractions that are drawn, and the exponent that all of them get: values of 0.016 to 0.031.
const DRAWN: u64 = 0x807f_807f_807f_807f;
const EXPONENT: u64 = 0x3c80_3c80_3c80_3c80;

/// An autoencoder to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct StreamedSae {
    /// Width of the stream.
    pub d_in: usize,
    /// Latents.
    pub d_sae: usize,
    /// Latents per row.
    pub k: usize,
}

impl StreamedSae {
    /// Bytes of its weight file, without the header.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| bytes_of(shape)).sum()
    }

    fn tensors(&self) -> [(&'static str, Vec<usize>); 4] {
        let Self { d_in, d_sae, .. } = *self;
        [
            ("W_enc", vec![d_in, d_sae]),
            ("W_dec", vec![d_sae, d_in]),
            ("b_enc", vec![d_sae]),
            ("b_dec", vec![d_in]),
        ]
    }

    /// Writes it to `folder` in the `SAELens` 6 layout, bf16.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs_err::create_dir_all(folder)?;
        let mut header = Map::new();
        let mut offset = 0;
        for (name, shape) in self.tensors() {
            let end = offset + bytes_of(&shape);
            header.insert(
                name.to_owned(),
                json!({ "dtype": "BF16", "shape": shape, "data_offsets": [offset, end] }),
            );
            offset = end;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let file = fs_err::File::create(folder.join("sae_weights.safetensors"))?;
        let mut out = BufWriter::with_capacity(BLOCK, file);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let mut rng = stats::seed::rng(0, "benches/streamed-sae");
        let mut block = vec![0; BLOCK];
        let mut left = offset as usize;
        while left > 0 {
            rng.fill_bytes(&mut block);
            for word in block.as_chunks_mut::<8>().0 {
                *word = (u64::from_le_bytes(*word) & DRAWN | EXPONENT).to_le_bytes();
            }
            let some = left.min(BLOCK);
            out.write_all(&block[..some])?;
            left -= some;
        }
        out.flush()?;
        let cfg = json!({
            "d_in": self.d_in, "d_sae": self.d_sae, "dtype": "bfloat16", "device": "cpu", "architecture": "topk", "k": self.k,
            "rescale_acts_by_decoder_norm": false, "apply_b_dec_to_input": true, "normalize_activations": "none",
            "reshape_activations": "none", "metadata": { "sae_lens_version": "6.0.0" },
        });
        // The configuration comes last: a folder with one is complete.
        atomic(&folder.join("cfg.json"), format!("{cfg:#}\n").as_bytes())?;
        Ok(())
    }
}

fn bytes_of(shape: &[usize]) -> u64 {
    shape.iter().product::<usize>() as u64 * 2
}

#[cfg(test)]
mod tests {
    use sae::Sae;

    use super::*;

    #[test]
    fn what_is_streamed_opens() {
        let folder = tempfile::tempdir().unwrap();
        let shape = StreamedSae {
            d_in: 16,
            d_sae: 40,
            k: 3,
        };
        shape.write(folder.path()).unwrap();
        let sae = Sae::open(folder.path()).unwrap();
        assert_eq!((sae.d_in(), sae.d_sae()), (16, 40));
        let weights = sae.weights().w_enc;
        assert!(weights.iter().all(|weight| (0.015..0.032).contains(&weight.abs())));
        assert!(weights.iter().any(|&weight| weight < 0.0) && weights.iter().any(|&weight| weight > 0.0));
    }
}
