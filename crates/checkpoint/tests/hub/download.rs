//! Fetching from a small server on this machine, and what interrupts it.

use std::collections::BTreeSet;
use std::path::Path;

use checkpoint::hub::{Cache, DownloadError, Downloader, Event, HubError, Reference, Resolved, Wanted};

use crate::server::{Server, files, sha256};
use crate::support::{COMMIT, Fake, MODEL, MODEL_FILES, OTHER, names, put, says};

const NO_REPORT: fn(Event<'_>) = |_| {};

fn get(downloader: &Downloader, text: &str, wanted: Wanted) -> Result<Vec<Resolved>, DownloadError> {
    downloader.find(text, wanted, &mut { NO_REPORT })
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Everything under the repository's folder but partial blobs.
fn final_names(fake: &Fake) -> Vec<String> {
    fn walk(folder: &Path, out: &mut Vec<String>) {
        for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), out);
            } else {
                out.push(entry.path().to_string_lossy().into_owned());
            }
        }
    }
    let mut out = Vec::new();
    walk(&fake.repo("a/b"), &mut out);
    out.retain(|name| !name.ends_with(".incomplete"));
    out
}

#[track_caller]
fn fails(result: Result<Vec<Resolved>, DownloadError>, parts: &[&str]) -> DownloadError {
    let error = result.expect_err("an error");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

#[test]
fn a_model_is_fetched_once_and_then_found_offline() {
    let server = Server::new(&[
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "README.md",
        "pytorch_model.bin",
    ]);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    let mut events = Vec::new();
    let found = downloader
        .find("a/b", MODEL, &mut |event| events.push(format!("{event:?}")))
        .unwrap();
    assert_eq!(found, fake.cache().find("a/b", MODEL).unwrap());
    assert_eq!(found[0].hub.as_ref().unwrap().commit, COMMIT);
    assert_eq!(files(&server.asked()), set(&MODEL_FILES));
    assert!(events[0].starts_with("Planned { files: 3, bytes: 8100 }"), "{events:?}");
    assert_eq!(events.iter().filter(|event| event.starts_with("Finished")).count(), 3);
    for (file, bytes) in server
        .state()
        .files
        .iter()
        .filter(|(file, _)| MODEL_FILES.contains(&file.as_str()))
    {
        assert_eq!(&fs_err::read(found[0].path.join(file)).unwrap(), bytes);
    }
    // The layout of Python's tools.
    let weights = sha256(&server.state().files["model.safetensors"]);
    assert!(fake.repo("a/b").join("blobs").join(&weights).is_file());
    #[cfg(unix)]
    assert_eq!(
        fs_err::read_link(found[0].path.join("model.safetensors")).unwrap(),
        Path::new(&format!("../../blobs/{weights}"))
    );
    assert_eq!(
        fs_err::read_to_string(fake.repo("a/b").join("refs/main")).unwrap(),
        COMMIT
    );
    assert_eq!(final_names(&fake).len(), 7);
    get(&downloader, "a/b", MODEL).unwrap();
    assert!(server.asked().is_empty());
}

#[test]
fn a_cached_branch_does_not_move() {
    let server = Server::new(&MODEL_FILES);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    get(&downloader, "a/b", MODEL).unwrap();
    OTHER.clone_into(&mut server.state().commit);
    let found = get(&downloader, "a/b", MODEL).unwrap();
    assert_eq!(found[0].hub.as_ref().unwrap().commit, COMMIT);
    // Unless somebody asks for it; blobs that are there are not fetched again.
    server.asked();
    let commit = downloader
        .fetch(&Reference::parse("a/b").unwrap(), MODEL, &mut { NO_REPORT })
        .unwrap();
    assert_eq!(commit.as_deref(), Some(OTHER));
    assert!(files(&server.asked()).is_empty());
    assert_eq!(
        get(&downloader, "a/b", MODEL).unwrap()[0].hub.as_ref().unwrap().commit,
        OTHER
    );
    // A commit needs no ref.
    get(&downloader, &format!("a/b@{OTHER}"), MODEL).unwrap();
    let refs = fs_err::read_dir(fake.repo("a/b").join("refs")).unwrap();
    assert_eq!(refs.count(), 1);
}

#[test]
fn a_cut_connection_leaves_nothing_under_a_final_name() {
    for cut in [0, 1, 1000] {
        let server = Server::new(&["params.npz"]);
        server.state().cut = (cut, 1);
        let fake = Fake::new();
        let downloader = server.downloader(fake.cache());
        let error = fails(
            get(&downloader, "a/b", Wanted::Sae),
            &["`params.npz` stopped after", "goes on from there"],
        );
        assert!(
            matches!(error, DownloadError::Interrupted { done, total: 2300, .. } if done == cut as u64),
            "{error}"
        );
        assert_eq!(final_names(&fake), Vec::<String>::new());
        says(fake.cache().find("a/b", Wanted::Sae), &["is not cached"]);
        server.asked();
        let found = get(&downloader, "a/b", Wanted::Sae).unwrap();
        let range = server.asked().last().unwrap().range;
        assert_eq!(range, Some(cut).filter(|cut| *cut > 0));
        assert_eq!(
            fs_err::read(found[0].path.join("params.npz")).unwrap(),
            server.state().files["params.npz"]
        );
        assert_eq!(final_names(&fake).len(), 3);
    }
}

#[test]
fn another_attempt_goes_on() {
    let server = Server::new(&["params.npz"]);
    server.state().cut = (1000, 1);
    let fake = Fake::new();
    let mut retries = 0;
    let downloader = server.downloader(fake.cache()).attempts(2);
    let mut report = |event: Event<'_>| retries += u32::from(matches!(event, Event::Retrying { .. }));
    downloader.find("a/b", Wanted::Sae, &mut report).unwrap();
    assert_eq!(retries, 1);
    assert_eq!(server.asked().last().unwrap().range, Some(1000));
}

#[test]
fn a_server_that_cannot_go_on_starts_again() {
    let server = Server::new(&["params.npz"]);
    server.state().cut = (1000, 1);
    server.state().no_ranges = true;
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    get(&downloader, "a/b", Wanted::Sae).unwrap_err();
    get(&downloader, "a/b", Wanted::Sae).unwrap();
}

#[test]
fn partial_files_of_any_kind() {
    let server = Server::new(&["params.npz"]);
    let bytes = server.state().files["params.npz"].clone();
    let longer = [&bytes[..], b"x"].concat();
    for (partial, succeeds) in [(&bytes[..], true), (&longer, true), (b"wrong", false)] {
        let fake = Fake::new();
        let path = fake
            .repo("a/b")
            .join("blobs")
            .join(format!("{}.incomplete", sha256(&bytes)));
        put(&path, "");
        fs_err::write(&path, partial).unwrap();
        let downloader = server.downloader(fake.cache());
        if !succeeds {
            fails(get(&downloader, "a/b", Wanted::Sae), &["arrived damaged: its SHA-256"]);
        }
        get(&downloader, "a/b", Wanted::Sae).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn other_bytes_than_promised() {
    for (length, part) in [
        (2300, "SHA-256"),
        (2301, "longer than listed"),
        (9000, "longer than listed"),
        (10, "stopped after 10"),
    ] {
        let server = Server::new(&["params.npz"]);
        server.state().instead = Some(vec![b'x'; length]);
        let fake = Fake::new();
        let downloader = server.downloader(fake.cache());
        fails(get(&downloader, "a/b", Wanted::Sae), &[part]);
        assert_eq!(final_names(&fake), Vec::<String>::new());
    }
}

#[test]
fn what_the_hub_refuses() {
    let server = Server::new(&MODEL_FILES);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    let listing = |error: (u16, &'static str), parts: &[&str]| {
        server.state().listing_error = Some(error);
        let error = fails(get(&downloader, "a/b@v1", MODEL), parts);
        server.state().listing_error = None;
        error
    };
    let unknown = &["the hub has no repository `a/b` that you may see", "check the spelling"];
    for status in [(401, "RepoNotFound"), (404, "RepoNotFound"), (401, ""), (404, "")] {
        assert!(matches!(listing(status, unknown), DownloadError::UnknownRepo { .. }));
    }
    let error = listing((404, "RevisionNotFound"), &["`a/b` has no revision `v1`"]);
    assert!(matches!(error, DownloadError::UnknownRevision { .. }));
    listing(
        (403, "GatedRepo"),
        &["`a/b` is gated, and no token was sent", "hf auth login"],
    );
    listing((500, "Oops"), &["answered 500: message of Oops"]);

    // A bad token says nothing about the repository.
    listing((401, "refused"), &["answered 401: Invalid credentials"]);

    let file = |error: (u16, &'static str), parts: &[&str]| {
        server.state().file_error = Some(error);
        let error = fails(get(&downloader, "a/b@main", MODEL), parts);
        server.state().file_error = None;
        assert!(fake.cache().find("a/b", MODEL).is_err());
        error
    };
    for status in [(401, "GatedRepo"), (403, "GatedRepo"), (401, ""), (403, "")] {
        let error = file(status, &["is gated", "https://huggingface.co/a/b"]);
        assert!(matches!(error, DownloadError::Gated { with_token: false, .. }));
    }
    let error = file(
        (404, "EntryNotFound"),
        &["`a/b` has no file `config.json` at commit 0123"],
    );
    assert!(matches!(error, DownloadError::UnknownFile { .. }));
    file((503, ""), &["answered 503"]);
}

#[test]
fn what_the_repository_does_not_have() {
    let server = Server::new(&["config.json", "model.safetensors", "layer_1/width_16k/l0_9/params.npz"]);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    fails(
        get(&downloader, "a/b", MODEL),
        &["has no file `tokenizer.json`", "`config.json`"],
    );
    let sae = |path: &str| get(&downloader, &format!("a/b:{path}"), Wanted::Sae);
    fails(
        sae("layer_1/width_16k/l0_8"),
        &["no file or folder `layer_1/width_16k/l0_8`", "hint: it has `l0_9`"],
    );
    fails(
        sae("layer_1/width_17k/*"),
        &["no match for `layer_1/width_17k/*`", "`width_16k`"],
    );
    fails(sae("layer_1/*"), &["no match that is what is wanted", "`width_16k`"]);
    fails(sae("layer_1"), &["no SAE in its folder `layer_1`", "`width_16k`"]);
    let error = fails(
        get(&downloader, "a/b:config.json", MODEL),
        &["no model folder `config.json`"],
    );
    assert!(matches!(error, DownloadError::UnknownFile { .. }));
    assert!(files(&server.asked()).is_empty());
}

#[test]
fn hostile_answers() {
    let fake = Fake::new();
    let server = Server::new(&["params.npz"]);
    let downloader = server.downloader(fake.cache());
    "../../../x".clone_into(&mut server.state().commit);
    fails(
        get(&downloader, "a/b", Wanted::Sae),
        &["did not answer as the hub does", "not a commit"],
    );
    COMMIT.clone_into(&mut server.state().commit);
    // Names that lead out are as good as absent.
    for name in [
        "../params.npz",
        "x/../../params.npz",
        "/params.npz",
        "x\\..\\params.npz",
        "C:/params.npz",
    ] {
        server.state().files = [(name.to_owned(), vec![1])].into();
        fails(get(&downloader, "a/b", Wanted::Sae), &["has no SAE"]);
        fails(get(&downloader, "a/b:**/*.npz", Wanted::Sae), &["no match"]);
    }
    // So is a blob whose name does: the file's own headers are asked for instead.
    let server = Server::new(&["w.pt"]);
    let downloader = server.downloader(fake.cache());
    server.state().blob_id = Some("../../../../evil".to_owned());
    get(&downloader, "a/b", Wanted::Sae).unwrap();
    assert_eq!(server.asked()[1].method, "HEAD");
    assert!(!fake.root().join("../evil").exists());
}

#[test]
fn a_mirror_that_lists_names_only() {
    let server = Server::new(&MODEL_FILES);
    server.state().names_only = true;
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    let found = get(&downloader, "a/b", MODEL).unwrap();
    let weights = sha256(&server.state().files["model.safetensors"]);
    assert!(fake.repo("a/b").join("blobs").join(weights).is_file());
    assert!(found[0].path.join("config.json").is_file());
    assert_eq!(
        server.asked().iter().filter(|request| request.method == "HEAD").count(),
        3
    );
}

#[test]
fn offline_forbids_it() {
    let server = Server::new(&MODEL_FILES);
    let root = Fake::new();
    let environment = server.environment(&[("HF_HUB_OFFLINE", "1"), ("HF_HUB_CACHE", root.root().to_str().unwrap())]);
    let downloader = Downloader::new(Cache::new(&environment), &environment).unwrap();
    for text in ["a/b", "a/b:x/*"] {
        let error = fails(
            get(&downloader, text, MODEL),
            &["is not cached", "`HF_HUB_OFFLINE` is set, so"],
        );
        assert!(matches!(error, DownloadError::Hub(HubError::NotCached { .. })));
    }
    let error = downloader
        .fetch(&Reference::parse("a/b").unwrap(), MODEL, &mut { NO_REPORT })
        .unwrap_err();
    assert!(matches!(error, DownloadError::Offline { .. }), "{error}");
    assert!(server.asked().is_empty());
}

#[test]
fn paths_are_never_fetched() {
    let server = Server::new(&MODEL_FILES);
    let downloader = server.downloader(Fake::new().cache());
    for text in ["./a/b", "a/b/c", "b*"] {
        let error = get(&downloader, text, MODEL).unwrap_err();
        assert!(
            matches!(
                error,
                DownloadError::Hub(HubError::NoSuchPath { .. } | HubError::NoMatch { .. })
            ),
            "{error}"
        );
    }
    let error = get(&downloader, "src/hub", MODEL).unwrap_err();
    assert!(
        matches!(error, DownloadError::Hub(HubError::Incomplete { .. })),
        "{error}"
    );
    assert!(server.asked().is_empty());
}

#[test]
fn a_glob_fetches_what_the_cache_lacks() {
    let server = Server::new(&[
        "l/w/l0_9/params.npz",
        "l/w/l0_82/params.npz",
        "l/w/l0_82/notes.txt",
        "l/v/l0_1/params.npz",
    ]);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    get(&downloader, "a/b:l/w/l0_82", Wanted::Sae).unwrap();
    assert_eq!(names(fake.cache().find("a/b:l/w/*", Wanted::Sae)), ["l0_82"]);
    server.asked();
    let found = get(&downloader, "a/b:l/w/*", Wanted::Sae).unwrap();
    assert_eq!(names(Ok(found)), ["l0_9", "l0_82"]);
    assert_eq!(files(&server.asked()), set(&["l/w/l0_9/params.npz"]));
}

#[test]
fn the_files_of_each_layout() {
    let all = [
        "scope/params.safetensors",
        "scope/config.json",
        "scope/examples.safetensors",
        "llama/hyperparams.json",
        "llama/checkpoints/final.safetensors",
        "llama/checkpoints/step_1.safetensors",
        "dict/ae.pt",
        "dict/config.json",
        "dict/checkpoints/ae_1.pt",
        "open/sae 1.pt",
        "lens/sae_weights.safetensors",
    ];
    let server = Server::new(&all);
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    for (folder, expected) in [
        ("scope", &["scope/params.safetensors", "scope/config.json"][..]),
        (
            "llama",
            &["llama/hyperparams.json", "llama/checkpoints/final.safetensors"],
        ),
        ("dict", &["dict/ae.pt", "dict/config.json"]),
        ("open", &["open/sae%201.pt"]),
        ("dict/checkpoints/ae_1.pt", &["dict/checkpoints/ae_1.pt"]),
    ] {
        get(&downloader, &format!("a/b:{folder}"), Wanted::Sae).unwrap();
        assert_eq!(files(&server.asked()), set(expected), "{folder}");
    }
    fails(get(&downloader, "a/b:lens", Wanted::Sae), &["no file `lens/cfg.json`"]);
}

#[test]
fn shards() {
    let server = Server::new(&[
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]);
    let index = r#"{"weight_map":{"x":"model-00001-of-00002.safetensors","y":"model-00002-of-00002.safetensors"}}"#;
    server
        .state()
        .files
        .insert("model.safetensors.index.json".to_owned(), index.into());
    let fake = Fake::new();
    let downloader = server.downloader(fake.cache());
    get(&downloader, "a/b", Wanted::Model { tokenizer: false }).unwrap();
    assert_eq!(files(&server.asked()).len(), 4);
    // One that somebody removed is fetched again, and only that.
    fs_err::remove_file(fake.snapshot("a/b", COMMIT).join("model-00002-of-00002.safetensors")).unwrap();
    let blob = sha256(&server.state().files["model-00002-of-00002.safetensors"]);
    fs_err::remove_file(fake.repo("a/b").join("blobs").join(blob)).unwrap();
    get(&downloader, "a/b", Wanted::Model { tokenizer: false }).unwrap();
    assert_eq!(files(&server.asked()), set(&["model-00002-of-00002.safetensors"]));
}

#[test]
fn the_token_goes_to_the_endpoint_only() {
    let home = Fake::new();
    put(&home.root().join("token"), "hf_file\n");
    let home = home.root().to_str().unwrap();
    for (pairs, expected) in [
        (&[("HF_TOKEN", " hf_env ")][..], Some("Bearer hf_env")),
        (&[("HF_HOME", home)], Some("Bearer hf_file")),
        (&[("HF_HOME", home), ("HF_TOKEN", "")], Some("Bearer hf_file")),
        (&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None),
        (&[("HF_HOME", "/nowhere")], None),
    ] {
        let server = Server::new(&["params.npz"]);
        let fake = Fake::new();
        let downloader = Downloader::new(fake.cache(), &server.environment(pairs)).unwrap();
        get(&downloader, "a/b", Wanted::Sae).unwrap();
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        for request in asked {
            let expected = expected.filter(|_| !request.host.starts_with("localhost"));
            assert_eq!(request.token.as_deref(), expected, "{request:?}");
        }
        assert!(!format!("{downloader:?} {:?}", server.environment(pairs)).contains("hf_env"));
    }
}

#[test]
fn two_at_once_fetch_once() {
    let server = Server::new(&["params.npz"]);
    let fake = Fake::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| get(&server.downloader(fake.cache()), "a/b", Wanted::Sae).unwrap());
        }
    });
    let storage = server
        .asked()
        .into_iter()
        .filter(|request| request.path.starts_with("/cdn/"));
    assert_eq!(storage.count(), 1);
}

#[test]
fn nobody_answers() {
    let server = Server::new(&[]);
    let environment = server.environment(&[("HF_ENDPOINT", "http://127.0.0.1:1")]);
    let fake = Fake::new();
    let downloader = Downloader::new(fake.cache(), &environment).unwrap();
    let error = fails(
        get(&downloader, "a/b", MODEL),
        &["cannot reach `http://127.0.0.1:1/api/models/a/b", "HF_ENDPOINT"],
    );
    assert!(matches!(error, DownloadError::Unreachable { .. }));
    let certificates = fake.root().join("none.pem");
    put(&certificates, "");
    let pairs = [("SSL_CERT_FILE", certificates.to_str().unwrap())];
    let error = Downloader::new(fake.cache(), &server.environment(&pairs)).unwrap_err();
    assert!(matches!(error, DownloadError::Certificates { .. }), "{error}");
}
