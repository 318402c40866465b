//! The order in which people number things: `average_l0_9` before `average_l0_82`.

use std::cmp::Ordering;

/// Compares runs of digits as numbers and everything else as text. Equal only for equal texts.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (l, r) = (leading_digits(left), leading_digits(right));
        let order = if l > 0 && r > 0 {
            let (x, y) = (number(&left[..l]), number(&right[..r]));
            // Without leading zeros the longer number is the larger one, whatever its size.
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            (left, right) = (&left[l..], &right[r..]);
            order
        } else {
            let (mut x, mut y) = (left.chars(), right.chars());
            match (x.next(), y.next()) {
                // `01` and `1` are the same number in different texts.
                (None, None) => return a.cmp(b),
                (x, y) if x != y => return x.cmp(&y),
                _ => (left, right) = (x.as_str(), y.as_str()),
            }
            Ordering::Equal
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn number(digits: &str) -> &str {
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_numbers() {
        let mut names = vec!["l0_82", "l0_9", "l0_137", "l0_009b", "l0", "l0_9a", "l1"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["l0", "l0_9", "l0_9a", "l0_009b", "l0_82", "l0_137", "l1"]);
    }

    proptest! {
        #[test]
        fn it_is_an_order(mut names in prop::collection::vec("[a01_9]{0,6}", 0..8)) {
            names.sort_by(|a, b| compare(a, b));
            for (i, a) in names.iter().enumerate() {
                for b in &names[i..] {
                    prop_assert!(compare(a, b) != Ordering::Greater);
                    prop_assert_eq!(compare(a, b), compare(b, a).reverse());
                    prop_assert_eq!(compare(a, b) == Ordering::Equal, a == b);
                }
            }
        }
    }
}
