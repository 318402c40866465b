//! `bench validate` as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("validate")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Items, checks and verdicts of the table.
fn rows(output: &Output) -> Vec<[String; 3]> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (item, check, verdict) = (at("item"), at("check"), at("verdict"));
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            [item, check, verdict].map(|at| record[at].to_owned())
        })
        .collect()
}

#[test]
fn named_items_run_and_nothing_else() {
    let output = bench(&["hedging", "delta", "--small", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let rows = rows(&output);
    assert!(
        rows.iter()
            .all(|[item, _, verdict]| { (item == "delta" || item == "hedging") && verdict == "pass" })
    );
    assert_eq!(rows.iter().filter(|[item, ..]| item == "hedging").count(), 6);
    assert!(rows.iter().filter(|[item, ..]| item == "delta").count() > 20);
}

#[test]
fn a_planted_transformer_is_opened_and_measured() {
    let output = bench(&["transformer", "--small", "--seed", "3", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let rows = rows(&output);
    assert_eq!(
        rows.iter()
            .filter(|[_, check, _]| check.starts_with("site share"))
            .count(),
        9
    );
}

#[test]
fn a_miss_is_named_and_gives_exit_code_10() {
    let output = bench(&["hedging", "--small", "--broken", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(10), "{}", err(&output));
    assert!(err(&output).contains("MISS: broken") && err(&output).contains("6 of 7 checks"));
    let rows = rows(&output);
    assert_eq!(rows.iter().filter(|[.., verdict]| verdict == "MISS").count(), 1);
}

#[test]
fn items_are_listed_and_unknown_ones_are_refused() {
    let output = bench(&["--list", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    for item in [
        "delta",
        "defects",
        "causes",
        "hedging",
        "toys",
        "hierarchy",
        "invariances",
        "transformer",
        "coverage",
        "size",
    ] {
        assert!(text.contains(item), "{item}");
    }
    let output = bench(&["nothing"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("`nothing` is no item") && err(&output).contains("delta"));
}
