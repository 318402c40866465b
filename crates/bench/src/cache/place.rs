//! Where a run keeps activations, and whether it is worth it.

use std::path::{Path, PathBuf};

use store::{Activations, Matrix, Source};

use crate::size::Size;

/// Overrides the folder; `none` switches the cache off.
const VARIABLE: &str = "VERNIER_CACHE";

/// A capture of fewer products than this takes about a second on two cores; it is computed again.
const WORTH_KEEPING: f64 = 2e11;

/// Raised when the forward pass gives other numbers.
pub(crate) const ENGINE: u32 = 1;

/// A folder of cached activations and its bound.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    activations: Activations,
    limit: Size,
    /// The user named the folder: then everything is kept.
    named: bool,
}

impl Place {
    /// The folder that was named, or the user's cache folder; nothing where it is switched off or there is no such folder.
    pub(crate) fn new(named: Option<&Path>, limit: Size) -> Option<Self> {
        let dir = match named {
            Some(dir) if dir == Path::new("none") => return None,
            Some(dir) => dir.to_owned(),
            None => default_dir()?,
        };
        Some(Self {
            activations: Activations::open(&dir),
            limit,
            named: named.is_some(),
        })
    }

    /// The vectors of a source: read, or computed and kept. `products`: floating-point operations that computing takes.
    pub(crate) fn vectors(
        &self,
        source: &Source,
        width: usize,
        products: f64,
        compute: impl FnOnce() -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<Vec<f32>> {
        if !self.named && products < WORTH_KEEPING {
            return compute();
        }
        match self.activations.get(source) {
            Ok(Some(matrix)) if matrix.width == width => return Ok(matrix.values),
            Ok(_) => {}
            // A damaged file is replaced; the user should know that the disk or a program does this.
            Err(error) => eprintln!("warning: {error}\n  the vectors are computed again"),
        }
        let matrix = Matrix {
            width,
            values: compute()?,
        };
        // A full disk must not cost the run that has the numbers already.
        if let Err(error) = self.activations.put(source, &matrix, self.limit.0) {
            eprintln!("warning: the activations were not kept: {error}");
        }
        Ok(matrix.values)
    }
}

/// `$VERNIER_CACHE`, else the user's cache folder.
pub(super) fn default_dir() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    match set(VARIABLE) {
        Some(dir) if dir == Path::new("none") => None,
        Some(dir) => Some(dir),
        None => {
            let caches = set("XDG_CACHE_HOME").or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
            Some(caches.join("vernier").join("activations"))
        }
    }
}
