//! The cache of activations as a user meets it: a second run reads it, results stay, damage is said and mended.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

const SAE: &str = "datasets/embedded/saes/topk-1024-k4";

fn bench(args: &[&str]) -> Output {
    Command::cargo_bin("bench")
        .unwrap()
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs with the cache and returns the fingerprints of the results and what was said.
fn run(out: &Path, cache: &Path) -> (Vec<String>, String) {
    let (out_text, cache) = (out.to_str().unwrap(), cache.to_str().unwrap());
    let output = bench(&[
        "run",
        "--sae",
        SAE,
        "--limit",
        "2",
        "--out",
        out_text,
        "--cache",
        cache,
        "--progress",
        "none",
        "--rerun",
    ]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    let mut prints: Vec<String> = store::Store::open(out)
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.record.unwrap().results_blake3.to_string())
        .collect();
    prints.sort();
    (prints, err)
}

#[test]
fn a_second_run_reads_what_the_first_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("runs"), folder.path().join("cache"));
    let (first, _) = run(&out, &cache);
    let cache_text = cache.to_str().unwrap();
    let listed = bench(&["cache", "ls", "--cache", cache_text]);
    assert_eq!(listed.status.code(), Some(0));
    let listed = text(&listed.stdout);
    assert!(
        listed.contains("2 files") && listed.contains("blocks.1.hook_resid_post"),
        "{listed}"
    );
    let (second, said) = run(&out, &cache);
    assert_eq!(first, second);
    assert!(!said.contains("computed again"), "{said}");

    // One flipped bit in the numbers.
    let file = fs_err::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs_err::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&file, &bytes).unwrap();
    let checked = bench(&["cache", "verify", "--cache", cache_text]);
    assert_eq!(checked.status.code(), Some(5));
    assert!(text(&checked.stderr).contains("changed after it was written"));
    let (third, said) = run(&out, &cache);
    assert_eq!(first, third);
    assert!(said.contains("computed again"), "{said}");
    let checked = bench(&["cache", "verify", "--cache", cache_text]);
    assert_eq!(checked.status.code(), Some(0), "the damaged file was replaced");

    let removed = bench(&["cache", "gc", "--keep", "0", "--cache", cache_text]);
    assert_eq!(removed.status.code(), Some(0));
    assert_eq!(fs_err::read_dir(&cache).unwrap().count(), 0);
    let wrong = bench(&["cache", "gc", "--keep", "lots", "--cache", cache_text]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn what_takes_a_moment_is_not_kept_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("runs"), folder.path().join("cache"));
    let output = Command::cargo_bin("bench")
        .unwrap()
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("VERNIER_CACHE", &cache)
        .args(["run", "--sae", SAE, "--limit", "2", "--progress", "none", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!cache.exists());
}
