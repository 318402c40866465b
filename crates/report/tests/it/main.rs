//! Tables, figures and sentences from outside. Expected texts are written out: read them before changing them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

/// Bar charts.
mod bars;
/// SVG figures: well-formed, within their bounds, nothing overlaps.
mod figures;
/// Reads figures back: where the texts and marks are.
mod geometry;
/// The sentences about sets of one latent per letter.
mod mediation;
/// Small multiples.
mod panels;
/// Each renderer on one table, on an empty one and on hostile content.
mod renderers;
/// Scatter plots.
mod scatter;
/// The sentences at the end of a run.
mod sentences;
/// Waterfalls.
mod waterfall;
