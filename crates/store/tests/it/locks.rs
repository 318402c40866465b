use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use store::{StoreError, Writer};

use crate::fixtures::{Row, names, open, rows, spec};

const CHILD_DIR: &str = "VERNIER_TEST_STORE_CHILD";

/// Not a test of its own: the process that [`a_kill_releases_the_lock_and_leaves_no_unit`] kills in the middle of its rows.
#[test]
fn child_that_waits_to_be_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let writer = open(Path::new(&dir));
    let mut table = writer.rows::<Row>(&spec()).unwrap();
    for row in rows(60_000) {
        table.write(&row).unwrap();
    }
    println!("\nwriting");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_mins(1));
}

fn child_in_the_middle_of_its_rows(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "locks::child_that_waits_to_be_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "writing"));
    child
}

#[test]
fn a_kill_releases_the_lock_and_leaves_no_unit() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = child_in_the_middle_of_its_rows(dir.path());

    let error = Writer::open(dir.path(), Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains(&format!("process {} since 2", child.id())), "{error}");
    assert!(error.contains("\nhint: wait until it ends"), "{error}");
    assert_eq!(names(dir.path()).len(), 1, "the temporary file of the child");
    assert_eq!(
        store::Store::open(dir.path()).find(&spec().key().unwrap()).unwrap(),
        None
    );

    child.kill().unwrap();
    child.wait().unwrap();
    let _writer = open(dir.path());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_second_writer_waits_as_long_as_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let start = Instant::now();
    let error = Writer::open(dir.path(), Duration::from_millis(250)).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    assert!(start.elapsed() >= Duration::from_millis(250));

    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        drop(first);
    });
    assert!(Writer::open(dir.path(), Duration::from_secs(20)).is_ok());
    release.join().unwrap();
}
