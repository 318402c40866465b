//! One writer at a time.
//!
//! The lock is the operating system's, on an open file: it goes away with the process, however that ends, and there is nothing
//! to clean up. The file stays, because removing it would let two processes lock two files of the same name. Its text says who
//! holds it and is only for messages.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::error::StoreError;
use crate::time::rfc3339;

const FILE_NAME: &str = ".vernier.lock";
const POLL: Duration = Duration::from_millis(100);

/// The right to write to a folder, until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: fs_err::File,
}

impl Lock {
    /// Locks `dir`, waiting up to `wait` for another process to finish.
    pub(crate) fn acquire(dir: &Path, wait: Duration) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let mut file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked {
                        dir: dir.to_owned(),
                        holder: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(StoreError::io("lock", &path)(source));
                }
            }
        }
        let text = format!("process {} since {}\n", std::process::id(), rfc3339(SystemTime::now()));
        let signed = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        signed.map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock, as it signed; some systems do not let a locked file be read.
fn holder(file: &mut fs_err::File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), text) if !text.is_empty() => text.to_owned(),
        _ => "another process".to_owned(),
    }
}
