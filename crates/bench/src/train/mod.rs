//! `bench train`: the embedded model and its panel of autoencoders.

mod grade;
pub(crate) mod lm;
mod recipe;
mod text;
