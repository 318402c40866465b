//! Revisions, places in a repository, globs over it.

use checkpoint::hub::{Cache, Environment, HubError, Provenance, Wanted};

use crate::support::{COMMIT, Fake, MODEL, MODEL_FILES, OTHER, names, says};

const SCOPE: &str = "google/gemma-scope-2b-pt-res";

fn scope() -> Fake {
    Fake::new().with(
        SCOPE,
        &[
            "README.md",
            "layer_12/width_16k/average_l0_82/params.npz",
            "layer_12/width_16k/average_l0_9/params.npz",
            "layer_12/width_16k/average_l0_176/params.npz",
            "layer_12/width_65k/average_l0_72/params.npz",
        ],
    )
}

#[test]
fn a_model_by_name() {
    let fake = Fake::new().with("a/b", &MODEL_FILES);
    let found = fake.cache().find_one("a/b", MODEL).unwrap();
    assert_eq!(found.path, fake.snapshot("a/b", COMMIT));
    assert_eq!(found.id(), "a/b");
    let hub = found.hub.unwrap();
    assert_eq!(hub.to_string(), format!("a/b@{COMMIT}"));
    let expected = Provenance {
        repo: "a/b".to_owned(),
        revision: "main".to_owned(),
        commit: COMMIT.to_owned(),
        path: None,
    };
    assert_eq!(hub, expected);
}

#[test]
fn revisions() {
    let fake = Fake::new().with("a/b", &MODEL_FILES);
    fake.set_ref("a/b", "v1", OTHER);
    fake.set_ref("a/b", "refs/pr/1", &format!("{OTHER}\n"));
    for file in MODEL_FILES {
        fake.add("a/b", OTHER, file, file);
    }
    let cache = fake.cache();
    for (revision, commit) in [
        ("main", COMMIT),
        ("v1", OTHER),
        ("refs/pr/1", OTHER),
        (COMMIT, COMMIT),
        (OTHER, OTHER),
        ("01234", COMMIT),
        ("0123f", OTHER),
    ] {
        let found = cache.find_one(&format!("a/b@{revision}"), MODEL).unwrap().hub.unwrap();
        assert_eq!((found.revision.as_str(), found.commit.as_str()), (revision, commit));
    }
    let error = says(
        cache.find("a/b@0123", MODEL),
        &["several cached commits", COMMIT, OTHER],
    );
    assert!(matches!(error, HubError::Ambiguous { .. }));
    says(
        cache.find("a/b@012", MODEL),
        &["revision `012` is not cached", "`v1`", COMMIT],
    );
    says(
        cache.find("a/b@v2", MODEL),
        &["revision `v2` is not cached", "cached: `v1`", "--revision v2 "],
    );
}

#[test]
fn without_main_the_cached_commits_are_named() {
    let fake = Fake::new();
    fake.add("a/b", COMMIT, "config.json", "{}");
    says(
        fake.cache().find("a/b", MODEL),
        &["revision `main` is not cached", COMMIT],
    );
}

#[test]
fn a_ref_to_a_commit_without_files() {
    let fake = Fake::new().with("a/b", &MODEL_FILES);
    fake.set_ref("a/b", "main", OTHER);
    says(fake.cache().find("a/b", MODEL), &["no file of commit 0123fed", COMMIT]);
}

#[test]
fn an_unknown_repository() {
    let fake = Fake::new().with("google/gemma-2-2b-it", &MODEL_FILES).with("x/y", &[]);
    let error = says(
        fake.cache().find("google/gemma-2-2b", MODEL),
        &[
            "`google/gemma-2-2b` is not in the Hugging Face cache: the repository is not cached",
            "searched: the path `google/gemma-2-2b`\n",
            "models--google--gemma-2-2b`",
            "cached: `google/gemma-2-2b-it`, `x/y`",
            "hint: fetch it with `hf download google/gemma-2-2b --include \"config.json\" \
             --include \"model*.safetensors*\" --include \"tokenizer*.json\" --cache-dir \"",
            "hf auth login",
        ],
    );
    let feature = error.to_string().contains("--features download");
    assert_eq!(feature, cfg!(not(feature = "download")));
    assert!(matches!(error, HubError::NotCached { .. }));
}

#[test]
fn the_command_fits_what_is_asked() {
    let fake = Fake::new();
    let root = fake.root().to_str().unwrap().to_owned();
    let cache = Cache::new(&Environment::from_lookup(|name| {
        (name == "HF_HOME").then(|| root.clone().into())
    }));
    let sae = |text: &str, command: &str| {
        let error = says(
            cache.find(text, Wanted::Sae),
            &[&format!("`{command}`"), "the cache is set by `HF_HOME`"],
        );
        assert!(!error.to_string().contains("hf auth login"));
    };
    sae("a/b", "hf download a/b");
    sae("a/b@v1:x/ae.pt", "hf download a/b --revision v1 --include \"x/ae.pt\"");
    sae(
        &format!("{SCOPE}:l/w"),
        &format!("hf download {SCOPE} --include \"l/w/*\""),
    );
    sae("a/b:x/l0_*", "hf download a/b --include \"x/l0_*\"");
    let config = Wanted::Model { tokenizer: false };
    let command = "hf download a/b --include \"x/config.json\" --include \"x/model*.safetensors*\"`";
    says(cache.find("a/b:x", config), &[command]);
}

#[test]
fn an_sae_by_place() {
    let fake = scope();
    let found = fake
        .cache()
        .find_one(&format!("{SCOPE}:layer_12/width_16k/average_l0_82"), Wanted::Sae)
        .unwrap();
    assert_eq!(
        found.path,
        fake.snapshot(SCOPE, COMMIT).join("layer_12/width_16k/average_l0_82")
    );
    assert_eq!(found.id(), format!("{SCOPE}:layer_12/width_16k/average_l0_82"));
    let file = format!("{SCOPE}@main:layer_12/width_16k/average_l0_82/params.npz");
    assert_eq!(names(fake.cache().find(&file, Wanted::Sae)), ["params.npz"]);
}

#[test]
fn a_glob_over_a_release_in_natural_order() {
    let fake = scope();
    let sae = |path: &str| fake.cache().find(&format!("{SCOPE}:{path}"), Wanted::Sae);
    let three = ["average_l0_9", "average_l0_82", "average_l0_176"];
    assert_eq!(names(sae("layer_12/width_16k/*")), three);
    assert_eq!(names(sae("layer_12/width_16k/*/")), three);
    assert_eq!(names(sae("*/width_16k/average_l0_[0-9]")), ["average_l0_9"]);
    assert_eq!(
        names(sae("layer_12/*/average_l0_?2")),
        ["average_l0_82", "average_l0_72"]
    );
    assert_eq!(names(sae("**/params.npz")).len(), 4);
    let places: Vec<_> = sae("layer_12/width_65k/*")
        .unwrap()
        .into_iter()
        .map(|r| r.hub.unwrap().path)
        .collect();
    assert_eq!(places, [Some("layer_12/width_65k/average_l0_72".to_owned())]);
    let several = fake
        .cache()
        .find_one(&format!("{SCOPE}:layer_12/width_16k/*"), Wanted::Sae)
        .unwrap_err();
    assert!(
        several.to_string().contains("matches 3 things where one is wanted"),
        "{several}"
    );
}

#[test]
fn a_glob_without_matches_shows_what_there_is() {
    let fake = scope();
    let sae = |path: &str| fake.cache().find(&format!("{SCOPE}:{path}"), Wanted::Sae);
    let error = says(
        sae("layer_12/width_17k/*"),
        &["nothing matches", "/layer_12` has `width_16k`, `width_65k`"],
    );
    assert!(matches!(error, HubError::NoMatch { .. }));
    says(
        sae("layer_12/width_16k/average_l0_7?"),
        &["/width_16k` has `average_l0_9`, `average_l0_82`, `average_l0_176`"],
    );
    // Matches that are no SAEs are not nothing, and say how deep the SAEs are.
    says(
        sae("layer_12/*"),
        &["is not an SAE", "one of 2 matches", "`average_l0_9`"],
    );
    says(sae("*.md"), &["none is a file of weights"]);
    says(sae("layer_[/*"), &["it is not a pattern", "`[[]`"]);
}

#[test]
fn a_misspelt_place_suggests_near_names() {
    let fake = scope();
    let text = format!("{SCOPE}:layer_12/width_16k/average_l0_83");
    says(
        fake.cache().find(&text, Wanted::Sae),
        &[
            "is cached without it",
            "cached: `average_l0_82`, `average_l0_9`",
            "--include \"layer_12/width_16k/average_l0_83/*\"",
        ],
    );
    says(
        fake.cache().find("google/gemma-scope-2b-pt-rse", Wanted::Sae),
        &["cached: `google/gemma-scope-2b-pt-res`"],
    );
    says(
        fake.cache().find(SCOPE, Wanted::Sae),
        &["is not an SAE", "it has `layer_12`, `README.md`"],
    );
}

#[test]
fn datasets_are_not_models() {
    let fake = Fake::new();
    fs_err::create_dir(fake.root().join("datasets--a--b")).unwrap();
    says(fake.cache().find("a/b", MODEL), &["the repository is not cached"]);
    assert!(fake.cache().repos().is_empty());
}
