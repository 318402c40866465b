//! `bench train`: the embedded model and its panel of autoencoders.

mod grade;
pub(crate) mod lm;
pub(crate) mod panel;
mod recipe;
mod text;
