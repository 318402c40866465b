//! Files that `PyTorch` wrote, against what it says they hold.

use checkpoint::{Checkpoint, CheckpointError, WeightFormat, content_hash};
use serde_json::{Value, json};

use crate::build::{Zip, pickle, torch_archive};
use crate::support::{fixture, folder, open_as, same_tensors, says};

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(name)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_type_and_every_view() {
    let found = open("tensors.pt");
    same_tensors(&found, &open("tensors.safetensors"));
    assert_eq!(found.format(), WeightFormat::Torch);
    assert!(found.values().is_empty() && found.metadata().is_empty());
    // Those that lie row by row are borrowed; the others are made once.
    for (name, is_borrowed) in [("view.whole", true), ("view.row", true), ("view.transposed", false)] {
        let first = found.get(name).expect("a tensor").bytes.as_ptr();
        assert_eq!(first, found.get(name).expect("a tensor").bytes.as_ptr(), "{name}");
        let whole = found.get("view.whole").expect("a tensor").bytes.as_ptr_range();
        assert_eq!(whole.contains(&first), is_borrowed, "{name}");
    }
}

#[test]
fn objects_under_every_protocol() {
    for protocol in [2, 4, 5] {
        let found = open(&format!("objects{protocol}.pt"));
        let reference = open("objects.safetensors");
        for name in reference.names() {
            assert_eq!(
                found.get(name).expect(name).bytes,
                reference.get(name).expect(name).bytes,
                "{name}"
            );
        }
        // The one array of NumPy is listed and refused.
        assert_eq!(found.names().len(), reference.names().len() + 1);
        says(
            &found.get("np_array").expect_err("an array"),
            &["np_array", "numpy._core"],
        );
        let class = |name: &str| json!({ "__class__": format!("somewhere.config.{name}") });
        let expected = [
            ("int", json!(-5)),
            ("int40", json!(-(1_i64 << 40))),
            ("int70", json!("1180591620717411303424")),
            ("int70_negative", json!("-1180591620717411303424")),
            ("int200", json!(format!("0x1{}", "0".repeat(50)))),
            ("true", json!(true)),
            ("none", Value::Null),
            ("float", json!(1e-3)),
            ("nan", json!("NaN")),
            ("infinity", json!("-Infinity")),
            ("text", json!("läuft")),
            ("bytes", json!({ "__class__": "builtins.bytes" })),
            ("list", json!([1, [2.5, "x"], [null]])),
            ("set", json!([3])),
            ("frozen", json!(["q"])),
            ("empty_list", json!([])),
            ("empty_dict", json!({})),
            ("ordered.a", json!(1)),
            ("shared", json!([[1, 2, 3], [1, 2, 3]])),
            ("cycle.n", json!(1)),
            ("cycle.itself", json!({ "__cycle__": true })),
            ("[\"t\",1]", json!(5)),
            ("3.5", json!("f")),
            ("default.z", json!(1)),
            ("size", json!([2, 3])),
            ("cuda", json!("cuda:1")),
            ("cpu", json!("cpu")),
            ("dtype", json!("torch.bfloat16")),
            ("np_float32", json!(1.5)),
            ("np_int64", json!(-3)),
            ("np_bool", json!(true)),
            ("class", class("Config")),
            ("function", json!({ "__class__": "torch.nn.functional.relu" })),
            ("config", class("Config")),
            ("config.d_in", json!(4)),
            ("config.layers", json!([1, 2])),
            ("config.activation", class("Activation")),
            ("config.activation.__args__.0", json!("topk")),
            ("module", class("Module")),
            ("module.k", json!(5)),
            ("module.training", json!(true)),
            ("module.linear.in_features", json!(3)),
            ("point.__args__.1", json!(2)),
            ("slots.a", json!(1)),
            ("optimizer.groups.0.lr", json!(0.1)),
            ("optimizer.groups.0.params", json!([0, 1])),
        ];
        for (name, value) in expected {
            assert_eq!(found.values().get(name), Some(&value), "{name} in protocol {protocol}");
        }
    }
}

#[test]
fn tensors_that_are_not_read_leave_the_others_alone() {
    let found = open("foreign.pt");
    assert_eq!(
        found.get("plain").expect("a tensor").to_f32().expect("floats"),
        [1., 1.]
    );
    for (name, kind) in [
        ("uint16", "torch.uint16"),
        ("complex", "ComplexFloatStorage"),
        ("float8", "torch.float8_e4m3fn"),
        ("sparse", "_rebuild_sparse_tensor"),
        ("quantised", "_rebuild_qtensor"),
        ("negated", "negated"),
    ] {
        let error = found.get(name).expect_err(name);
        assert!(matches!(error, CheckpointError::Dtype { .. }), "{error}");
        says(&error, &[name, "foreign.pt", kind]);
    }
}

#[test]
fn other_kinds_of_file_are_refused_with_the_way_out() {
    let error = Checkpoint::open(&fixture("script.pt")).expect_err("a program");
    assert!(matches!(error, CheckpointError::Format { .. }));
    says(&error, &["script.pt", "TorchScript", "hint: ", "state_dict()"]);

    let legacy = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    let error = open_as("old.pt", legacy).expect_err("an old file");
    assert_eq!(error.path().file_name().expect("a name"), "old.pt");
    says(
        &error,
        &["before 1.6", "hint: ", "torch.save(torch.load(", "weights_only=True"],
    );

    let error = open_as("plain.pkl", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0}.").expect_err("a pickle");
    says(&error, &["plain.pkl", "Python pickle", "hint: "]);

    let mut big = Zip::default().stored("a/byteorder", b"big");
    big = big.stored("a/data.pkl", &pickle::whole(b"}"));
    says(
        &open_as("big.pt", &big.finish()).expect_err("big-endian"),
        &["byte order is `big`"],
    );
}

#[test]
fn what_has_no_name_is_called_after_the_file() {
    let storage = || pickle::storage("FloatStorage", "0", 2);
    let numbers = [1.5_f32, -2.0].map(f32::to_le_bytes);
    let lone = torch_archive(&pickle::tensor(storage(), 0, &[2], &[1]), numbers.as_flattened());
    let found = open_as("steering.pt", &lone).expect("a lone tensor");
    assert_eq!(
        found.get("steering").expect("it").to_f32().expect("floats"),
        [1.5, -2.0]
    );
    let list = [b"](".to_vec(), pickle::tensor(storage(), 1, &[], &[]), b"Ne".to_vec()].concat();
    let found = open_as("list.pt", &torch_archive(&list, numbers.as_flattened())).expect("a list");
    assert_eq!(found.get("0").expect("it").to_f32().expect("floats"), [-2.0]);
    assert_eq!(found.values()["1"], Value::Null);
    let found = open_as("number.pt", &torch_archive(b"K\x05", b"")).expect("a number");
    assert_eq!(found.values()["number"], json!(5));
}

#[test]
fn the_hash_is_that_of_the_file() {
    let folder = folder();
    for name in ["tensors.pt", "arrays.npz", "one.npy"] {
        let copy = folder.path().join("other.name");
        fs_err::copy(fixture(name), &copy).expect("copy");
        let hash = content_hash(&copy).expect("a hash");
        let bytes = fs_err::read(&copy).expect("read");
        assert_eq!(hash, blake3::hash(&bytes).to_hex().as_str());
    }
}
