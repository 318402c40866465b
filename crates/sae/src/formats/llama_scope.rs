//! Llama Scope: `hyperparams.json` and `checkpoints/final.safetensors`, with one threshold for all latents.
//!
//! An earlier layout of the same library as [`super::openmoss`], which describes what is computed. Its threshold is one of
//! the finished weights: it is compared after average norms and decoder norms have gone into them. `SAELens` arrives at the same
//! latents, times the factor of the activations, if decoder rows have unit norm.

use super::source::Source;
use super::{Loaded, openmoss, openmoss_weights};
use crate::{OpenOptions, SaeError};

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let config = source.need("hyperparams.json")?;
    let parsed = openmoss::parse(&config.file, config.map.clone())?;
    openmoss_weights::build(source, options, parsed)
}
