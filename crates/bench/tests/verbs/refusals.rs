//! What is refused: with which code, in which words, and that nothing is left behind.

use std::path::Path;

use checkpoint::write::TensorData;

use super::common::{Place, bench, data, floats, golden, integers};

/// Runs a command that must be refused; `out` is where its result would have gone.
#[track_caller]
fn refused(args: &[&str], out: &str, code: i32, names: &[&str]) {
    let folder = Path::new(out).parent().unwrap();
    let before = listed(folder);
    let output = bench(&[args, &["--out", out]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for name in names {
        assert!(message.contains(name), "`{name}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert!(output.stdout.is_empty(), "stdout of a refused call");
    assert_eq!(listed(folder), before, "a refused call leaves nothing behind");
}

fn listed(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

struct Probe {
    place: Place,
    data: Vec<String>,
}

impl Probe {
    fn new() -> Self {
        Self {
            place: Place::new(),
            data: data(),
        }
    }

    /// The goldens with more options.
    #[track_caller]
    fn refused(&self, more: &[&str], code: i32, names: &[&str]) {
        let given = self.data.iter().map(String::as_str);
        let args: Vec<&str> = ["probe"].into_iter().chain(given).chain(more.iter().copied()).collect();
        refused(&args, &self.place.path("out.safetensors"), code, names);
    }

    /// Train rows of other tensors.
    #[track_caller]
    fn rows(&self, tensors: &[TensorData<'_>], more: &[&str], code: i32, names: &[&str]) {
        let file = self.place.tensors("rows.safetensors", tensors);
        let args = ["probe", "--acts", &file, "--x", "X", "--y", "y"];
        refused(
            &[&args[..], more].concat(),
            &self.place.path("out.safetensors"),
            code,
            names,
        );
    }
}

#[test]
fn tensors_that_cannot_be_probed() {
    let probe = Probe::new();
    let out = probe.place.path("out.safetensors");
    let acts = golden("data.safetensors");
    let named = |x, y| ["probe", "--acts", &acts, "--x", x, "--y", y].map(str::to_owned);
    let check = |x, y, names: &[&str]| {
        let args = named(x, y);
        refused(&args.each_ref().map(String::as_str), &out, 3, names);
    };
    check("X", "y_train", &["data.safetensors", "`X`", "hint", "X_train"]);
    check("X_train", "labels", &["data.safetensors", "`labels`", "hint"]);
    check(
        "X_test",
        "y_train",
        &["data.safetensors", "`X_test`", "[340, 48]", "`y_train`", "1058", "hint"],
    );
    check(
        "y_train",
        "y_train",
        &["data.safetensors", "`y_train`", "[1058]", "[rows, d]", "hint"],
    );
    check("X_train", "X_train", &["data.safetensors", "`X_train`", "F32", "I64"]);
    let missing = ["probe", "--acts", "no/such.safetensors", "--x", "X", "--y", "y"];
    refused(&missing, &out, 3, &["no/such.safetensors", "hint"]);

    let x: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let mut holes = x.clone();
    holes[7] = f32::NAN;
    let with = |x: &[f32], y: &[i64], more: &[&str], code, names: &[&str]| {
        let tensors = [TensorData::f32("X", &[6, 2], x), TensorData::i64("y", &[y.len()], y)];
        probe.rows(&tensors, more, code, &[&["rows.safetensors"], names].concat());
    };
    with(
        &holes,
        &[0, 1, 0, 1, 0, 1],
        &[],
        3,
        &["`X`", "row 3, column 1", "NaN", "hint"],
    );
    with(&x, &[0, 2, 0, 2, 0, 2], &[], 3, &["`y`", "class 1 has no rows", "hint"]);
    with(&x, &[0, 0, 0, 0, 0, 0], &[], 3, &["`y`", "class 0 has all rows"]);
    with(&x, &[0, 1, -1, 1, 0, 1], &[], 3, &["`y`", "row 2", "-1", "hint"]);
    with(
        &x,
        &[0, 1, 5, 1, 0, 1],
        &["--classes", "2"],
        3,
        &["`y`", "row 2", "class 5", "2 classes", "--classes"],
    );
    with(
        &x,
        &[0, 1, 9_000_000_000, 1, 0, 1],
        &[],
        3,
        &["`y`", "9000000001 classes", "6 rows", "hint"],
    );
    let empty = [TensorData::f32("X", &[0, 2], &[]), TensorData::i64("y", &[0], &[])];
    probe.rows(&empty, &[], 4, &["rows.safetensors", "`y`", "no row"]);
    let tensors = [
        TensorData::f32("X", &[6, 2], &x),
        TensorData::i64("y", &[6], &[0, 1, 0, 1, 0, 1]),
    ];
    let test = ["--test-acts", &acts, "--test-x", "X_test", "--test-y", "y_test"];
    probe.rows(
        &tensors,
        &test,
        3,
        &["data.safetensors", "`X_test`", "48", "`X`", "2", "hint"],
    );
}

#[test]
fn options_that_do_not_go_together() {
    let probe = Probe::new();
    probe.refused(&["--kind", "svm"], 2, &["svm", "lr-sgd", "k-sparse"]);
    probe.refused(
        &["--kind", "leace", "--c", "1"],
        2,
        &["--c", "--kind leace", "hint", "lr"],
    );
    probe.refused(&["--epochs", "3"], 2, &["--epochs", "--kind lr", "k-sparse"]);
    probe.refused(&["--kind", "lr-sgd", "--k", "3"], 2, &["--k", "lr-sgd", "k-sparse"]);
    probe.refused(&["--kind", "lr-sgd", "--epochs", "0"], 2, &["--epochs 0", "--init"]);
    probe.refused(&["--kind", "lr-sgd", "--batch", "0"], 2, &["batch size", "at least 1"]);
    probe.refused(&["--kind", "lr-sgd", "--rate=-1"], 2, &["learning rate", "positive"]);
    probe.refused(&["--c", "0"], 2, &["--c 0", "positive"]);
    probe.refused(&["--no-fold"], 2, &["--sae"]);
    probe.refused(&["--kind", "k-sparse", "--k", "0-3"], 2, &["--k", "1-10"]);
    probe.refused(
        &["--kind", "k-sparse", "--k", "49"],
        3,
        &["data.safetensors", "`X_train`", "48 latents", "--k 49"],
    );
    probe.refused(
        &["--kind", "k-sparse", "--sae", "no/such/sae"],
        3,
        &["no/such/sae", "--sae"],
    );
}

#[test]
fn initial_weights_that_do_not_fit() {
    let probe = Probe::new();
    let narrow = probe.place.tensors(
        "narrow.safetensors",
        &[TensorData::f32("weight", &[26, 47], &[0.5; 26 * 47])],
    );
    let sgd = ["--kind", "lr-sgd", "--init"];
    let names = ["narrow.safetensors", "`weight`", "47", "48", "hint"];
    probe.refused(&[&sgd[..], &[&narrow]].concat(), 3, &names);
    let other = golden("probe_fullbatch.safetensors");
    let names = [
        "probe_fullbatch.safetensors",
        "`weight`",
        "epochs1.weight",
        "--init-weight",
    ];
    probe.refused(&[&sgd[..], &[&other]].concat(), 3, &names);
    let names = ["probe_fullbatch.safetensors", "`nothing`"];
    probe.refused(&[&sgd[..], &[&other, "--init-weight", "nothing"]].concat(), 3, &names);
}

#[test]
fn places_that_cannot_be_written() {
    let probe = Probe::new();
    let given: Vec<&str> = ["probe"]
        .into_iter()
        .chain(probe.data.iter().map(String::as_str))
        .collect();
    let file = probe.place.write("file", b"");
    let below = format!("{file}/folder/out.safetensors");
    refused(&given, &below, 3, &["--out", "/file`", "not a folder", "hint"]);
    refused(&given, &probe.place.path("sae"), 2, &["--out", "folder", "hint"]);
    let copy = probe.place.path("data.safetensors");
    std::fs::copy(golden("data.safetensors"), &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    let absorption = Absorption::new();
    let main = absorption.main(&format!("[{}]", ["[1]"; 26].join(",")));
    let given: Vec<&str> = absorption.given.iter().map(String::as_str).collect();
    let args = [&given[..], &["--probe", &copy, "--main", &main]].concat();
    refused(&args, &below, 3, &["--out", "/file`", "not a folder", "hint"]);
    refused(&args, &main, 2, &["--out", "main.json", "replace", "hint"]);
    let same = ["probe", "--acts", &copy, "--x", "X_train", "--y", "y_train"];
    refused(&same, &copy, 2, &["--out", "data.safetensors", "replace", "hint"]);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}

struct Absorption {
    place: Place,
    given: Vec<String>,
}

impl Absorption {
    fn new() -> Self {
        let place = Place::new();
        let (sae, acts) = (place.path("sae"), golden("data.safetensors"));
        let given = [
            "absorption",
            "--sae",
            &sae,
            "--acts",
            &acts,
            "--x",
            "X_test",
            "--y",
            "y_test",
        ];
        let given = given.map(str::to_owned).to_vec();
        Self { place, given }
    }

    /// With the usual probe.
    #[track_caller]
    fn refused(&self, more: &[&str], code: i32, names: &[&str]) {
        let probe = golden("probe_minibatch50.safetensors");
        let own = ["--probe", &probe, "--probe-weight", "epochs50.weight"];
        self.bare(&[&own[..], more].concat(), code, names);
    }

    #[track_caller]
    fn bare(&self, more: &[&str], code: i32, names: &[&str]) {
        let args: Vec<&str> = self
            .given
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        refused(&args, &self.place.path("out.json"), code, names);
    }

    fn main(&self, json: &str) -> String {
        self.place.write("main.json", json.as_bytes())
    }
}

#[test]
fn absorption_without_what_it_needs() {
    let absorption = Absorption::new();
    let main = absorption.main(&format!("[{}]", ["[1]"; 26].join(",")));
    absorption.refused(&[], 2, &["main latents", "--train-x", "--main", "hint"]);
    absorption.refused(
        &["--main", &main, "--definition", "saebench"],
        2,
        &["saebench", "saebench-0.6"],
    );
    let names = ["chanin", "--effects", "chanin-projection", "hint"];
    absorption.refused(&["--main", &main, "--definition", "chanin"], 2, &names);
    absorption.refused(
        &["--main", &main, "--delta", "1"],
        2,
        &["--delta", "saebench-0.6", "chanin"],
    );
    absorption.refused(
        &[
            "--main",
            &main,
            "--min-letters",
            "2",
            "--definition",
            "chanin-projection",
        ],
        2,
        &["--min-letters"],
    );
    absorption.refused(&["--train-x", "X_train"], 2, &["--train-y"]);
    absorption.refused(
        &["--train-x", "X", "--train-y", "y_train"],
        3,
        &["data.safetensors", "`X`", "hint"],
    );
    let names = [
        "probe_minibatch50.safetensors",
        "`weight`",
        "init.weight",
        "--probe-weight",
    ];
    absorption.bare(
        &["--main", &main, "--probe", &golden("probe_minibatch50.safetensors")],
        3,
        &names,
    );
    let wide = absorption
        .place
        .tensors("wide.safetensors", &[TensorData::f32("W", &[26, 64], &[1.0; 26 * 64])]);
    let names = ["wide.safetensors", "`W`", "64", "`X_test`", "48", "hint"];
    absorption.bare(&["--main", &main, "--probe", &wide], 3, &names);
    let few = absorption
        .place
        .tensors("few.safetensors", &[TensorData::f32("weight", &[5, 48], &[1.0; 240])]);
    let names = ["data.safetensors", "`y_test`", "there are 5 classes", "--probe", "hint"];
    absorption.bare(&["--main", &main, "--probe", &few], 3, &names);
    let zero = absorption.place.tensors(
        "zero.safetensors",
        &[TensorData::f32("weight", &[26, 48], &[0.0; 26 * 48])],
    );
    absorption.bare(
        &["--main", &main, "--probe", &zero],
        3,
        &["zero.safetensors", "class 0", "zero", "hint"],
    );
}

#[test]
fn main_latents_that_are_none() {
    let absorption = Absorption::new();
    let check = |json: &str, names: &[&str]| {
        let main = absorption.main(json);
        absorption.refused(&["--main", &main], 3, &[&["main.json"], names].concat());
    };
    let all = |last: &str| format!("[{},{last}]", ["[1]"; 25].join(","));
    check(&all("[160]"), &["`25`", "latent 160", "160", "hint"]);
    check(&all("[-1]"), &["`25`", "-1", "hint"]);
    check(&all("[]"), &["`25`", "no latent", "hint"]);
    check(&all("[3, 3]"), &["`25`", "twice", "hint"]);
    check(&all("7"), &["`25`", "list", "hint"]);
    check("{\"a\": [1]}", &["`b`", "no main latents", "hint"]);
    check("{\"a\": [1], \"0\": [2]}", &["twice", "hint"]);
    check("{\"26\": [1]}", &["`26`", "26", "hint"]);
    check("{\"word\": [1]}", &["`word`", "no such class", "hint"]);
    check("3", &["neither", "hint"]);
    check("{", &["JSON"]);
    absorption.refused(&["--main", "no/such.json"], 3, &["no/such.json"]);
}

#[test]
fn effects_that_do_not_fit() {
    let absorption = Absorption::new();
    let main = absorption.main(&format!("[{}]", ["[1]"; 26].join(",")));
    let check = |tensors: &[TensorData<'_>], names: &[&str]| {
        let effects = absorption.place.tensors("effects.safetensors", tensors);
        let args = ["--main", &main, "--definition", "chanin", "--effects", &effects];
        absorption.refused(&args, 3, &[&["effects.safetensors", "attribution"], names].concat());
    };
    check(&[TensorData::f32("effects", &[1, 1], &[0.0])], &["hint", "`effects`"]);
    check(
        &[TensorData::f32("attribution", &[340, 48], &vec![0.0; 340 * 48])],
        &["[340, 48]", "[340, 160]", "hint"],
    );
    let nan = vec![f32::NAN; 340 * 160];
    check(
        &[TensorData::f32("attribution", &[340, 160], &nan)],
        &["row", "NaN", "candidate", "hint"],
    );
}

/// The SAE reads another width than the rows have.
#[test]
fn rows_of_another_width() {
    let (absorption, file) = (Absorption::new(), golden("data.safetensors"));
    let (x, y) = (floats(&file, "X_test"), integers(&file, "y_test"));
    let narrow: Vec<f32> = x.chunks_exact(48).flat_map(|row| &row[..40]).copied().collect();
    let rows = [
        TensorData::f32("X", &[340, 40], &narrow),
        TensorData::i64("y", &[340], &y),
    ];
    let rows = absorption.place.tensors("narrow.safetensors", &rows);
    let probe = absorption
        .place
        .tensors("probe.safetensors", &[TensorData::f32("W", &[26, 40], &[1.0; 1040])]);
    let sae = absorption.place.path("sae");
    let main = absorption.main(&format!("[{}]", ["[1]"; 26].join(",")));
    let args = [
        "absorption",
        "--sae",
        &sae,
        "--acts",
        &rows,
        "--x",
        "X",
        "--y",
        "y",
        "--probe",
        &probe,
        "--main",
        &main,
    ];
    let names = ["narrow.safetensors", "`X`", "40", "48", "hint"];
    refused(&args, &absorption.place.path("out.json"), 3, &names);
    let args = [
        "probe", "--kind", "k-sparse", "--sae", &sae, "--acts", &rows, "--x", "X", "--y", "y",
    ];
    refused(&args, &absorption.place.path("out.safetensors"), 3, &names);
}
