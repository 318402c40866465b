//! Folders, shards and hashes.

use std::path::Path;

use checkpoint::write::TensorData;
use checkpoint::{Checkpoint, CheckpointError, content_hash};

use crate::support::{folder, says, write};

fn index(folder: &Path, weight_map: &str) {
    let text = format!(r#"{{"metadata": {{"total_size": 1}}, "weight_map": {weight_map}}}"#);
    fs_err::write(folder.join("model.safetensors.index.json"), text).expect("write");
}

fn shards(folder: &Path) {
    write(
        &folder.join("model-1.safetensors"),
        &[TensorData::f32("a", &[1], &[1.0]), TensorData::f32("b", &[1], &[2.0])],
    );
    write(
        &folder.join("model-2.safetensors"),
        &[TensorData::f32("c", &[1], &[3.0])],
    );
    index(
        folder,
        r#"{"c": "model-2.safetensors", "a": "model-1.safetensors", "b": "model-1.safetensors"}"#,
    );
}

#[test]
fn reads_across_shards() {
    let folder = folder();
    shards(folder.path());
    let checkpoint = Checkpoint::open(folder.path()).expect("open");
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(checkpoint.files().len(), 2);
    assert_eq!(checkpoint.total_bytes(), 12);
    for (name, value) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        assert_eq!(
            checkpoint.get(name).and_then(|view| view.to_f32()).expect("floats"),
            [value]
        );
    }
    assert!(
        checkpoint
            .get("c")
            .expect("a tensor")
            .file
            .ends_with("model-2.safetensors")
    );
    says(
        &checkpoint.get("d").expect_err("no d"),
        &["`d`", &folder.path().display().to_string()],
    );
}

#[test]
fn one_file_wins_over_an_index() {
    let folder = folder();
    shards(folder.path());
    write(
        &folder.path().join("model.safetensors"),
        &[TensorData::f32("only", &[1], &[1.0])],
    );
    let checkpoint = Checkpoint::open(folder.path()).expect("open");
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["only"]);
}

#[test]
fn broken_indexes() {
    let folder = folder();
    shards(folder.path());
    index(
        folder.path(),
        r#"{"a": "model-1.safetensors", "c": "model-3.safetensors"}"#,
    );
    let error = Checkpoint::open(folder.path()).expect_err("a missing shard");
    says(
        &error,
        &["model-3.safetensors", "model.safetensors.index.json", "`c`", "hint: "],
    );
    index(folder.path(), r#"{"a": "model-2.safetensors"}"#);
    let error = Checkpoint::open(folder.path()).expect_err("a missing tensor");
    assert!(matches!(error, CheckpointError::MissingTensor { .. }));
    says(&error, &["model-2.safetensors", "`a`", "model.safetensors.index.json"]);
    for shard in ["../model-1.safetensors", "/etc/passwd", "sub/x.safetensors", "", ".."] {
        index(folder.path(), &format!(r#"{{"a": "{shard}"}}"#));
        let error = Checkpoint::open(folder.path()).expect_err("a shard outside the folder");
        says(&error, &["index.json", "weight_map.a"]);
    }
    index(folder.path(), "{}");
    says(
        &Checkpoint::open(folder.path()).expect_err("an empty index"),
        &["lists no tensors"],
    );
    index(folder.path(), r#"{"a": 3}"#);
    says(
        &Checkpoint::open(folder.path()).expect_err("a bad index"),
        &["line 1", "`weight_map.a`"],
    );
    fs_err::write(folder.path().join("model.safetensors.index.json"), "{}").expect("write");
    says(
        &Checkpoint::open(folder.path()).expect_err("no map"),
        &["missing field `weight_map`"],
    );
}

#[test]
fn nothing_to_read() {
    let folder = folder();
    let open = |path: &Path| Checkpoint::open(path).expect_err("no weights");
    says(
        &open(&folder.path().join("absent")),
        &["absent", "no such file or folder", "hint: "],
    );
    says(
        &open(folder.path()),
        &["model.safetensors.index.json", "the folder is empty"],
    );
    fs_err::write(folder.path().join("pytorch_model.bin"), "x").expect("write");
    says(&open(folder.path()), &["`pytorch_model.bin`", "name the file itself"]);
    write(&folder.path().join("sae_weights.safetensors"), &[]);
    says(
        &open(folder.path()),
        &["`sae_weights.safetensors`", "name the file itself"],
    );
    assert_eq!(
        Checkpoint::open(&folder.path().join("sae_weights.safetensors"))
            .expect("open")
            .names()
            .len(),
        0
    );
    assert_eq!(open(folder.path()).path(), folder.path());
}

#[test]
fn hashes_are_those_of_b3sum() {
    let folder = folder();
    let path = folder.path().join("any.bin");
    fs_err::write(&path, "").expect("write");
    // The published BLAKE3 test vector of no input.
    let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!(content_hash(&path).expect("hash"), empty);
    says(&content_hash(folder.path()).expect_err("no weights"), &["hint: "]);

    shards(folder.path());
    let hash = |name: &str| content_hash(&folder.path().join(name)).expect("hash");
    let lines = format!(
        "{}  model-1.safetensors\n{}  model-2.safetensors\n",
        hash("model-1.safetensors"),
        hash("model-2.safetensors")
    );
    let whole = content_hash(folder.path()).expect("hash");
    assert_eq!(whole, blake3::hash(lines.as_bytes()).to_hex().as_str());
    write(
        &folder.path().join("model-2.safetensors"),
        &[TensorData::f32("c", &[1], &[3.5])],
    );
    assert_ne!(content_hash(folder.path()).expect("hash"), whole);

    write(
        &folder.path().join("model.safetensors"),
        &[TensorData::f32("c", &[1], &[3.5])],
    );
    assert_eq!(content_hash(folder.path()).expect("hash"), hash("model.safetensors"));
}
