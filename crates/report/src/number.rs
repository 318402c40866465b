//! Numbers as text, in one way everywhere.

/// `value` with `digits` decimals; never `-0.00`, and a dash for what is not finite.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| matches!(b, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// `0.81 [0.76, 0.86]`, or the value alone where it has no interval.
pub(crate) fn with_interval(value: f64, lo: Option<f64>, hi: Option<f64>, digits: usize) -> String {
    if lo.is_none() && hi.is_none() {
        return fixed(value, digits);
    }
    let end = |x: Option<f64>| x.map_or_else(|| MISSING.to_owned(), |x| fixed(x, digits));
    format!("{} [{}, {}]", fixed(value, digits), end(lo), end(hi))
}

/// All digits of `value`, for machines. The caller has checked that it is finite.
pub(crate) fn exact(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

/// What stands where no number is.
pub(crate) const MISSING: &str = "\u{2013}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_is_plain() {
        assert_eq!(fixed(0.005, 1), "0.0");
        assert_eq!(fixed(-0.004, 2), "0.00");
        assert_eq!(fixed(-0.006, 2), "-0.01");
        assert_eq!(fixed(1234.0, 0), "1234");
        assert_eq!(fixed(f64::NAN, 2), MISSING);
    }

    #[test]
    fn intervals_may_be_open() {
        assert_eq!(with_interval(0.81, Some(0.76), Some(0.86), 2), "0.81 [0.76, 0.86]");
        assert_eq!(with_interval(0.81, None, None, 2), "0.81");
        assert_eq!(with_interval(0.81, Some(0.76), None, 2), "0.81 [0.76, \u{2013}]");
    }

    #[test]
    fn exact_reads_back() {
        for x in [0.1, 1.0 / 3.0, -2.5e-9, 1e300, 0.0, 12345.678] {
            assert_eq!(exact(x).parse::<f64>(), Ok(x));
        }
        assert_eq!(exact(-2.5e-9), "-2.5e-9");
    }
}
