//! Normalisation of rows before encoding, and what is needed to take it back.

use kernels::math;

use crate::Normalization;

/// How a decoded row returns to the scale of its input: `x = y * scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowNorm {
    /// Factor.
    pub scale: f32,
    /// Offset, the same for all components.
    pub shift: f32,
}

impl Normalization {
    /// Normalises `row` in place and returns the way back; `None` where nothing happens.
    ///
    /// The formulas are those of `SAELens` 6: its layer norm divides by `s + 1e-5` and multiplies back by `s`.
    pub(crate) fn apply(self, row: &mut [f32]) -> Option<RowNorm> {
        let width = row.len() as f32;
        match self {
            Self::None => None,
            Self::ConstantNormRescale => {
                let factor = width.sqrt()
                    / math::simd(
                        #[inline(always)]
                        || math::square_sum(row),
                    )
                    .sqrt();
                for value in row {
                    *value *= factor;
                }
                Some(RowNorm {
                    scale: 1.0 / factor,
                    shift: 0.0,
                })
            }
            Self::ConstantScalarRescale { factor } => {
                for value in row {
                    *value *= factor;
                }
                Some(RowNorm {
                    scale: 1.0 / factor,
                    shift: 0.0,
                })
            }
            Self::LayerNorm => {
                let mean = math::simd(
                    #[inline(always)]
                    || math::sum(row),
                ) / width;
                for value in row.iter_mut() {
                    *value -= mean;
                }
                let deviation = (math::simd(
                    #[inline(always)]
                    || math::square_sum(row),
                ) / (width - 1.0))
                    .sqrt();
                for value in row {
                    *value /= deviation + 1e-5;
                }
                Some(RowNorm {
                    scale: deviation,
                    shift: mean,
                })
            }
        }
    }
}
