use store::{Draft, Estimate, Spec, Status, Store, StoreError};

use crate::fixtures::{Row, draft, finished_rows, names, only, open, rows, spec};

#[test]
fn what_is_put_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let table = finished_rows(&writer, &spec(), &rows(100));
    assert_eq!(table.n(), 100);
    let put = writer.put(draft(spec()), Some(table)).unwrap();

    let store = Store::open(dir.path());
    let found = store.find(&spec().key().unwrap()).unwrap().unwrap();
    assert_eq!(found, put);
    assert_eq!(found.tables["layers"][0].at_number("layer"), Some(12.0));
    let back: Result<Vec<Row>, _> = store.rows(&found).unwrap().collect();
    assert_eq!(back.unwrap(), rows(100));

    let stem = "google-gemma-2-2b__blocks.12.hook_resid_post__layer_12-width_16k-average_l0_82__";
    let stem = format!("{stem}{}", put.key.short());
    assert_eq!(
        names(dir.path()),
        [format!("{stem}.json"), format!("{stem}.rows.csv.zst")]
    );
}

#[test]
fn a_unit_without_rows_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let record = writer.put(draft(Spec { sae: None, ..spec() }), None).unwrap();
    assert!(names(dir.path())[0].contains("__directions__"));
    assert!(matches!(
        writer.store().rows::<Row>(&record),
        Err(StoreError::NoRows { .. })
    ));
}

#[test]
fn an_empty_table_is_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let table = finished_rows(&writer, &spec(), &[]);
    let record = writer.put(draft(spec()), Some(table)).unwrap();
    assert_eq!(writer.store().rows::<Row>(&record).unwrap().count(), 0);
}

#[test]
fn failed_units_are_listed_and_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let Draft {
        spec: s, env, timing, ..
    } = draft(spec());
    writer
        .put(Draft::failed(s, env, timing, "out of memory"), None)
        .unwrap();
    assert_eq!(writer.store().find(&spec().key().unwrap()).unwrap(), None);
    let entries = writer.store().list().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0].record.as_ref().unwrap().error.as_deref(),
        Some("out of memory")
    );

    // Run again, this time to the end: the failed record is replaced.
    writer.put(draft(spec()), None).unwrap();
    assert!(writer.store().find(&spec().key().unwrap()).unwrap().is_some());
    assert_eq!(writer.store().list().unwrap().len(), 1);
}

#[test]
fn a_limit_makes_a_unit_limited_and_still_finished() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let limited = Spec {
        limit: Some(10),
        ..spec()
    };
    let record = writer.put(draft(limited.clone()), None).unwrap();
    assert_eq!(record.status, Status::Limited);
    assert!(writer.store().find(&limited.key().unwrap()).unwrap().is_some());
    assert_eq!(writer.store().find(&spec().key().unwrap()).unwrap(), None);
}

#[test]
fn the_fingerprint_is_of_the_results_alone() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let put = |draft: Draft| {
        let table = finished_rows(&writer, &draft.spec, &rows(5));
        writer.put(draft, Some(table)).unwrap().results_blake3
    };
    let base = put(draft(spec()));

    let mut elsewhere = draft(Spec { seed: 8, ..spec() });
    elsewhere.env.threads = 64;
    elsewhere.timing.wall_s = 9.0;
    assert_eq!(put(elsewhere), base);

    let mut other = draft(spec());
    other.letters[0].values.get_mut("ms").unwrap().n = 13;
    assert_ne!(put(other), base);
    let table = finished_rows(&writer, &spec(), &rows(6));
    assert_ne!(writer.put(draft(spec()), Some(table)).unwrap().results_blake3, base);
}

#[test]
fn rows_are_the_same_bytes_every_time() {
    let bytes = || {
        let dir = tempfile::tempdir().unwrap();
        let writer = open(dir.path());
        let table = finished_rows(&writer, &spec(), &rows(20_000));
        writer.put(draft(spec()), Some(table)).unwrap();
        std::fs::read(only(dir.path(), ".zst")).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    for bad in [
        Estimate::point(f64::NAN, 1, ""),
        Estimate::point(0.5, 1, "").with_interval(0.6, 0.4),
    ] {
        let mut draft = draft(spec());
        draft.letters[0].values.insert("bad".into(), bad);
        let error = writer.put(draft, None).unwrap_err();
        assert!(error.to_string().contains("`letters/a/leace/bad`"), "{error}");
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn rows_of_another_unit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let table = finished_rows(&writer, &spec(), &rows(3));
    let error = writer.put(draft(Spec { seed: 8, ..spec() }), Some(table)).unwrap_err();
    assert!(matches!(error, StoreError::RowsOfAnotherUnit { .. }));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("none"));
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.find(&spec().key().unwrap()).unwrap(), None);
}

#[test]
fn other_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("table.json"), "{}").unwrap();
    assert!(open(dir.path()).store().list().unwrap().is_empty());
    assert_eq!(names(dir.path()), ["table.json"]);
}
