//! Formats and what they compute: against values of the libraries themselves where there are such values, against naive sums in f64
//! where files had to be made up, and what is refused.

mod behaviour;
mod files;
mod formula;
mod golden;
mod made_up;
mod mapped;
mod mutations;
mod naive;
mod refusals;
mod sae_lens;
mod torch;
