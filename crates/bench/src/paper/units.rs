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
const VERSION: u32 = 3;

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

    /// The unit `name`, if it is there with the same `key`.
    pub(crate) fn find<T: DeserializeOwned>(&self, name: &str, key: &impl Serialize) -> anyhow::Result<Option<T>> {
        let (path, key) = self.place(name, key)?;
        Ok(self.read(&path, &key).map(|timed: Timed<T>| timed.data))
    }

    /// Its file, and its key as it is stored.
    fn place(&self, name: &str, key: &impl Serialize) -> anyhow::Result<(PathBuf, String)> {
        let canonical = store::canonical_json(&(VERSION, name, key))?;
        let keep = |c: char| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c
            } else {
                '_'
            }
        };
        let safe: String = name.chars().map(keep).collect();
        Ok((
            self.folder.join(format!("{safe}.json")),
            store::Blake3::of(canonical.as_bytes()).to_string(),
        ))
    }

    /// `None` if it is not there, is damaged, belongs to other settings, or is to be measured again.
    fn read<T: DeserializeOwned>(&self, path: &std::path::Path, key: &str) -> Option<Timed<T>> {
        if self.rerun {
            return None;
        }
        let unit: Unit<T> = serde_json::from_slice(&fs_err::read(path).ok()?).ok()?;
        (unit.key == key).then_some(Timed {
            data: unit.data,
            seconds: unit.seconds,
        })
    }

    /// The unit `name`, read if it is there with the same `key`, else measured and kept.
    pub(crate) fn get<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        key: &impl Serialize,
        measure: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<Timed<T>> {
        let (path, key) = self.place(name, key)?;
        if let Some(found) = self.read(&path, &key) {
            return Ok(found);
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
