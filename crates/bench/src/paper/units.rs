//! Finished measurements on disk, so that a killed call goes on where it was.
//!
//! A unit is one JSON file with the key of everything that its numbers depend on. It is written whole or not at all, and a file
//! whose key differs is measured again. Deliberately absent: rows and records of `bench run`, which are another thing.

use std::path::PathBuf;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::progress::Progress;

/// Raised when a measurement changes what it means.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Unit<T> {
    key: String,
    seconds: f64,
    data: T,
}

/// A measurement and how long it took when it was made.
pub(crate) struct Timed<T> {
    pub(crate) data: T,
    pub(crate) seconds: f64,
}

/// A folder of units.
pub(crate) struct Units<'a> {
    folder: PathBuf,
    rerun: bool,
    progress: &'a Progress,
}

impl<'a> Units<'a> {
    pub(crate) fn new(out: &std::path::Path, rerun: bool, progress: &'a Progress) -> Self {
        Self {
            folder: out.join("units"),
            rerun,
            progress,
        }
    }

    /// The unit `name`, read if it is there with the same `key`, else measured and kept.
    pub(crate) fn get<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        key: &impl Serialize,
        measure: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<Timed<T>> {
        let canonical = store::canonical_json(&(VERSION, name, key))?;
        let key = store::Blake3::of(canonical.as_bytes()).to_string();
        let safe: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-._".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let path = self.folder.join(format!("{safe}.json"));
        if !self.rerun
            && let Ok(bytes) = fs_err::read(&path)
            && let Ok(unit) = serde_json::from_slice::<Unit<T>>(&bytes)
            && unit.key == key
        {
            return Ok(Timed {
                data: unit.data,
                seconds: unit.seconds,
            });
        }
        self.progress.doing(name);
        let begun = Instant::now();
        let data = measure()?;
        let seconds = begun.elapsed().as_secs_f64();
        fs_err::create_dir_all(&self.folder)?;
        let unit = Unit { key, seconds, data };
        store::write_atomic(&path, &serde_json::to_vec(&unit)?)?;
        self.progress.done(&format!("{name}: {seconds:.1} s"));
        Ok(Timed {
            data: unit.data,
            seconds,
        })
    }
}
