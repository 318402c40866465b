//! Names that somebody may have meant.

use std::path::Path;

use super::natural;

/// Most names that an error lists.
const MOST: usize = 8;

/// Up to eight of `names`, closest to `asked` first, equally close ones in natural order.
pub(super) fn closest(asked: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let asked = asked.to_lowercase();
    let mut ranked: Vec<(usize, String)> = names
        .into_iter()
        .map(|name| (distance(&asked, &name.to_lowercase()), name))
        .collect();
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| natural::compare(&a.1, &b.1)));
    ranked.truncate(MOST);
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// Names in a folder, without hidden ones. A folder that cannot be read has none: this serves an error that is already under way.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// Levenshtein distance in characters, with a swap of neighbours as one step.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            next[j] = (row[j - 1] + usize::from(a[i - 1] != b[j - 1]))
                .min(row[j] + 1)
                .min(next[j - 1] + 1)
                .min(if swap { before[j - 2] + 1 } else { usize::MAX });
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("layer", "alyer", 1),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn closest_first_then_natural_order() {
        let names = ["layer_10", "layer_2", "layer_1", "embedding"].map(str::to_owned);
        assert_eq!(
            closest("layr_1", names),
            ["layer_1", "layer_2", "layer_10", "embedding"]
        );
    }

    #[test]
    fn at_most_eight() {
        assert_eq!(closest("x", (0..20).map(|i| i.to_string())).len(), 8);
    }
}
