//! Hook points under their `TransformerLens` names.
//!
//! Names with two meanings are left out: `ln2.hook_normalized` is the stream before or after the norm's weight, depending on
//! whether that library folded the weight away. The MLP's input is `mlp.hook_in` here, as in that library's newer bridge.

use std::fmt;

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};

/// A place inside a block, or at the end of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The stream entering the block.
    ResidPre,
    /// The heads' mixtures of values before the output projection, `[heads * head_dim]`.
    Z,
    /// What attention computes, before a norm that some families put after it.
    AttnRaw,
    /// What attention adds to the stream.
    AttnOut,
    /// The stream between attention and MLP.
    ResidMid,
    /// What the MLP reads: the normalised stream, weights of the norm included.
    MlpIn,
    /// The MLP's neurons after the nonlinearity (and the gate), `[intermediate]`.
    MlpPost,
    /// What the MLP computes, before a norm that some families put after it.
    MlpRaw,
    /// What the MLP adds to the stream.
    MlpOut,
    /// The stream leaving the block.
    ResidPost,
}

/// A hook point: a [`Point`] of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookName {
    /// Block index from 0.
    pub layer: usize,
    /// The place inside it.
    pub point: Point,
}

impl Point {
    const ALL: [(Self, &'static str, &'static str); 10] = [
        (Self::ResidPre, "hook_resid_pre", "resid_pre"),
        (Self::Z, "attn.hook_z", "z"),
        (Self::AttnRaw, "attn.hook_out", "attn_raw"),
        (Self::AttnOut, "hook_attn_out", "attn_out"),
        (Self::ResidMid, "hook_resid_mid", "resid_mid"),
        (Self::MlpIn, "mlp.hook_in", "mlp_in"),
        (Self::MlpPost, "mlp.hook_post", "mlp_post"),
        (Self::MlpRaw, "mlp.hook_out", "mlp_raw"),
        (Self::MlpOut, "hook_mlp_out", "mlp_out"),
        (Self::ResidPost, "hook_resid_post", "resid_post"),
    ];

    /// Every point, in the order of computation.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(point, ..)| point)
    }

    /// The name after `blocks.N.`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(p, ..)| *p == self)
            .map_or("", |(_, long, _)| long)
    }

    /// Numbers per position.
    #[must_use]
    pub fn width(self, config: &ModelConfig) -> usize {
        match self {
            Self::Z => config.heads * config.head_dim,
            Self::MlpPost => config.intermediate_size,
            _ => config.hidden_size,
        }
    }

    /// Whether models of this architecture have it.
    #[must_use]
    pub fn exists(self, config: &ModelConfig) -> bool {
        match self {
            Self::AttnRaw | Self::MlpRaw => config.post_norms,
            Self::ResidMid => !config.parallel,
            _ => true,
        }
    }
}

impl HookName {
    /// The short form, `resid_post.12`.
    #[must_use]
    pub fn short(&self) -> String {
        let name = Point::ALL
            .iter()
            .find(|(p, ..)| *p == self.point)
            .map_or("", |(.., short)| short);
        format!("{name}.{}", self.layer)
    }

    /// The stream leaving a block.
    #[must_use]
    pub fn resid_post(layer: usize) -> Self {
        Self {
            layer,
            point: Point::ResidPost,
        }
    }

    /// Reads `blocks.12.hook_resid_post`, or the short form `resid_post.12`.
    ///
    /// # Errors
    /// The name is no hook point, or its layer does not exist.
    pub fn parse(name: &str, layers: usize) -> Result<Self> {
        let unknown = || ModelError::UnknownHook {
            name: name.to_owned(),
            layers,
        };
        let (layer, point) = if let Some(rest) = name.strip_prefix("blocks.") {
            rest.split_once('.').ok_or_else(unknown)?
        } else {
            let (point, layer) = name.rsplit_once('.').ok_or_else(unknown)?;
            (layer, point)
        };
        let layer = layer
            .parse::<usize>()
            .ok()
            .filter(|&l| l < layers)
            .ok_or_else(unknown)?;
        let found = Point::ALL
            .iter()
            .find(|(_, long, short)| point == *long || point == *short);
        let &(point, ..) = found.ok_or_else(unknown)?;
        Ok(Self { layer, point })
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Point::ALL
            .iter()
            .find(|(p, ..)| *p == self.point)
            .map_or("", |(_, long, _)| long);
        write!(f, "blocks.{}.{name}", self.layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_nothing_else_parses() {
        for (point, ..) in Point::ALL {
            let hook = HookName { layer: 3, point };
            assert_eq!(HookName::parse(&hook.to_string(), 4).unwrap(), hook);
        }
        assert_eq!(HookName::parse("resid_post.2", 4).unwrap(), HookName::resid_post(2));
        for bad in [
            "blocks.4.hook_resid_post",
            "blocks.1.hook_z",
            "blocks.1.ln2.hook_normalized",
            "resid_post",
            "blocks..hook_mlp_out",
            "",
        ] {
            assert!(HookName::parse(bad, 4).is_err(), "{bad}");
        }
    }
}
