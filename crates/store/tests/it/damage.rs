use std::path::Path;

use serde_json::{Value, json};
use store::{Record, StoreError, write_atomic};

use crate::fixtures::{Row, draft, finished_rows, names, only, open, rows, spec};

fn with_unit() -> (tempfile::TempDir, Record) {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let table = finished_rows(&writer, &spec(), &rows(50));
    let record = writer.put(draft(spec()), Some(table)).unwrap();
    (dir, record)
}

fn find(dir: &Path) -> Result<Option<Record>, StoreError> {
    store::Store::open(dir).find(&spec().key().unwrap())
}

fn edit(dir: &Path, change: impl FnOnce(&mut Value)) {
    let path = only(dir, ".json");
    let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();
}

#[test]
fn a_writer_dropped_midway_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut table = writer.rows::<Row>(&spec()).unwrap();
    for row in rows(1000) {
        table.write(&row).unwrap();
    }
    drop(table);
    drop(finished_rows(&writer, &spec(), &rows(10)));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn rows_without_record_are_ignored_and_overwritten() {
    let (dir, record) = with_unit();
    std::fs::remove_file(only(dir.path(), ".json")).unwrap();
    assert_eq!(find(dir.path()).unwrap(), None);
    let writer = open(dir.path());
    let table = finished_rows(&writer, &spec(), &rows(50));
    assert_eq!(writer.put(draft(spec()), Some(table)).unwrap(), record);
    assert_eq!(find(dir.path()).unwrap(), Some(record));
}

#[test]
fn a_truncated_record_is_named_with_the_way_out() {
    let (dir, _) = with_unit();
    let path = only(dir.path(), ".json");
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 1, 30, bytes.len() / 2, bytes.len() - 3] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = find(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::CorruptRecord { .. }), "{error}");
        assert!(
            error.to_string().contains("\nhint: move it away or delete it"),
            "{error}"
        );
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    // The rest of the folder stays usable, and doing the unit again repairs it.
    assert!(store::Store::open(dir.path()).list().unwrap()[0].record.is_err());
    open(dir.path()).put(draft(spec()), None).unwrap();
    assert!(find(dir.path()).unwrap().is_some());
}

#[test]
fn edited_records_are_refused() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 5] = [
        (|v| v["spec"]["seed"] = json!(8), "the spec of"),
        (|v| v["summary"]["leace/ms"]["value"] = json!(0.9), "the results of"),
        (|v| v["letters"][0]["values"]["ms"]["n"] = json!(9), "the results of"),
        (|v| v["schema_version"] = json!(2), "schema version 2"),
        (|v| v["surprise"] = json!(1), "not a readable record"),
    ];
    for (change, expect) in changes {
        let (dir, _) = with_unit();
        edit(dir.path(), change);
        let error = find(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    // Where and when it ran is not part of the fingerprint.
    let (dir, _) = with_unit();
    edit(dir.path(), |v| v["env"]["threads"] = json!(3));
    assert!(find(dir.path()).unwrap().is_some());
}

#[test]
fn tampered_rows_are_refused() {
    let check = |damage: fn(&Path), expect: &str| {
        let (dir, record) = with_unit();
        damage(&only(dir.path(), ".zst"));
        let error = find(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(store::Store::open(dir.path()).rows::<Row>(&record).is_err());
    };
    check(|path| std::fs::remove_file(path).unwrap(), "the file is missing");
    check(|path| std::fs::write(path, b"").unwrap(), "it does not decompress");
    check(
        |path| std::fs::write(path, b"word,letter\n").unwrap(),
        "it does not decompress",
    );
    check(
        |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        "it does not decompress",
    );
    check(
        |path| {
            let text = zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap();
            let text = String::from_utf8(text).unwrap().replacen("0.33", "0.34", 1);
            std::fs::write(path, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
        },
        "the content has another hash",
    );
}

#[test]
fn another_compression_of_the_same_rows_is_accepted() {
    let (dir, record) = with_unit();
    let path = only(dir.path(), ".zst");
    let text = zstd::decode_all(&*std::fs::read(&path).unwrap()).unwrap();
    std::fs::write(&path, zstd::encode_all(&*text, 19).unwrap()).unwrap();
    assert_eq!(find(dir.path()).unwrap(), Some(record));
}

#[test]
fn rows_cannot_lead_out_of_the_folder() {
    let (dir, mut record) = with_unit();
    for path in ["../x.zst", "/etc/passwd", "a/b", "..", ""] {
        record.rows.as_mut().unwrap().path = path.into();
        let error = store::Store::open(dir.path()).rows::<Row>(&record).unwrap_err();
        assert!(error.to_string().contains("not a plain file name"), "{path}: {error}");
    }
}

#[test]
fn a_failed_write_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    write_atomic(&path, b"old").unwrap();
    drop(store::AtomicFile::create(&path).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    write_atomic(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(names(dir.path()), ["page.html"]);
    assert!(write_atomic(&dir.path().join("none/page.html"), b"").is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn only_our_abandoned_files_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    // No process has this number: it is above the highest that Linux hands out.
    let dead = ".vernier-tmp-4194999-abc";
    let own = format!(".vernier-tmp-{}-abc", std::process::id());
    let alive = format!(".vernier-tmp-{}-abc", std::os::unix::process::parent_id());
    for name in [dead, &own, &alive, ".tmp-of-somebody", "vernier-tmp-1"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    let _writer = open(dir.path());
    assert_eq!(names(dir.path()), [".tmp-of-somebody", &alive, "vernier-tmp-1"]);
}
