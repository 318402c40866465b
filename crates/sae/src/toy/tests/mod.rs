//! What callers cannot see: steps against naive sums and finite differences, selection, sampling.

mod data;
mod delta;
mod naive;
mod select;
mod step;
