//! Tables, figures and sentences from outside. Expected texts are written out: read them before changing them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

/// SVG figures: well-formed, within their bounds, nothing overlaps.
mod figures;
/// Each renderer on one table, on an empty one and on hostile content.
mod renderers;
/// The sentences at the end of a run.
mod sentences;
