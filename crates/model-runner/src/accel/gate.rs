//! How many chunks are on the device at a time.
//!
//! As many threads as there are cores hand chunks over, and each chunk's arrays stay in the device's memory until it is done.

use std::sync::{Condvar, Mutex, PoisonError};

/// A counter of free places.
pub(super) struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place, until it is dropped.
pub(super) struct Turn<'a>(&'a Gate);

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self {
            free: Mutex::new(places),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub(super) fn enter(&self) -> Turn<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
