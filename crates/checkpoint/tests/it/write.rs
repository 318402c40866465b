//! Files appear whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use checkpoint::write::{TensorData, atomic, safetensors};
use checkpoint::{Checkpoint, CheckpointError, Dtype};

use crate::support::{folder, says, write};

#[test]
fn replaces_without_leftovers() {
    let folder = folder();
    let path = folder.path().join("new/folder/file.txt");
    atomic(&path, b"one").expect("write");
    atomic(&path, b"two").expect("write again");
    assert_eq!(fs_err::read(&path).expect("read"), b"two");
    assert_eq!(
        fs_err::read_dir(path.parent().expect("a parent"))
            .expect("list")
            .count(),
        1
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let plain = folder.path().join("plain");
        fs_err::write(&plain, "x").expect("write");
        let mode = |path| fs_err::metadata(path).expect("metadata").permissions().mode();
        assert_eq!(mode(&path), mode(&plain), "the permissions of a plain new file");
    }
    let error = atomic(folder.path(), b"x").expect_err("a folder is in the way");
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
    assert_eq!(
        fs_err::read_dir(folder.path()).expect("list").count(),
        if cfg!(unix) { 2 } else { 1 }
    );
}

#[test]
fn an_open_checkpoint_survives_replacement() {
    let folder = folder();
    let path = folder.path().join("x.safetensors");
    write(&path, &[TensorData::f32("x", &[2], &[1.0, 2.0])]);
    let open = Checkpoint::open(&path).expect("open");
    write(&path, &[TensorData::f32("x", &[1], &[9.0])]);
    assert_eq!(
        open.get("x").and_then(|view| view.to_f32()).expect("floats"),
        [1.0, 2.0]
    );
}

#[test]
fn equal_input_gives_equal_bytes() {
    let folder = folder();
    let tensors = [
        TensorData::f32("b", &[1], &[1.0]),
        TensorData::f64("a", &[1], &[2.0]),
        TensorData::f32("a32", &[1], &[3.0]),
    ];
    let reversed: Vec<TensorData<'_>> = tensors.iter().rev().cloned().collect();
    let metadata: BTreeMap<String, String> = (0..20).map(|i| (format!("key{i}"), i.to_string())).collect();
    let bytes = [&tensors[..], &reversed].map(|tensors| {
        let path = folder.path().join("x.safetensors");
        safetensors(&path, tensors, &metadata).expect("write");
        fs_err::read(&path).expect("read")
    });
    assert_eq!(bytes[0], bytes[1]);
}

#[test]
fn refusals_leave_no_file() {
    let folder = folder();
    let path = folder.path().join("x.safetensors");
    let one = TensorData::f32("x", &[1], &[1.0]);
    let cases = [
        (vec![one.clone(), one.clone()], "used twice"),
        (vec![TensorData::f32("__metadata__", &[1], &[1.0])], "reserved"),
        (vec![TensorData::f32("x", &[2], &[1.0])], "does not fit 4 bytes"),
        (
            vec![TensorData {
                name: "x".to_owned(),
                dtype: Dtype::F32,
                shape: vec![usize::MAX, 2],
                bytes: Cow::Borrowed(&[]),
            }],
            "fit",
        ),
    ];
    for (tensors, reason) in cases {
        let error = safetensors(&path, &tensors, &BTreeMap::new()).expect_err("a refusal");
        says(&error, &["x.safetensors", reason]);
        assert!(!path.exists());
    }
}
