//! Paths, globs over paths, and what wins over an id.

use std::path::{Path, PathBuf};

use checkpoint::hub::{Cache, Environment, HubError, Reference, Wanted};

use crate::support::{Fake, MODEL, MODEL_FILES, names, put, says};

fn saes(folder: &Path) {
    for name in ["sae_10", "sae_9"] {
        put(&folder.join(name).join("cfg.json"), "{}");
        put(&folder.join(name).join("sae_weights.safetensors"), "");
    }
    put(&folder.join("README.md"), "");
}

fn text(path: &Path) -> String {
    path.to_str().expect("a folder with a plain name").to_owned()
}

#[test]
fn a_path_is_itself() {
    let fake = Fake::new();
    for file in MODEL_FILES {
        put(&fake.root().join("m").join(file), "");
    }
    let found = fake.cache().find_one(&text(&fake.root().join("m")), MODEL).unwrap();
    assert_eq!((found.path, found.hub), (fake.root().join("m"), None));
}

#[test]
fn what_exists_wins_over_an_id() {
    // `src/hub` exists where the tests of this crate run, and `google/gemma` does not.
    let fake = Fake::new().with("src/hub", &["params.npz"]);
    let error = says(fake.cache().find("src/hub", Wanted::Sae), &["`src/hub` is not an SAE"]);
    assert!(matches!(error, HubError::Unsuitable { .. }));
    let reference = Reference::parse("src/hub").unwrap();
    assert!(matches!(reference, Reference::Hub { .. }));
    says(
        fake.cache().resolve(&reference, Wanted::Sae),
        &["`src/hub` is not an SAE"],
    );
    fake.cache().find("src/hub@main", Wanted::Sae).unwrap();
    // Even under a text that is no reference at all.
    let odd = fake.root().join("a:b\\c");
    put(&odd, "");
    fake.cache().find(&text(&odd), Wanted::Sae).unwrap();
}

#[test]
fn a_missing_path_is_a_path_error() {
    let fake = Fake::new();
    saes(&fake.root().join("saes"));
    let error = says(
        fake.cache().find(&text(&fake.root().join("saes/sae_11")), Wanted::Sae),
        &["there is no file or folder", "saes` has `sae_10`, `sae_9`, `README.md`"],
    );
    assert!(matches!(error, HubError::NoSuchPath { .. }));
    for path in ["./google/gemma-2-2b", "google/gemma/2b", "gemma", "../x", "srcc"] {
        let error = fake.cache().find(path, MODEL).unwrap_err();
        assert!(matches!(error, HubError::NoSuchPath { .. }), "{path}: {error}");
    }
    says(fake.cache().find("srcc/hub/cache.rs", MODEL), &["`.` has `src`"]);
}

#[test]
fn globs_over_paths() {
    let fake = Fake::new();
    let folder = fake.root().join("s[a]es");
    saes(&folder);
    let find = |pattern: &str| {
        fake.cache()
            .find(&format!("{}/{pattern}", fake.root().display()), Wanted::Sae)
    };
    assert_eq!(names(find("s*es/*/")), ["sae_9", "sae_10"]);
    assert_eq!(names(find("s*es/*")), ["sae_9", "sae_10"]);
    assert_eq!(names(find("s[[]a]es/sae_?")), ["sae_9"]);
    assert_eq!(names(find("**/sae_weights.safetensors")).len(), 2);
    let error = says(find("s*es/nae_*"), &["nothing matches"]);
    assert!(matches!(error, HubError::NoMatch { .. }));
    // A name that exists is never a pattern.
    says(find("s[a]es"), &["is not an SAE", "`sae_9`, `sae_10`"]);
}

#[test]
fn a_relative_glob() {
    let found = Cache::at("/none").find("./src/hub/ca*.rs", Wanted::Sae);
    says(found, &["none is a file of weights"]);
    says(
        Cache::at("/none").find("src/hubb/*", Wanted::Sae),
        &["nothing matches `src/hubb/*`", "`src` has `hub`"],
    );
}

#[test]
fn home_is_expanded() {
    let fake = Fake::new();
    saes(fake.root());
    let home = text(fake.root());
    let environment = Environment::from_lookup(|name| (name == "HOME").then(|| home.clone().into()));
    let cache = Cache::new(&environment);
    let found = cache.find_one("~/sae_9", Wanted::Sae).unwrap();
    assert_eq!(found.path, fake.root().join("sae_9"));
    assert_eq!(names(cache.find("~/sae_*", Wanted::Sae)), ["sae_9", "sae_10"]);
    says(cache.find("~/sae_8", Wanted::Sae), &[&home, "`sae_9`"]);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_a_link_to_nothing() {
    let fake = Fake::new();
    fs_err::os::unix::fs::symlink("nowhere", fake.root().join("x.pt")).unwrap();
    let path: PathBuf = fake.root().join("x.pt");
    let error = says(fake.cache().find(&text(&path), Wanted::Sae), &["a link to `nowhere`"]);
    assert!(matches!(error, HubError::Incomplete { file, .. } if file == path));
}
