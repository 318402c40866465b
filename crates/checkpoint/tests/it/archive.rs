//! Zip archives built by hand.

use checkpoint::{Checkpoint, CheckpointError, WeightFormat};

use crate::build::{Zip, pickle};
use crate::support::{fixture, folder, open_as, says};

fn numbers() -> Vec<u8> {
    (0..64).flat_map(|i| (i as f32).to_le_bytes()).collect()
}

/// A matrix that is stored by columns, under the name `w`.
fn transposed() -> Vec<u8> {
    pickle::whole(&pickle::dict(&[(
        "w",
        pickle::tensor(pickle::storage("FloatStorage", "0", 64), 0, &[8, 8], &[1, 8]),
    )]))
}

#[track_caller]
fn reads(bytes: &[u8]) {
    let found = open_as("model.bin", bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.format(), WeightFormat::Torch);
    let expected: Vec<f32> = (0..64).map(|i| (i / 8 + i % 8 * 8) as f32).collect();
    assert_eq!(found.get("w").expect("it").to_f32().expect("floats"), expected);
}

#[test]
fn both_directories_and_both_methods() {
    for wide in [false, true] {
        let zip = || Zip::new(wide);
        reads(
            &zip()
                .stored("data.pkl", &transposed())
                .stored("data/0", &numbers())
                .finish(),
        );
        reads(
            &zip()
                .deflated("m/data.pkl", &transposed())
                .deflated("m/data/0", &numbers())
                .finish(),
        );
    }
}

#[test]
fn a_comment_may_follow() {
    let mut bytes = Zip::default()
        .stored("data.pkl", &transposed())
        .stored("data/0", &numbers())
        .finish();
    let length = bytes.len();
    bytes[length - 2] = 9;
    bytes.extend(b"a comment");
    reads(&bytes);
}

#[test]
fn truncated_anywhere() {
    let folder = folder();
    for name in ["tensors.pt", "arrays.npz", "arrays_deflated.npz", "one.npy"] {
        let bytes = fs_err::read(fixture(name)).expect("a fixture");
        let path = folder.path().join(name);
        // The first bytes tell the format; a shorter file is taken for safetensors, and truncated too.
        for length in (0..bytes.len()).step_by(37).chain(bytes.len() - 25..bytes.len()) {
            fs_err::write(&path, &bytes[..length]).expect("write");
            let error = Checkpoint::open(&path).expect_err("a truncated file");
            assert!(
                matches!(error, CheckpointError::Truncated { .. }),
                "at {length}: {error}"
            );
            says(&error, &[name, "hint: "]);
        }
    }
}

#[test]
fn members_that_are_refused() {
    let zip = || Zip::default().stored("data.pkl", &transposed());
    let mut encrypted = zip().stored("data/0", &numbers()).finish();
    let entry = encrypted
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x01\x02")
        .expect("an entry");
    encrypted[entry + 8] = 1;
    let mut moved = zip().stored("data/0", &numbers()).finish();
    moved[entry + 42] += 1;
    let mut outside = zip().stored("data/0", &numbers()).finish();
    outside[entry + 20..entry + 28].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    let mut counted = zip().stored("data/0", &numbers()).finish();
    let end = counted.len();
    counted[end - 12] = 3;
    for (bytes, reason) in [
        (encrypted, "encrypted"),
        (moved, "local header"),
        (outside, "beyond the end"),
        (counted, "claims 3"),
        (zip().finish(), "no member of this name"),
        (zip().stored("data/0", &numbers()[..255]).finish(), "has 255 bytes"),
        (zip().member("data/0", 12, &numbers(), 256, 0).finish(), "method 12"),
        (
            zip().member("data/0", 0, &numbers(), 257, 0).finish(),
            "two different sizes",
        ),
        (
            zip().member("data/0", 8, &numbers(), 1 << 30, 0).finish(),
            "cannot hold",
        ),
        (
            zip().stored("data/0", &numbers()).stored("data/0", &[]).finish(),
            "twice",
        ),
    ] {
        says(
            &open_as("model.pt", &bytes).expect_err(reason),
            &["model.pt", reason, "hint: "],
        );
    }
}

#[test]
fn damaged_deflated_members_are_found_when_they_are_read() {
    let packed = {
        let zip = Zip::default().deflated("data/0", &numbers()).finish();
        let directory = zip
            .windows(4)
            .position(|bytes| bytes == b"PK\x01\x02")
            .expect("a directory");
        zip[30 + "data/0".len() + 7..directory].to_vec()
    };
    let mut crc = flate2::Crc::new();
    crc.update(&numbers());
    let open = |packed: &[u8], size, crc| {
        let zip = Zip::default().stored("data.pkl", &transposed());
        open_as("model.pt", &zip.member("data/0", 8, packed, size, crc).finish())
    };
    let read = |found: &Checkpoint| found.get("w").map(|view| view.bytes.len());
    assert_eq!(read(&open(&packed, 256, crc.sum()).expect("fine")).expect("fine"), 256);
    let noise: Vec<u8> = packed.iter().map(|byte| byte ^ 0x55).collect();
    for (packed, size, crc, reason) in [
        (&packed[..], 256, 1, "checksum"),
        (&packed[..], 260, 0, "fewer"),
        (&packed[..packed.len() / 2], 256, 0, ""),
        (&noise, 256, 0, ""),
    ] {
        let found = open(packed, size, crc).expect("the directory is fine");
        let error = read(&found).expect_err("damage");
        assert!(matches!(error, CheckpointError::Tensor { .. }));
        says(&error, &["`w`", "model.pt", reason, "hint: "]);
        assert_eq!(read(&found).expect_err("again").to_string(), error.to_string());
    }
}
