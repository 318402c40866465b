//! Pickles that no Python would write.

use std::time::{Duration, Instant};

use checkpoint::{Checkpoint, CheckpointError};
use serde_json::json;

use crate::build::pickle::{call, dict, int, ints, storage, tensor, text, whole};
use crate::build::{Zip, torch_archive};
use crate::support::{open_as, says};

/// Opens an archive whose pickle is `value`, with a storage of 8 bytes.
fn open(value: &[u8]) -> Result<Checkpoint, CheckpointError> {
    open_as("model.pt", &torch_archive(value, &[0; 8]))
}

#[track_caller]
fn refused(value: &[u8], reason: &str) {
    let error = open(value).expect_err(reason);
    assert!(matches!(error, CheckpointError::Tensor { .. }), "{error}");
    says(&error, &["model.pt", reason, "hint: "]);
}

#[test]
fn nothing_is_run() {
    let witness = tempfile::tempdir().expect("a folder").path().join("witness");
    let command = text(&format!("touch {}", witness.display()));
    let value = dict(&[
        ("a", call("os", "system", std::slice::from_ref(&command))),
        ("b", call("builtins", "exec", &[command])),
    ]);
    let found = open(&value).expect("a graph");
    assert!(!witness.exists());
    assert_eq!(found.values()["a"], json!({ "__class__": "os.system" }));
    assert_eq!(found.values()["b"], json!({ "__class__": "builtins.exec" }));
}

#[test]
fn tensors_outside_their_storage() {
    let floats = |count| storage("FloatStorage", "0", count);
    for (value, reason) in [
        (tensor(floats(2), 1, &[2], &[1]), "8 are there"),
        (tensor(floats(2), 0, &[2], &[2]), "8 are there"),
        (tensor(floats(3), 0, &[2], &[1]), "should hold 3 elements"),
        (tensor(floats(2), i32::MAX, &[1], &[1]), "8 are there"),
        (tensor(floats(2), -1, &[1], &[1]), "offset"),
        (tensor(floats(2), 0, &[-1], &[1]), "size is not"),
        (tensor(floats(2), 0, &[1], &[-1]), "stride is not"),
        (tensor(floats(2), 0, &[1], &[1, 1]), "differ in length"),
        (tensor(floats(2), 0, &[0, i32::MAX, i32::MAX, i32::MAX], &[0; 4]), ""),
        (
            tensor(floats(2), 0, &[i32::MAX, i32::MAX, i32::MAX], &[0; 3]),
            "has no size",
        ),
        (tensor(floats(2), 0, &[i32::MAX], &[0]), "repeats its 8 stored bytes"),
        (tensor(storage("FloatStorage", "../0", 2), 0, &[1], &[1]), "no member"),
        (tensor(int(1), 0, &[1], &[1]), "five parts"),
        (tensor(storage("FloatStorage", "0", -1), 0, &[1], &[1]), "malformed"),
        (call("torch._utils", "_rebuild_tensor_v2", &[]), "lacks storage"),
    ] {
        if reason.is_empty() {
            assert_eq!(open(&value).expect("no elements").total_bytes(), 0);
        } else {
            refused(&value, reason);
        }
    }
}

#[test]
fn repeated_and_shared_storages() {
    let floats = || storage("FloatStorage", "0", 2);
    let value = dict(&[
        ("column", tensor(floats(), 0, &[2, 3], &[1, 0])),
        ("scalar", tensor(floats(), 1, &[], &[])),
        ("whole", tensor(floats(), 0, &[2, 1], &[1, 77])),
    ]);
    let found = open_as(
        "m.pt",
        &torch_archive(&value, &[1_f32, 2.].map(f32::to_le_bytes).concat()),
    )
    .expect("tensors");
    let numbers = |name: &str| found.get(name).expect(name).to_f32().expect("floats");
    assert_eq!(numbers("column"), [1., 1., 1., 2., 2., 2.]);
    assert_eq!(numbers("scalar"), [2.]);
    assert_eq!(numbers("whole"), [1., 2.]);
}

#[test]
fn wrappers_around_tensors() {
    let plain = tensor(storage("FloatStorage", "0", 2), 0, &[2], &[1]);
    let parameter = call(
        "torch._utils",
        "_rebuild_parameter",
        &[plain, vec![0x88], b"}".to_vec()],
    );
    let arguments = [
        storage("UntypedStorage", "0", 8),
        int(0),
        call("torch", "Size", &[ints(&[4])]),
        ints(&[1]),
        vec![0x89],
        b"}".to_vec(),
        b"ctorch\nbfloat16\n".to_vec(),
    ];
    let v3 = call("torch._utils", "_rebuild_tensor_v3", &arguments);
    let found = open(&dict(&[("parameter", parameter.clone()), ("v3", v3)])).expect("tensors");
    assert_eq!(found.get("parameter").expect("it").shape, [2]);
    assert_eq!(found.get("v3").expect("it").dtype, checkpoint::Dtype::BF16);
    // A chain of wrappers without end is an object like any other, and not a tensor.
    let deep = (0..20).fold(parameter, |inner, _| {
        call("torch._utils", "_rebuild_parameter", &[inner])
    });
    assert!(open(&dict(&[("deep", deep)])).is_ok());
}

/// `depth` lists, each holding the one before it twice.
fn laughs(depth: usize) -> Vec<u8> {
    let mut value = b"]q\0".to_vec();
    for _ in 0..depth {
        value.extend(b"0](h\0h\0eq\0");
    }
    value
}

#[test]
fn sharing_does_not_multiply() {
    let start = Instant::now();
    assert!(open(&laughs(4)).is_ok());
    refused(&laughs(40), "too often");
    refused(&laughs(1000), "");
    // Dictionaries with long shared keys: names grow with the square of the depth.
    let key = "k".repeat(20_000);
    let mut value = [text(&key), b"q\x010}q\0".to_vec()].concat();
    for _ in 0..150 {
        value.extend(b"0}h\x01h\0sq\0");
    }
    refused(&value, "too often");
    // One long list, many times.
    let long = [b"](".to_vec(), b"N".repeat(10_000), b"eq\0".to_vec()].concat();
    let value = [&long[..], b"0](", &b"h\0".repeat(10_000), b"e"].concat();
    refused(&value, "too often");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn cycles_end() {
    for value in [
        &b"]q\0h\0a"[..],
        b"}q\0X\x01\0\0\0ah\0s",
        b"]q\0(h\0h\0h\0e",
        b"cm\nC\n)Rq\0h\0b",
        b"cm\nC\n)Rq\0}X\x01\0\0\0ah\0sb",
        b"]q\0h\0\x85q\x01ah\x01",
        b"}q\0(Nh\0h\0Nu",
    ] {
        let found = open(value).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            found
                .values()
                .values()
                .any(|value| *value == json!({ "__cycle__": true }))
        );
    }
    // A call that is its own argument, and one that wraps itself.
    assert!(open(b"]q\0ctorch._utils\n_rebuild_parameter\n(h\0tRq\x01h\0h\x01a0").is_ok());
}

#[test]
fn nesting_is_limited_and_not_recursed() {
    let deep = |depth| [b"]".repeat(depth), b"a".repeat(depth - 1)].concat();
    assert!(open(&deep(60)).is_ok());
    assert!(open(&deep(150)).is_ok());
    // Objects whose attribute is the next one: the longest way through the code per level.
    let object = |depth: usize| {
        let inner = (0..depth).fold(b"N".to_vec(), |inner, _| {
            [b"cm\nC\n)R}X\x01\0\0\0a", &inner[..], b"sb"].concat()
        });
        open(&inner)
    };
    assert_eq!(object(60).expect("nested").values().len(), 61);
    says(&object(300).expect_err("too deep"), &["deep"]);
    refused(&deep(300), "deep");
    refused(&deep(1_000_000), "deep");
    refused(&[&b"N"[..], &b"\x85".repeat(1_000_000)].concat(), "deep");
    refused(&[&b"}"[..], &b"Q".repeat(1_000_000), b"b"].concat(), "empty stack");
}

#[test]
fn malformed_programs() {
    for (value, reason) in [
        (&b"R"[..], "empty stack"),
        (b"(NR", "empty stack"),
        (b"t", "not begun"),
        (b"h\x05", "has not stored"),
        (b"j\xff\xff\xff\xff", "has not stored"),
        (b"NNa", "no container"),
        (b"}(Nu", "without a value"),
        (b"\x80\x09", "protocol 9"),
        (b"NN\x93", "without a name"),
        (b"ios\nsystem\n", "0x69"),
        (b"\x82\x01", "0x82"),
        (b"\x97", "0x97"),
        (b"X\xff\xff\xff\xffabc", "middle of an instruction"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff", "middle of an instruction"),
        (b"\x8b\xff\xff\xff\xff", "middle of an instruction"),
    ] {
        refused(value, reason);
    }
    let endless = Zip::default().stored("data.pkl", b"\x80\x02N").finish();
    says(
        &open_as("m.pt", &endless).expect_err("no end"),
        &["ends without a result"],
    );
    let long = Zip::default().stored("data.pkl", &b"(".repeat((1 << 25) + 1)).finish();
    says(&open_as("m.pt", &long).expect_err("too long"), &["the limit is"]);
    let whole = Zip::default()
        .stored("data.pkl", &whole(b"}"))
        .stored("data.pkl/", b"")
        .finish();
    assert_eq!(open_as("m.pt", &whole).expect("an empty dictionary").names().len(), 0);
}

#[test]
fn two_tensors_of_one_name() {
    let floats = |offset| tensor(storage("FloatStorage", "0", 2), offset, &[1], &[1]);
    let nested = dict(&[("b", floats(0))]);
    refused(&dict(&[("a", nested.clone()), ("a.b", floats(1))]), "two tensors");
    // The same object under one name twice is no conflict.
    let value = [b"}(X\x01\0\0\0a".to_vec(), floats(0), b"q\0X\x01\0\0\0ah\0u".to_vec()].concat();
    assert_eq!(open(&value).expect("one tensor").names().len(), 1);
}
