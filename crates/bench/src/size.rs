//! Sizes in bytes, as a person writes and reads them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a size, such as 8GiB, 500MB or 1.5 GiB");
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
            .unwrap_or((text, 1));
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let bytes = number * unit as f64;
        if bytes.is_finite() && (0.0..1.8e19).contains(&bytes) {
            Ok(Self(bytes as u64))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS[..4].iter().rev().find(|(_, unit)| self.0 >= *unit) {
            Some((name, unit)) => write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let read = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(read("8GiB"), Ok(8 << 30));
        assert_eq!(read("1.5 GiB"), Ok(3 << 29));
        assert_eq!(read("500MB"), Ok(500_000_000));
        assert_eq!(read("12"), Ok(12));
        for wrong in ["", "GiB", "-1GiB", "8 gigs", "1e30GiB", "nan"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Size(3 << 29).to_string(), "1.5 GiB");
        assert_eq!(Size(12).to_string(), "12 B");
    }
}
