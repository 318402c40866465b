//! Files that appear complete or not at all.
//!
//! An [`AtomicFile`] is written under a temporary name in the folder of its target (a rename across file systems is a copy and
//! not atomic), flushed to the disk and renamed. When it is dropped without [`AtomicFile::commit`] it disappears. A killed
//! process cannot clean up, so temporary names carry a prefix and the process number, and the next process that opens the folder
//! for writing removes what dead ones left behind.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::StoreError;

/// Start of the name of every temporary file made here.
const PREFIX: &str = ".vernier-tmp-";
/// A temporary file that nobody has touched for so long is abandoned, whatever its process number says.
const ABANDONED_AFTER: Duration = Duration::from_hours(6);

/// A file under construction.
#[derive(Debug)]
pub struct AtomicFile {
    temp: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts a file that will be `target`. Its folder must exist.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder does not take new files.
    pub fn create(target: &Path) -> Result<Self, StoreError> {
        let dir = folder_of(target);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        {
            // Temporary files are private by default; a result is as readable as the user's umask says.
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temp = builder
            .tempfile_in(dir)
            .map_err(StoreError::io("create a file in", dir))?;
        Ok(Self {
            temp: BufWriter::with_capacity(1 << 16, temp),
            target: target.to_owned(),
        })
    }

    /// The file it will be.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the file visible under its name, replacing an older one.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the disk is full or the folder went away; nothing is visible then.
    pub fn commit(self) -> Result<(), StoreError> {
        let Self { temp, target } = self;
        let temp = temp
            .into_inner()
            .map_err(|e| StoreError::io("write", &target)(e.into_error()))?;
        temp.as_file().sync_all().map_err(StoreError::io("write", &target))?;
        temp.persist(&target)
            .map_err(|e| StoreError::io("write", &target)(e.error))?;
        sync_folder(folder_of(&target))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.flush()
    }
}

/// Writes `bytes` as the file `target`, complete or not at all.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_atomic(target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(bytes).map_err(StoreError::io("write", target))?;
    file.commit()
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    }
}

/// Makes the renames and removals in `dir` survive a power cut, where the system can.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        let folder = fs_err::File::open(dir).map_err(StoreError::io("open", dir))?;
        folder.sync_all().map_err(StoreError::io("write", dir))?;
    }
    Ok(())
}

/// Removes temporary files of killed processes. To be called with the lock of `dir` held and before any file is begun.
pub(crate) fn remove_abandoned(dir: &Path) -> Result<(), StoreError> {
    for entry in fs_err::read_dir(dir).map_err(StoreError::io("read", dir))? {
        let entry = entry.map_err(StoreError::io("read", dir))?;
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let pid = pid.split('-').next().and_then(|pid| pid.parse::<u32>().ok());
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|t| SystemTime::now().duration_since(t).ok());
        if pid.is_none_or(is_gone) || age.is_some_and(|age| age > ABANDONED_AFTER) {
            // Somebody else may have removed it in between; a file that is still there is harmless.
            let _ = fs_err::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Whether no process writes under this number. Our own number counts as gone: this process has begun no file yet, so the number
/// is that of an earlier process (as in containers, where every main process has number 1).
fn is_gone(pid: u32) -> bool {
    let processes = Path::new("/proc");
    pid == std::process::id() || (processes.join("self").exists() && !processes.join(pid.to_string()).exists())
}
