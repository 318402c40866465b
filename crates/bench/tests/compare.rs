//! `bench compare` and `bench leaderboard` on the committed records of the embedded model.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use store::{Draft, Record, Store, Warning, Writer};

const TOPK: &str = "topk-1024-k4";
const BATCH: &str = "batchtopk-512-k4-s0";
const HEADLINE: &str = "sae:k=1:probe";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn bench(args: &[&str]) -> Output {
    Command::cargo_bin("bench")
        .unwrap()
        .current_dir(root())
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The committed record of an SAE, or of the directions; as the command line takes it.
fn committed(id: &str) -> String {
    let entries = Store::open(&root().join("results/embedded")).list().unwrap();
    let found = entries.into_iter().find(|entry| {
        let sae = entry.record.as_ref().unwrap().spec.sae.as_ref();
        sae.map_or("directions", |sae| sae.id.as_str()) == id
    });
    found.unwrap().path.to_str().unwrap().to_owned()
}

fn read(path: &str) -> Record {
    Store::read_record(Path::new(path)).unwrap()
}

/// A copy of a record with changes, in `dir`.
fn altered(dir: &Path, id: &str, change: impl Fn(&mut Draft)) -> String {
    let record = read(&committed(id));
    let mut draft = Draft {
        status: record.status,
        error: record.error,
        warnings: record.warnings,
        spec: record.spec,
        env: record.env,
        timing: record.timing,
        summary: record.summary,
        letters: record.letters,
        tables: record.tables,
    };
    change(&mut draft);
    let key = draft.spec.key().unwrap();
    let writer = Writer::open(dir, Duration::from_secs(1)).unwrap();
    writer.put(draft, None).unwrap();
    let entries = writer.store().list().unwrap();
    let made = entries.into_iter().find(|e| e.record.as_ref().unwrap().key == key);
    made.unwrap().path.to_str().unwrap().to_owned()
}

/// Rows of the table whose title begins so, from `--format json`.
#[track_caller]
fn rows(args: &[&str], code: i32, title: &str) -> Vec<Value> {
    let mut args = args.to_vec();
    args.extend(["--format", "json"]);
    let output = bench(&args);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tables = all["tables"].as_array().unwrap();
    let table = tables.iter().find(|t| t["title"].as_str().unwrap().starts_with(title));
    table.unwrap()["rows"].as_array().unwrap().clone()
}

#[track_caller]
fn refused(args: &[&str], code: i32, names: &[&str]) {
    let output = bench(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for name in names {
        assert!(message.contains(name), "`{name}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert!(output.stdout.is_empty(), "stdout of a refused call");
}

fn by_letter(record: &Record, arm: &str, metric: &str) -> BTreeMap<char, f64> {
    let rows = record.letters.iter().filter(|row| row.arm == arm);
    rows.filter_map(|row| Some((row.letter, row.values.get(metric)?.value)))
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn a_record_against_itself() {
    let (file, folder) = (committed(TOPK), "results/embedded");
    for (args, least) in [([file.as_str(), file.as_str()], 8), ([folder, folder], 13 * 7)] {
        let call = ["compare", args[0], args[1], "--tolerance", "0"];
        let rows = rows(&call, 0, "Paired differences");
        assert!(rows.len() >= least, "{}", rows.len());
        for row in rows {
            assert_eq!(row["difference"]["value"], 0.0, "{row}");
            assert_eq!(row["p"], 1.0, "{row}");
        }
        let output = text(&bench(&call).stdout);
        assert!(output.contains("No field of the specification or of the environment differs"));
        assert!(output.contains("the same M* in every one of 25 letters"), "{output}");
    }
}

#[test]
fn differences_are_those_of_the_letters() {
    let (a, b) = (committed(TOPK), committed(BATCH));
    let (x, y) = (read(&a), read(&b));
    for arm in [HEADLINE, "sae:k=4"] {
        let rows = rows(&["compare", &a, &b, "--arm", arm], 0, "Paired differences");
        for (metric, rows_of) in [
            ("m_star", arm),
            ("o_mean", arm),
            ("ms_patch", arm),
            ("absorbed", "latent"),
        ] {
            let row = rows.iter().find(|row| row["metric"] == metric).unwrap();
            let (x, y) = (by_letter(&x, rows_of, metric), by_letter(&y, rows_of, metric));
            let common = || x.keys().filter(|letter| y.contains_key(letter));
            let expected = mean(common().map(|l| y[l])) - mean(common().map(|l| x[l]));
            let found = row["difference"]["value"].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-12 && found != 0.0,
                "{metric}: {found} {expected}"
            );
            assert_eq!(row["letters"].as_u64().unwrap() as usize, common().count());
            let (lo, hi) = (&row["difference"]["lo"], &row["difference"]["hi"]);
            assert!(lo.as_f64().unwrap() < found && found < hi.as_f64().unwrap());
            let (p, q) = (row["p"].as_f64().unwrap(), row["q"].as_f64().unwrap());
            assert!(p > 0.0 && p <= q && q <= 1.0, "{p} {q}");
        }
    }
}

#[test]
fn provenance_names_what_differs_and_nothing_else() {
    let fields: Vec<Value> = rows(&["compare", &committed(TOPK), &committed(BATCH)], 0, "What differs")
        .into_iter()
        .map(|row| row["field"].clone())
        .collect();
    assert_eq!(
        fields,
        ["architecture", "hash", "id", "width"].map(|f| format!("spec.sae.{f}"))
    );

    let dir = tempfile::tempdir().unwrap();
    let other = altered(dir.path(), TOPK, |draft| {
        draft.spec.seed = 7;
        draft.spec.settings.insert("examples".to_owned(), 5.into());
        draft.spec.letters.remove(&'q');
        draft.letters.retain(|row| row.letter != 'q');
        draft.env.tool_version = "9.9.9".to_owned();
    });
    let output = text(&bench(&["compare", &committed(TOPK), &other]).stdout);
    for part in [
        "spec.seed",
        "spec.settings.examples",
        "only here: q",
        "env.tool_version",
        "9.9.9",
    ] {
        assert!(output.contains(part), "`{part}` is not in: {output}");
    }
    assert!(output.contains("only the common ones are compared"), "{output}");
    let rows = rows(&["compare", &committed(TOPK), &other], 0, "Paired differences");
    assert_eq!(rows[0]["letters"], 24);
}

#[test]
fn verdicts_say_what_the_interval_allows() {
    let verdict = |a: &str, b: &str| {
        let rows = rows(&["compare", a, b], 0, "Verdict");
        rows[0]["verdict"].as_str().unwrap().to_owned()
    };
    let far = verdict(&committed(TOPK), &committed(BATCH));
    assert!(
        far.starts_with(&format!("{BATCH} is higher (better) than {TOPK} in M* by 0.1")),
        "{far}"
    );
    let back = verdict(&committed(BATCH), &committed(TOPK));
    assert!(
        back.starts_with(&format!("{TOPK} is lower (worse) than {BATCH} in M* by 0.1")),
        "{back}"
    );
    let near = verdict(&committed(BATCH), &committed("batchtopk-512-k4-s1"));
    assert!(
        near.contains("not distinguishable in M*") && near.contains("covers 0"),
        "{near}"
    );
    assert!(!near.contains("equal") && !near.contains("the same"), "{near}");
    let gap = verdict(&committed("directions"), &committed(TOPK));
    assert!(
        gap.starts_with(&format!("{TOPK} is lower (worse) than leace-1 in M*")),
        "{gap}"
    );

    let dir = tempfile::tempdir().unwrap();
    let gated = altered(dir.path(), BATCH, |draft| {
        draft.warnings.push(Warning::ModelFailsTask {
            accuracy: 0.1,
            needed: 0.5,
        });
    });
    let none = verdict(&committed(TOPK), &gated);
    assert!(none.starts_with("No verdict") && none.contains("0.100"), "{none}");
    let few = altered(dir.path(), TOPK, |draft| draft.letters.retain(|row| row.letter < 'c'));
    let none = verdict(&few, &committed(BATCH));
    assert!(none.starts_with("No verdict on M*: 2 common letters"), "{none}");
}

#[test]
fn beyond_the_tolerance() {
    let (a, b) = (committed(TOPK), committed(BATCH));
    let output = bench(&["compare", &a, &b, "--tolerance", "0.001"]);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("beyond the tolerance of 0.001: m_star"));
    assert!(text(&output.stdout).contains("Paired differences"));
    let one = ["compare", &a, &b, "--metric", "o_mean", "--tolerance", "0.01"];
    assert_eq!(bench(&one).status.code(), Some(0));
    // A check passes only if it saw every record of the reference.
    let dir = tempfile::tempdir().unwrap();
    altered(dir.path(), TOPK, |_| ());
    let new = dir.path().to_str().unwrap();
    let output = bench(&["compare", "results/embedded", new, "--tolerance", "0"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("has no partner"));
    let fewer = altered(dir.path(), BATCH, |draft| draft.letters.retain(|row| row.letter != 'q'));
    let output = bench(&["compare", &b, &fewer, "--metric", "ms", "--tolerance", "1"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(
        text(&output.stderr).contains("not checked: 1 letters of ms"),
        "{}",
        text(&output.stderr)
    );
    std::fs::remove_file(fewer).unwrap();
    assert_eq!(
        bench(&["compare", new, "results/embedded", "--tolerance", "0"])
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn what_cannot_be_compared() {
    let dir = tempfile::tempdir().unwrap();
    let a = committed(TOPK);
    let newer = altered(dir.path(), TOPK, |draft| draft.spec.metric_version = 2);
    refused(
        &["compare", &a, &newer],
        3,
        &["metric_version", "`1`", "`2`", &a, &newer],
    );
    let task = altered(dir.path(), TOPK, |draft| "length".clone_into(&mut draft.spec.task));
    refused(&["compare", &a, &task], 3, &["field `task`", "first-letter", "length"]);
    let failed = altered(dir.path(), BATCH, |draft| {
        draft.status = store::Status::Failed;
        draft.error = Some("out of luck".to_owned());
    });
    refused(&["compare", &a, &failed], 3, &["failed", "out of luck"]);
    let rows = a.replace(".json", ".rows.csv.zst");
    refused(&["compare", &a, &rows], 3, &[".rows.csv.zst", "record"]);
    refused(&["compare", &a, "no/such.json"], 3, &["no/such.json"]);
    refused(&["compare", &a, "no/such/folder"], 3, &["no/such/folder"]);
    refused(&["compare", "results/embedded", "crates"], 4, &["crates"]);
    let other = tempfile::tempdir().unwrap();
    altered(other.path(), BATCH, |_| ());
    refused(&["compare", &a, other.path().to_str().unwrap()], 4, &["same SAE"]);
}

#[test]
fn usage_errors() {
    let a = committed(TOPK);
    refused(&["compare", &a], 2, &["2 values"]);
    refused(&["compare", &a, &a, "--metric", "ms,beauty"], 2, &["beauty", "m_star"]);
    refused(&["compare", &a, &a, "--arm", "sae:k=5"], 2, &["sae:k=5", "sae:k=4"]);
    refused(&["compare", &a, &a, "--tolerance", "-1"], 2, &["--tolerance"]);
    refused(&["compare", &a, &a, "--metric", "auc"], 3, &["auc"]);
    let folder = "results/embedded";
    refused(&["leaderboard", folder, "--sort", "beauty"], 2, &["beauty", "m_star"]);
    refused(
        &["leaderboard", folder, "--filter", "colour=red"],
        2,
        &["colour", "architecture"],
    );
    refused(&["leaderboard", folder, "--filter", "topk"], 2, &["FIELD=VALUE"]);
    refused(&["leaderboard", folder, "--limit", "0"], 2, &["--limit"]);
    refused(&["leaderboard", "no/such/folder"], 3, &["no/such/folder"]);
    refused(&["leaderboard", "crates"], 4, &["crates"]);
    refused(&["leaderboard", folder, "--filter", "id=none*"], 4, &["--filter", "12"]);
}

#[test]
fn the_figure_shows_every_metric() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("difference.svg");
    let (a, b) = (committed(TOPK), committed(BATCH));
    let output = bench(&["compare", &a, &b, "--figure", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let svg = std::fs::read_to_string(&file).unwrap();
    for part in [
        "<svg",
        "M* ↑",
        "O max ↓",
        "full absorption ↓",
        "no difference",
        HEADLINE,
    ] {
        assert!(svg.contains(part), "`{part}` is not in the figure");
    }
    let nowhere = dir.path().join("no/folder/x.svg");
    refused(
        &["compare", &a, &b, "--figure", nowhere.to_str().unwrap()],
        3,
        &["x.svg"],
    );
}

fn column(rows: &[Value], name: &str) -> Vec<f64> {
    let value = |row: &Value| row[name]["value"].as_f64().or(row[name].as_f64()).unwrap();
    rows.iter().map(value).collect()
}

#[test]
fn leaderboards_are_sorted_and_filtered() {
    let folder = "results/embedded";
    let all = rows(&["leaderboard", folder], 0, "SAEs");
    assert_eq!(all.len(), 12);
    let m_star = column(&all, "M* probe");
    assert!(m_star.is_sorted_by(|a, b| a >= b), "{m_star:?}");
    let row = all.iter().find(|row| row["SAE"] == TOPK).unwrap();
    let record = read(&committed(TOPK));
    assert_eq!(row["M* probe"]["value"], record.summary["sae:k=1:probe/m_star"].value);
    assert_eq!(
        row["M* probe"]["hi"],
        record.summary["sae:k=1:probe/m_star"].hi.unwrap()
    );
    assert_eq!((&row["width"], &row["key"]), (&1024.into(), &record.key.short().into()));

    let absorbed = column(
        &rows(&["leaderboard", folder, "--sort", "absorbed"], 0, "SAEs"),
        "absorbed",
    );
    assert!(absorbed.is_sorted(), "{absorbed:?}");
    let matched = column(
        &rows(&["leaderboard", folder, "--sort", "k_to_match"], 0, "SAEs"),
        "matched",
    );
    assert!(matched.is_sorted_by(|a, b| a >= b), "{matched:?}");

    let names = |more: &[&str]| -> Vec<String> {
        let args = [&["leaderboard", folder, "--sort", "width"], more].concat();
        let rows = rows(&args, 0, "SAEs");
        rows.iter().map(|row| row["SAE"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names(&["--filter", "architecture=topk"]),
        ["topk-1024-k16", "topk-1024-k4"]
    );
    assert_eq!(
        names(&["--filter", "architecture=topk", "--filter", "id=*-k4"]),
        ["topk-1024-k4"]
    );
    assert_eq!(names(&["--filter", "id=standard*", "--filter", "id=jump*-1"]).len(), 3);
    assert_eq!(
        names(&[
            "--filter",
            "model=embedded",
            "--filter",
            "hook=blocks.1.*",
            "--limit",
            "2"
        ])
        .len(),
        2
    );
}

#[test]
fn differences_that_redrawing_makes_are_not_distinguishable() {
    let folder = "results/embedded";
    let file: Value =
        serde_json::from_slice(&std::fs::read(root().join("results/reliability/reliability.json")).unwrap()).unwrap();
    let mdd = file["sources"]["joint"]["latent/f1"]["mdd"]["value"].as_f64().unwrap();
    let by_f1 = rows(&["leaderboard", folder, "--sort", "f1"], 0, "SAEs");
    let f1 = column(&by_f1, "F1");
    assert_eq!(by_f1[0]["against best"], "best");
    let mut near = 0;
    for (row, value) in by_f1.iter().zip(&f1).skip(1) {
        if f1[0] - value <= mdd {
            near += 1;
            assert_eq!(row["against best"], "not distinguishable", "{row}");
        } else {
            assert!(
                (row["against best"].as_f64().unwrap() - (value - f1[0])).abs() < 1e-9,
                "{row}"
            );
        }
    }
    assert!(near > 0 && near < f1.len() - 1, "{near} {f1:?} {mdd}");
    // Explained variance saw nothing that was redrawn, so nothing is said about its differences.
    let by_ev = rows(&["leaderboard", folder, "--sort", "ev"], 0, "SAEs");
    let reason = by_ev[1]["against best"]["missing"].as_str().unwrap();
    assert!(reason.contains("nothing that was redrawn"), "{reason}");

    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("r.json");
    std::fs::write(&wrong, "{}").unwrap();
    refused(
        &["leaderboard", folder, "--reliability", wrong.to_str().unwrap()],
        3,
        &["r.json", "bench reliability"],
    );
    // Measured for all letters of one model: it says nothing about records of another word list.
    let mut other = file;
    other["words_hash"] = "0".into();
    std::fs::write(&wrong, other.to_string()).unwrap();
    let rows = rows(
        &["leaderboard", folder, "--reliability", wrong.to_str().unwrap()],
        0,
        "SAEs",
    );
    let reason = rows[1]["against best"]["missing"].as_str().unwrap();
    assert!(reason.contains("other letters or words"), "{reason}");
}

#[test]
fn leaderboards_say_what_is_not_there() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    altered(one.path(), TOPK, |_| ());
    altered(one.path(), BATCH, |draft| {
        draft.status = store::Status::Failed;
        draft.error = Some("out of luck".to_owned());
    });
    altered(two.path(), TOPK, |_| ());
    altered(two.path(), TOPK, |draft| draft.spec.metric_version = 2);
    let dirs = [one.path().to_str().unwrap(), two.path().to_str().unwrap()];
    let output = bench(&["leaderboard", dirs[0], dirs[1]]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in [
        "metric version 1",
        "metric version 2",
        "not comparable",
        "failed unit",
        "shown once",
    ] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert_eq!(rows(&["leaderboard", dirs[0], dirs[1]], 0, "SAEs").len(), 1);
    std::fs::write(one.path().join("x__0123456789ab.json"), "{").unwrap();
    let output = bench(&["leaderboard", dirs[0]]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("x__0123456789ab.json"));
}
