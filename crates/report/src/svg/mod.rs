//! Figures as self-contained SVG texts.
//!
//! Three kinds cover what the benchmark shows: [`Forest`] (arms with their intervals), [`Lines`] (a curve over k or layers) and
//! [`Heatmap`] (letters by SAEs). Each is a struct of data with `to_svg`.
//!
//! The files use no ids, styles, scripts or external fonts, so that several fit into one page. Colours are those of Okabe and Ito,
//! which people with any common colour vision tell apart, and no meaning rests on colour alone: series also differ in their
//! marks. The background is painted, since a dark page would swallow black text. Widths of texts are estimates on the wide
//! side, because a renderer's fonts are not known; there is no interaction and no animation.

mod axis;
mod canvas;
mod forest;
mod heatmap;
mod legend;
mod lines;
mod palette;
mod text;

pub use forest::{Forest, ForestRow, Reference};
pub use heatmap::Heatmap;
pub use lines::{Lines, LinesScale, Point, Series, Spread, Tick};
