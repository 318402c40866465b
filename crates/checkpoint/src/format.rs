//! Which container a file is, told from its first bytes.
//!
//! Extensions are not looked at: `.bin` and `.pt` name several formats, and a mirror may drop them.

use std::fmt;

/// How a weight file stores its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WeightFormat {
    /// A JSON header and the tensors behind it.
    Safetensors,
    /// A zip archive of `.npy` members, as `numpy.savez` writes it.
    Npz,
    /// One array, as `numpy.save` writes it.
    Npy,
    /// A zip archive with a pickle and one member per storage, as `torch.save` writes it since `PyTorch` 1.6.
    Torch,
}

impl WeightFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Safetensors, Self::Npz, Self::Npy, Self::Torch];

    /// The lower-case name, as in `safetensors`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Npz => "npz",
            Self::Npy => "npy",
            Self::Torch => "torch",
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// A zip archive: [`WeightFormat::Npz`] or [`WeightFormat::Torch`], which its members tell.
    Zip,
    /// [`WeightFormat::Npy`].
    Npy,
    /// What `torch.save` wrote before `PyTorch` 1.6: several pickles in a row.
    LegacyTorch,
    /// A pickle of something else.
    Pickle,
    /// None of the others, so safetensors or not a weight file.
    Other,
}

/// First bytes of an array file.
pub(crate) const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// First pickle of a legacy file: protocol 2, a 10-byte integer, stop.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

impl Container {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // A safetensors header of 67,324,752 bytes has a length field that reads `PK\x03\x04` too; a brace and not a zip
        // compression method follows it.
        let safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
        if (bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")) && !safetensors {
            Self::Zip
        } else if bytes.starts_with(NPY_MAGIC) {
            Self::Npy
        } else if bytes.starts_with(LEGACY_MAGIC) {
            Self::LegacyTorch
        } else if matches!(bytes, [0x80, 2..=5, next, ..] if *next != 0) && !safetensors {
            Self::Pickle
        } else {
            Self::Other
        }
    }
}
