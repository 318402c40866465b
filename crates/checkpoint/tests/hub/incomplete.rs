//! Snapshots with something missing, and the file that the error names.
#![cfg(unix)] // Links to blobs are what these are about.

use checkpoint::hub::{HubError, Wanted};

use crate::support::{COMMIT, Fake, MODEL, MODEL_FILES, put, says};

#[track_caller]
fn names_file(fake: &Fake, text: &str, wanted: Wanted, file: &str, parts: &[&str]) {
    match says(fake.cache().find(text, wanted), parts) {
        HubError::Incomplete { file: found, fetch, .. } => {
            assert_eq!(found, fake.snapshot("a/b", COMMIT).join(file));
            assert!(fetch[0].contains("hf download a/b"), "{fetch:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_file_of_a_model() {
    for missing in MODEL_FILES {
        let rest: Vec<&str> = MODEL_FILES.into_iter().filter(|file| *file != missing).collect();
        let fake = Fake::new().with("a/b", &rest);
        names_file(&fake, "a/b", MODEL, missing, &["is missing", "hint: fetch it with"]);
    }
    let fake = Fake::new().with("a/b", &["config.json", "model.safetensors"]);
    fake.cache().find("a/b", Wanted::Model { tokenizer: false }).unwrap();
}

#[test]
fn links_without_a_blob() {
    for dangling in MODEL_FILES {
        let rest: Vec<&str> = MODEL_FILES.into_iter().filter(|file| *file != dangling).collect();
        let fake = Fake::new().with("a/b", &rest);
        fake.link("a/b", COMMIT, dangling, "../../blobs/gone");
        names_file(
            &fake,
            "a/b",
            MODEL,
            dangling,
            &["a link to `../../blobs/gone`, which does not exist"],
        );
    }
}

#[test]
fn a_download_that_stopped() {
    for name in ["abc.incomplete", "abc.1234abcd.incomplete", "abc.part"] {
        let fake = Fake::new().with("a/b", &["config.json", "tokenizer.json"]);
        put(&fake.repo("a/b").join("blobs").join(name), "half");
        names_file(
            &fake,
            "a/b",
            MODEL,
            "model.safetensors",
            &["a download stopped midway", name],
        );
    }
}

#[test]
fn a_shard() {
    let fake = Fake::new().with(
        "a/b",
        &["config.json", "tokenizer.json", "model-00001-of-00002.safetensors"],
    );
    let index = r#"{"weight_map":{"x":"model-00001-of-00002.safetensors","y":"model-00002-of-00002.safetensors"}}"#;
    fake.add("a/b", COMMIT, "model.safetensors.index.json", index);
    let missing = "model-00002-of-00002.safetensors";
    names_file(&fake, "a/b", MODEL, missing, &["places tensor `y` in this shard"]);
    fake.link("a/b", COMMIT, missing, "../../blobs/gone");
    names_file(&fake, "a/b", MODEL, missing, &["which does not exist"]);
    fs_err::write(fake.repo("a/b").join("blobs/gone"), "").unwrap();
    fake.cache().find("a/b", MODEL).unwrap();
}

#[test]
fn a_shard_index_that_leads_out() {
    let fake = Fake::new().with("a/b", &["config.json", "tokenizer.json"]);
    fake.add(
        "a/b",
        COMMIT,
        "model.safetensors.index.json",
        r#"{"weight_map":{"x":"../../../etc/passwd"}}"#,
    );
    let error = says(
        fake.cache().find("a/b", MODEL),
        &["is not the name of a file in the same folder"],
    );
    assert!(matches!(error, HubError::Checkpoint(_)));
}

#[test]
fn the_other_half_of_an_sae() {
    for (has, missing) in [
        ("sae_weights.safetensors", "cfg.json"),
        ("sae.safetensors", "cfg.json"),
        ("ae.pt", "config.json"),
        ("checkpoints/final.safetensors", "hyperparams.json"),
        ("cfg.json", "sae_weights.safetensors"),
        ("config.json", "ae.pt"),
        ("hyperparams.json", "checkpoints/final.safetensors"),
    ] {
        let fake = Fake::new().with("a/b", &[&format!("x/{has}")]);
        names_file(&fake, "a/b:x", Wanted::Sae, &format!("x/{missing}"), &[]);
        // Half an SAE among whole ones is an error too, not a match to pass over.
        names_file(&fake, "a/b:*", Wanted::Sae, &format!("x/{missing}"), &[]);
    }
    for whole in [
        &["params.npz"][..],
        &["w.pt"],
        &["params.safetensors"],
        &["ae.pt", "config.json"],
    ] {
        let fake = Fake::new().with("a/b", whole);
        fake.cache().find("a/b", Wanted::Sae).unwrap();
    }
}

#[test]
fn a_link_to_nothing_in_an_sae() {
    let fake = Fake::new().with("a/b", &[]);
    for file in ["x/params.npz", "y.pt", "z/other.pt"] {
        fake.link("a/b", COMMIT, file, "../nowhere");
    }
    names_file(&fake, "a/b:x", Wanted::Sae, "x/params.npz", &["../nowhere"]);
    names_file(&fake, "a/b:y.pt", Wanted::Sae, "y.pt", &["../nowhere"]);
    names_file(&fake, "a/b:z", Wanted::Sae, "z/other.pt", &["../nowhere"]);
    names_file(&fake, "a/b:*.pt", Wanted::Sae, "y.pt", &["../nowhere"]);
}

#[test]
fn weights_in_another_format() {
    let fake = Fake::new().with("a/b", &["config.json", "tokenizer.json", "pytorch_model.bin"]);
    names_file(
        &fake,
        "a/b",
        MODEL,
        "model.safetensors",
        &["`pytorch_model.bin`, which is not safetensors"],
    );
    let fake = Fake::new().with("a/b", &MODEL_FILES);
    says(
        fake.cache().find("a/b:model.safetensors", MODEL),
        &["is not a model folder: it is a file"],
    );
}

#[test]
fn a_ref_that_holds_no_commit() {
    for text in ["", "../../../../etc", "main", "0123"] {
        let fake = Fake::new().with("a/b", &MODEL_FILES);
        fake.set_ref("a/b", "main", text);
        says(fake.cache().find("a/b", MODEL), &["does not hold a commit"]);
    }
}
