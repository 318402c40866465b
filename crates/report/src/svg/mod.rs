//! Figures as self-contained SVG texts.
//!
//! Each kind is a struct of data with `to_svg`: [`Forest`] (arms with their intervals), [`Lines`] (a curve over k or layers),
//! [`Scatter`] (autoencoders as points over L0 or layers), [`Panels`] (one small plot for each letter), [`Bars`] (signed effects),
//! [`Waterfall`] (a gap cause by cause) and [`Heatmap`] (letters by SAEs, layers by tokens).
//!
//! Numbers that are not finite are left out and counted in the note; a figure without any says `no data` and why. Long words are
//! wrapped or cut, and legends stand below the plot, never on it.
//!
//! The files use no ids, styles, scripts or external fonts, so that several fit into one page. Colours are those of Okabe and Ito,
//! which people with any common colour vision tell apart, and no meaning rests on colour alone: series also differ in their
//! marks. The background is painted, since a dark page would swallow black text. Widths of texts are estimates on the wide
//! side, because a renderer's fonts are not known; there is no interaction and no animation.

mod axis;
mod bars;
mod canvas;
mod colour_bar;
mod forest;
mod frame;
mod heatmap;
mod kept;
mod labels;
mod legend;
mod lines;
mod marked;
mod palette;
mod panels;
mod scatter;
mod swarm;
mod text;
mod waterfall;

pub use bars::{Bar, BarRow, Bars};
pub use forest::{Forest, ForestRow};
pub use heatmap::Heatmap;
pub use lines::{Lines, LinesScale, Point, Series, Spread, Tick};
pub use marked::{Band, Reference};
pub use panels::{Panel, Panels};
pub use scatter::{ColourBy, Dot, Group, Scatter};
pub use text::visible;
pub use waterfall::{Step, Waterfall};
