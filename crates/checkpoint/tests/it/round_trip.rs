//! What is written is read, by us and by the reference implementation.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use checkpoint::write::{TensorData, f32_to_bf16_bytes, safetensors};
use checkpoint::{Checkpoint, CheckpointError, Dtype};
use half::{bf16, f16};
use proptest::prelude::*;

use crate::support::{folder, raw, says, write};

/// Three elements of each type: zero and the largest, or one for booleans, and something between.
fn samples() -> Vec<TensorData<'static>> {
    Dtype::ALL
        .into_iter()
        .map(|dtype| {
            let bytes = match dtype {
                Dtype::F64 => [0.0, f64::MAX, -1.5].map(f64::to_le_bytes).concat(),
                Dtype::F32 => [0.0, f32::MAX, -1.5].map(f32::to_le_bytes).concat(),
                Dtype::F16 => [f16::ZERO, f16::MAX, f16::from_f32(-1.5)]
                    .map(f16::to_le_bytes)
                    .concat(),
                Dtype::BF16 => [bf16::ZERO, bf16::MAX, bf16::from_f32(-1.5)]
                    .map(bf16::to_le_bytes)
                    .concat(),
                Dtype::I64 => [0, i64::MAX, -2].map(i64::to_le_bytes).concat(),
                Dtype::I32 => [0, i32::MAX, -2].map(i32::to_le_bytes).concat(),
                Dtype::I16 => [0, i16::MAX, -2].map(i16::to_le_bytes).concat(),
                Dtype::I8 => [0, i8::MAX, -2].map(i8::to_le_bytes).concat(),
                Dtype::U8 => vec![0, u8::MAX, 2],
                Dtype::Bool => vec![0, 1, 1],
            };
            TensorData {
                name: format!("t.{dtype}"),
                dtype,
                shape: vec![3, 1],
                bytes: Cow::Owned(bytes),
            }
        })
        .collect()
}

#[test]
fn every_dtype() {
    let folder = folder();
    let path = folder.path().join("all.safetensors");
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let samples = samples();
    safetensors(&path, &samples, &metadata).expect("write");

    let checkpoint = Checkpoint::open(&path).expect("open");
    assert_eq!(checkpoint.metadata(), &metadata);
    assert_eq!(checkpoint.files().collect::<Vec<_>>(), [path.as_path()]);
    assert_eq!(
        checkpoint.total_bytes(),
        samples.iter().map(|t| t.bytes.len() as u64).sum::<u64>()
    );
    let mut names: Vec<&str> = samples.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), names);

    let bytes = fs_err::read(&path).expect("read");
    let reference = safetensors::SafeTensors::deserialize(&bytes).expect("the reference reads our file");
    for sample in &samples {
        let view = checkpoint.get(&sample.name).expect("a tensor");
        assert_eq!(
            (view.dtype, view.shape, view.bytes),
            (sample.dtype, &sample.shape[..], &sample.bytes[..])
        );
        assert_eq!(
            view.bytes.as_ptr().align_offset(view.dtype.size()),
            0,
            "{} is aligned",
            sample.name
        );
        let theirs = reference.tensor(&sample.name).expect("a tensor");
        assert_eq!((theirs.shape(), theirs.data()), (view.shape, view.bytes));
        assert_eq!(theirs.dtype().to_string(), view.dtype.name());
    }
}

#[test]
fn conversions() {
    let folder = folder();
    let path = folder.path().join("all.safetensors");
    write(&path, &samples());
    let checkpoint = Checkpoint::open(&path).expect("open");
    let floats = |name: &str| checkpoint.get(name).and_then(|view| view.to_f32());
    let doubles = |name: &str| checkpoint.get(name).and_then(|view| view.to_f64());
    let integers = |name: &str| checkpoint.get(name).and_then(|view| view.to_i64());
    assert_eq!(floats("t.F32").expect("floats"), [0.0, f32::MAX, -1.5]);
    assert_eq!(floats("t.F64").expect("floats"), [0.0, f32::INFINITY, -1.5]);
    assert_eq!(floats("t.F16").expect("floats"), [0.0, 65504.0, -1.5]);
    assert_eq!(floats("t.BF16").expect("floats"), [0.0, bf16::MAX.to_f32(), -1.5]);
    assert_eq!(doubles("t.F64").expect("doubles"), [0.0, f64::MAX, -1.5]);
    assert_eq!(doubles("t.F16").expect("doubles"), [0.0, 65504.0, -1.5]);
    assert_eq!(integers("t.I64").expect("integers"), [0, i64::MAX, -2]);
    assert_eq!(integers("t.I32").expect("integers"), [0, i64::from(i32::MAX), -2]);
    assert_eq!(integers("t.I16").expect("integers"), [0, i64::from(i16::MAX), -2]);
    assert_eq!(integers("t.I8").expect("integers"), [0, 127, -2]);
    assert_eq!(integers("t.U8").expect("integers"), [0, 255, 2]);
    assert_eq!(integers("t.BOOL").expect("integers"), [0, 1, 1]);
    says(
        &floats("t.I64").expect_err("integers are not floats"),
        &["all.safetensors", "t.I64", "BF16", "I64"],
    );
    says(
        &integers("t.F16").expect_err("floats are not integers"),
        &["t.F16", "I32", "found F16"],
    );
}

#[test]
fn rows_and_shapes() {
    let folder = folder();
    let path = folder.path().join("rows.safetensors");
    let values: Vec<f32> = (0..12_u8).map(f32::from).collect();
    write(
        &path,
        &[
            TensorData::bf16("embedding", &[4, 3], &values),
            TensorData::f32("empty", &[0, 1 << 60], &[]),
            TensorData::f32("scalar", &[], &[7.0]),
            TensorData::i64("ids", &[2, 1], &[1, 2]),
        ],
    );
    let checkpoint = Checkpoint::open(&path).expect("open");
    let embedding = checkpoint.get("embedding").expect("a tensor");
    assert_eq!(
        embedding.rows_f32(&[3, 0, 3]).expect("rows"),
        [9., 10., 11., 0., 1., 2., 9., 10., 11.]
    );
    assert_eq!(embedding.rows_f32(&[]).expect("no rows"), [0.0; 0]);
    embedding.expect_shape(&[4, 3]).expect("the shape");
    let wrong = embedding.expect_shape(&[3, 4]).expect_err("another shape");
    says(
        &wrong,
        &["rows.safetensors", "embedding", "expected [3, 4]", "found [4, 3]"],
    );
    says(&embedding.rows_f32(&[4]).expect_err("outside"), &["row 4", "[4, 3]"]);
    let scalar = checkpoint.get("scalar").expect("a tensor");
    assert_eq!(scalar.to_f32().expect("a scalar"), [7.0]);
    says(&scalar.rows_f32(&[0]).expect_err("no matrix"), &["a matrix", "[]"]);
    let empty = checkpoint.get("empty").expect("a tensor");
    assert_eq!(empty.rows_f32(&[]).expect("no rows"), [0.0; 0]);
    empty.rows_f32(&[0]).expect_err("no row 0");
    checkpoint
        .get("ids")
        .expect("a tensor")
        .rows_f32(&[1])
        .expect_err("integers are not floats");
    let missing = checkpoint.get("nothing").expect_err("no such tensor");
    assert!(matches!(missing, CheckpointError::MissingTensor { .. }));
    says(&missing, &["rows.safetensors", "`nothing`", "4 tensors", "`embedding`"]);
    assert!(checkpoint.contains("scalar") && !checkpoint.contains("nothing"));
}

#[test]
fn unaligned_tensors() {
    let folder = folder();
    let values: Vec<f32> = (0..5000_u16).map(|i| f32::from(i) / 8.0).collect();
    for (dtype, bytes) in [
        (
            "F64",
            values
                .iter()
                .flat_map(|&v| f64::from(v).to_le_bytes())
                .collect::<Vec<u8>>(),
        ),
        ("F32", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        (
            "F16",
            values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
        ),
    ] {
        // One byte before the tensor, and a header of each length modulo 8: every alignment occurs.
        for pad in 0..8 {
            let end = bytes.len() + 1;
            let header = format!(
                r#"{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"x":{{"dtype":"{dtype}","shape":[5000],"data_offsets":[1,{end}]}}}}{}"#,
                " ".repeat(pad)
            );
            let path = folder.path().join("unaligned.safetensors");
            fs_err::write(&path, raw(&header, &[&[1], &bytes[..]].concat())).expect("write");
            let checkpoint = Checkpoint::open(&path).expect("open");
            let read = checkpoint.get("x").and_then(|view| view.to_f32()).expect("floats");
            let expected: Vec<f32> = if dtype == "F16" {
                values.iter().map(|&v| f16::from_f32(v).to_f32()).collect()
            } else {
                values.clone()
            };
            assert_eq!(read, expected, "{dtype} at {pad}");
        }
    }
}

#[test]
fn reads_the_reference_writer_and_unknown_types() {
    let folder = folder();
    let path = folder.path().join("theirs.safetensors");
    let view = |dtype, shape, data| safetensors::tensor::TensorView::new(dtype, shape, data).expect("a view");
    let tensors = [
        (
            "w",
            view(safetensors::Dtype::F32, vec![2], &[0, 0, 128, 63, 0, 0, 0, 64]),
        ),
        ("wide", view(safetensors::Dtype::U64, vec![1], &[1; 8])),
        ("small", view(safetensors::Dtype::F8_E4M3, vec![3], &[1; 3])),
    ];
    let metadata = HashMap::from([("k".to_owned(), "v".to_owned())]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).expect("serialise");
    fs_err::write(&path, bytes).expect("write");
    let checkpoint = Checkpoint::open(&path).expect("open");
    assert_eq!(checkpoint.metadata().get("k").map(String::as_str), Some("v"));
    assert_eq!(
        checkpoint.get("w").and_then(|view| view.to_f32()).expect("floats"),
        [1.0, 2.0]
    );
    says(
        &checkpoint.get("small").expect_err("a type we do not read"),
        &["`small`", "F8_E4M3", "theirs.safetensors"],
    );
    assert!(checkpoint.contains("wide"));
}

#[test]
fn bf16_rounds_to_nearest_even() {
    // 1 + 2^-8 is halfway between 1 and 1 + 2^-7; 1 + 3 * 2^-8 halfway between 1 + 2^-7 and 1 + 2^-6.
    let cases = [
        (1.0 + 1.0 / 256.0, 0x3F80_u16),
        (1.0 + 3.0 / 256.0, 0x3F82),
        (1.0 + 1.01 / 256.0, 0x3F81),
        (-1.0, 0xBF80),
    ];
    for (value, bits) in cases {
        assert_eq!(f32_to_bf16_bytes(&[value]), bits.to_le_bytes(), "{value}");
    }
}

proptest! {
    #[test]
    fn any_floats_survive(values in prop::collection::vec(any::<f32>(), 0..200)) {
        let folder = folder();
        let path = folder.path().join("x.safetensors");
        write(&path, &[TensorData::f32("x", &[values.len()], &values)]);
        let read = Checkpoint::open(&path).and_then(|c| c.get("x")?.to_f32()).expect("floats");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&values));
    }
}
