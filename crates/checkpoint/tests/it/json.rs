//! JSON errors name the file, the place and the field.

use checkpoint::{CheckpointError, read_json, read_json_value};
use serde::Deserialize;

use crate::support::{folder, says};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    hidden_size: usize,
    #[expect(dead_code, reason = "read for its type only")]
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
struct Layer {
    #[expect(dead_code, reason = "read for its type only")]
    heads: u8,
}

#[test]
fn messages() {
    let folder = folder();
    let path = folder.path().join("config.json");
    let read = |text: &str| {
        fs_err::write(&path, text).expect("write");
        read_json::<Config>(&path)
    };
    assert_eq!(
        read(r#"{"hidden_size": 8, "layers": []}"#)
            .expect("a config")
            .hidden_size,
        8
    );
    let cases: [(&str, &[&str]); 6] = [
        (
            "{\"hidden_size\": \"8\"}",
            &["invalid type", "line 1 column 19", "`hidden_size`"],
        ),
        (
            "{\"layers\": [{\"heads\": 1},\n {\"heads\": 300}]}",
            &["300", "line 2", "`layers[1].heads`"],
        ),
        ("{\"layers\": [{}]}", &["missing field `heads`", "`layers[0]`"]),
        ("{\"layers\": []}", &["missing field `hidden_size`"]),
        ("{\"hidden_sise\": 8}", &["unknown field `hidden_sise`", "line 1"]),
        ("", &["EOF", "line 1"]),
    ];
    for (text, parts) in cases {
        let error = read(text).expect_err(text);
        assert!(matches!(error, CheckpointError::Json { .. }));
        says(&error, &["config.json"]);
        says(&error, parts);
    }
}

#[test]
fn files() {
    let folder = folder();
    let error = read_json_value(&folder.path().join("config.json")).expect_err("no file");
    says(&error, &["config.json", "no such file", "hint: "]);
    let error = read_json_value(folder.path()).expect_err("a folder");
    assert!(matches!(error, CheckpointError::Io { .. }));
    // The path is said once, although the I/O layer knows it too.
    assert_eq!(
        error.to_string().matches(&folder.path().display().to_string()).count(),
        1,
        "{error}"
    );
    let path = folder.path().join("value.json");
    fs_err::write(&path, r#"{"b": 1, "a": [null]}"#).expect("write");
    let value = read_json_value(&path).expect("a value");
    assert_eq!(value.to_string(), r#"{"b":1,"a":[null]}"#, "field order is kept");
}
