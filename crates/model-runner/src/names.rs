//! Hook points under their `TransformerLens` names.

use std::fmt;

use crate::error::{ModelError, Result};

/// A place inside a block, or at the end of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The stream entering the block.
    ResidPre,
    /// What attention adds to the stream.
    AttnOut,
    /// The stream between attention and MLP.
    ResidMid,
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
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::ResidPre, "hook_resid_pre", "resid_pre"),
        (Self::AttnOut, "hook_attn_out", "attn_out"),
        (Self::ResidMid, "hook_resid_mid", "resid_mid"),
        (Self::MlpOut, "hook_mlp_out", "mlp_out"),
        (Self::ResidPost, "hook_resid_post", "resid_post"),
    ];
}

impl HookName {
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
            "resid_post",
            "blocks..hook_mlp_out",
            "",
        ] {
            assert!(HookName::parse(bad, 4).is_err(), "{bad}");
        }
    }
}
