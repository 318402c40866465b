//! Words and dictionary text from installed packages; nothing of them is shipped.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

/// Debian's `wamerican`.
const WORDS: &str = "/usr/share/dict/words";
/// Debian's `wordnet-base`.
const WORDNET: &str = "/usr/share/wordnet";

fn read(path: &Path) -> anyhow::Result<String> {
    fs_err::read_to_string(path).with_context(|| {
        format!(
            "`{}` is not there\nhint: apt-get install wamerican wordnet-base",
            path.display()
        )
    })
}

/// Dictionary lines ` word: gloss` of ASCII text, in file order.
pub(crate) fn glosses() -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for part in ["noun", "verb", "adj", "adv"] {
        let text = read(&Path::new(WORDNET).join(format!("data.{part}")))?;
        for line in text.lines().filter(|line| !line.starts_with("  ")) {
            let Some((head, gloss)) = line.split_once(" | ") else {
                continue;
            };
            let Some(word) = head.split(' ').nth(4) else { continue };
            let word = word.replace('_', " ");
            let gloss = gloss.split(';').next().unwrap_or_default().trim();
            let plain = word.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
            if plain && gloss.is_ascii() && !gloss.contains('"') {
                lines.push(format!(" {word}: {gloss}"));
            }
        }
    }
    anyhow::ensure!(!lines.is_empty(), "`{WORDNET}` holds no glosses");
    Ok(lines)
}

/// How often each word (with its leading space) occurs in the glosses and the word list.
pub(crate) fn word_counts(glosses: &[String]) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let listed = read(Path::new(WORDS))?;
    let running = glosses
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphabetic()));
    for word in running.chain(listed.lines()) {
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()) {
            *counts.entry(format!(" {word}")).or_default() += 1;
        }
    }
    Ok(counts)
}
