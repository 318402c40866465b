//! `bench paper` as a user runs it: the list, single items, resuming, bad input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.arg("paper").args(args).current_dir(repository());
    command
}

fn bench(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Four held-out words of each letter, so that a run is short.
fn few_words(folder: &Path) -> PathBuf {
    let all: Vec<String> = serde_json::from_slice(
        &fs_err::read(repository().join("datasets/embedded/model/held_out_words.json")).unwrap(),
    )
    .unwrap();
    let mut kept: Vec<String> = Vec::new();
    for letter in 'a'..='z' {
        let own = all.iter().filter(|word| word.trim().to_lowercase().starts_with(letter));
        kept.extend(own.take(4).cloned());
    }
    let file = folder.join("held_out.json");
    fs_err::write(&file, serde_json::to_vec(&kept).unwrap()).unwrap();
    file
}

/// Every file below a folder but the units, whose seconds differ.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Not the lock, which names its process.
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension != "lock"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs_err::read(&path).unwrap(),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_list_names_items_with_what_is_published() {
    let output = bench(&["--list", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for name in [
        "fig2",
        "fig9",
        "fig22",
        "table1",
        "table2",
        "table3",
        "absorption",
        "sensitivity",
    ] {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
    assert!(text.contains("0 to 0.35 (axis)"), "{text}");
}

#[test]
fn bad_input_is_named_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["fig99"], 2, "hint: one of absorption, fig2"),
        (&["--layer", "9"], 2, "the model has 4 layers"),
        (&["--sae", "/does/not/exist"], 3, "/does/not/exist"),
        (&["--ig-steps", "0", "fig9"], 2, "ig-steps"),
        (&["--model", "datasets/embedded/model"], 4, "no SAE to measure"),
        (
            &["fig9", "--model", "datasets/embedded/model"],
            4,
            "hint: name one with `--sae`",
        ),
    ];
    for (args, code, says) in cases {
        let output = bench(&[args, &["--out", out]].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
        assert!(!Path::new(out).exists(), "{args:?} left something behind");
    }
}

#[test]
fn a_killed_call_is_resumed_to_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let words = few_words(folder.path());
    let args = |out: &Path| -> Vec<String> {
        let fixed = [
            "fig9",
            "fig7",
            "fig14",
            "absorption",
            "--icl",
            "shared",
            "--sae",
            "datasets/embedded/saes/jumprelu-512-l0-4",
        ];
        let mut all: Vec<String> = fixed.iter().map(ToString::to_string).collect();
        all.extend(["--held-out".to_owned(), words.display().to_string()]);
        all.extend(["--out".to_owned(), out.display().to_string()]);
        all
    };
    let run = |out: &Path| {
        let owned = args(out);
        let args: Vec<&str> = owned.iter().map(String::as_str).collect();
        command(&args)
    };
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let output = run(&whole).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let mut child = run(&cut).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let units = cut.join("units");
    let begun = Instant::now();
    // Killed when some units are there and others are not.
    let detected = || {
        fs_err::read_dir(&units).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .ends_with("-detection.json")
            })
        })
    };
    while !detected() {
        assert!(begun.elapsed() < Duration::from_mins(4), "no unit appeared");
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // Meanwhile nobody else may write there.
    let second = run(&cut).output().unwrap();
    assert_ne!(second.status.code(), Some(0));
    assert!(
        stderr(&second).contains(&format!("{}", child.id())),
        "{}",
        stderr(&second)
    );
    assert!(
        child.try_wait().unwrap().is_none(),
        "it ended before it could be killed"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!cut.join("fig9.md").exists());
    let done: Vec<_> = fs_err::read_dir(&units)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let stamp = |path: &PathBuf| fs_err::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = done.iter().map(stamp).collect();
    // A unit that was damaged since is measured again, the others are not.
    let probe = units.join("probe-layer-1.json");
    fs_err::write(&probe, b"{\"key\":").unwrap();
    let output = run(&cut).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (path, before) in done.iter().zip(before) {
        let json = path.extension().is_some_and(|extension| extension == "json");
        if json && *path != probe {
            assert_eq!(stamp(path), before, "{} was measured again", path.display());
        }
    }
    assert!(fs_err::metadata(&probe).unwrap().len() > 100);
    let (a, b) = (contents(&whole), contents(&cut));
    assert!(a.len() > 12, "{} files", a.len());
    assert_eq!(
        a.iter().map(|f| &f.0).collect::<Vec<_>>(),
        b.iter().map(|f| &f.0).collect::<Vec<_>>()
    );
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a.1, b.1, "{} differs", a.0);
    }
}

#[test]
fn what_needs_no_sae_runs_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let words = few_words(folder.path());
    let out = folder.path().join("out");
    let args = [
        "fig22",
        "--icl",
        "shared",
        "--model",
        "datasets/embedded/model",
        "--held-out",
        words.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--format",
        "csv",
    ];
    let output = bench(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    // By construction the letter is at the word after layer 0, and at the last token after the last layer.
    let rows: Vec<Vec<f64>> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 4, "{text}");
    assert!((rows[0][1] - 1.0).abs() < 1e-3 && rows[0][6].abs() < 1e-3, "{text}");
    assert!(rows[3][1].abs() < 1e-3 && (rows[3][6] - 1.0).abs() < 1e-3, "{text}");
}

/// A copy of a shipped SAE whose encoder is finite and far too large to train on.
fn exploding(folder: &Path) -> PathBuf {
    use checkpoint::write::{TensorData, safetensors};
    let from = repository().join("datasets/embedded/saes/standard-512-l1-1");
    let to = folder.join("exploding");
    fs_err::create_dir_all(&to).unwrap();
    fs_err::copy(from.join("cfg.json"), to.join("cfg.json")).unwrap();
    let stored = checkpoint::Checkpoint::open(&from.join("sae_weights.safetensors")).unwrap();
    let read = |name: &str| {
        let view = stored.get(name).unwrap();
        let factor = if name == "W_enc" { 1e38 } else { 1.0 };
        let values: Vec<f32> = view.to_f32().unwrap().iter().map(|v| v * factor).collect();
        (name.to_owned(), view.shape.to_vec(), values)
    };
    let parts: Vec<_> = ["W_enc", "b_enc", "W_dec", "b_dec"].map(read).to_vec();
    let tensors: Vec<TensorData<'_>> = parts.iter().map(|(n, s, v)| TensorData::f32(n, s, v)).collect();
    safetensors(&to.join("sae_weights.safetensors"), &tensors, &BTreeMap::new()).unwrap();
    to
}

#[test]
fn one_sae_that_cannot_be_measured_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let words = few_words(folder.path());
    let (out, bad) = (folder.path().join("out"), exploding(folder.path()));
    let args = |saes: &[&str]| -> Vec<String> {
        let mut all: Vec<String> = ["fig16", "--icl", "shared", "--held-out", words.to_str().unwrap()]
            .map(ToOwned::to_owned)
            .to_vec();
        all.extend([
            "--out".to_owned(),
            out.display().to_string(),
            "--format".to_owned(),
            "csv".to_owned(),
        ]);
        for sae in saes {
            all.extend(["--sae".to_owned(), (*sae).to_owned()]);
        }
        all
    };
    let run = |saes: &[&str]| {
        let owned = args(saes);
        bench(&owned.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let bad = bad.to_str().unwrap();
    let output = run(&[bad, "datasets/embedded/saes/batchtopk-512-k4-s0"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("failed: `exploding`"), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("batchtopk-512-k4-s0") && !text.contains("exploding,"),
        "{text}"
    );
    let output = run(&[bad]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("`exploding`: "), "{}", stderr(&output));
}
