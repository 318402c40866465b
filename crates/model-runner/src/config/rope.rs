//! Rotary settings: base, rotated width and the scalings of longer contexts.

use serde_json::Value;

use super::fields::Fields;
use crate::error::Result;

/// One table of rotary frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Dimensions of each head that are rotated, the first ones; even.
    pub dims: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// What changes them.
    pub scaling: Scaling,
}

/// How frequencies are changed for contexts longer than those of the first training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All divided by a factor.
    Linear(f64),
    /// Llama 3.1's: long wavelengths divided by `factor`, short ones kept, a ramp between.
    Llama3 {
        /// Divisor of long wavelengths.
        factor: f64,
        /// Wavelengths above `original / low` are long.
        low: f64,
        /// Wavelengths below `original / high` are short.
        high: f64,
        /// Context of the first training, tokens.
        original: f64,
    },
}

impl Rope {
    /// Angle per position of pair `i`, radians.
    #[must_use]
    pub fn frequency(&self, i: usize) -> f64 {
        let plain = self.theta.powf(-2.0 * i as f64 / self.dims as f64);
        match self.scaling {
            Scaling::None => plain,
            Scaling::Linear(factor) => plain / factor,
            Scaling::Llama3 {
                factor,
                low,
                high,
                original,
            } => {
                let wavelength = std::f64::consts::TAU / plain;
                if wavelength > original / low {
                    plain / factor
                } else if wavelength < original / high {
                    plain
                } else {
                    let ramp = (original / wavelength - low) / (high - low);
                    plain * (ramp + (1.0 - ramp) / factor)
                }
            }
        }
    }
}

/// The rotary settings of a file: `rope_theta` and `rope_scaling`, or the `rope_parameters` object of newer files.
pub(super) fn read(fields: &mut Fields<'_>, dims: usize, default_theta: f64) -> Result<Rope> {
    if let Some(value) = fields.take("rope_parameters").filter(|value| !value.is_null()) {
        fields.ignore("rope_theta", "`rope_parameters` says it");
        fields.ignore("rope_scaling", "`rope_parameters` says it");
        return from_parameters(fields, "rope_parameters", &value, dims, default_theta);
    }
    let theta = fields.optional_number("rope_theta")?.unwrap_or(default_theta);
    let scaling = match fields.take("rope_scaling") {
        None | Some(Value::Null) => Scaling::None,
        Some(value) => scaling(fields, "rope_scaling", &value)?,
    };
    Ok(Rope { dims, theta, scaling })
}

/// One object of `rope_parameters`.
pub(super) fn from_parameters(
    fields: &Fields<'_>,
    field: &str,
    value: &Value,
    dims: usize,
    default_theta: f64,
) -> Result<Rope> {
    let theta = match value.get("rope_theta") {
        None => default_theta,
        Some(theta) => theta
            .as_f64()
            .filter(|theta| theta.is_finite() && *theta > 0.0)
            .ok_or_else(|| fields.error(field, &format!("`rope_theta` is {theta}, expected a positive number")))?,
    };
    Ok(Rope {
        dims,
        theta,
        scaling: scaling(fields, field, value)?,
    })
}

fn scaling(fields: &Fields<'_>, field: &str, value: &Value) -> Result<Scaling> {
    let Some(object) = value.as_object() else {
        return Err(fields.error(field, &format!("expected an object, found {value}")));
    };
    let kind = object
        .get("rope_type")
        .or_else(|| object.get("type"))
        .and_then(Value::as_str)
        .unwrap_or("default");
    let number = |name: &str| {
        object
            .get(name)
            .and_then(Value::as_f64)
            .filter(|n| n.is_finite() && *n > 0.0)
            .ok_or_else(|| fields.error(field, &format!("`{kind}` scaling needs a positive number `{name}`")))
    };
    let (found, known): (_, &[&str]) = match kind {
        "default" => (Scaling::None, &[]),
        "linear" => (Scaling::Linear(number("factor")?), &["factor"]),
        "llama3" => {
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if high <= low {
                return Err(fields.error(field, "`high_freq_factor` must be above `low_freq_factor`"));
            }
            let scaling = Scaling::Llama3 {
                factor: number("factor")?,
                low,
                high,
                original: number("original_max_position_embeddings")?,
            };
            let known = &[
                "factor",
                "low_freq_factor",
                "high_freq_factor",
                "original_max_position_embeddings",
            ];
            (scaling, known)
        }
        _ => {
            let reason = format!("`{kind}` scaling is not implemented; expected `default`, `linear` or `llama3`");
            return Err(fields.error(field, &reason));
        }
    };
    let common = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
    if let Some((name, value)) = object
        .iter()
        .find(|(name, value)| !(value.is_null() || known.contains(&name.as_str()) || common.contains(&name.as_str())))
    {
        let reason = format!("`{name}`: {value} is not implemented for `{kind}` scaling");
        return Err(fields.error(field, &reason));
    }
    Ok(found)
}
