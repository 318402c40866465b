//! Nothing that anybody writes panics or leads out of the folders it should stay in.

use std::cell::Cell;
use std::path::Path;

use checkpoint::hub::{Reference, Wanted};
use proptest::prelude::*;

use crate::support::{COMMIT, Fake, MODEL, put};

/// Texts that are nearly references.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("x".to_owned()),
        Just("*".to_owned()),
        Just("**".to_owned()),
        Just("main".to_owned()),
        Just("secret".to_owned()),
        Just("~".to_owned()),
        "[a-b.*?\\[\\]~\\\\: -]{0,4}",
    ];
    let joint = prop_oneof![4 => Just("/"), 1 => Just(":"), 1 => Just("@"), 1 => Just("a/b:"), 1 => Just("")];
    prop::collection::vec((piece, joint), 0..8).prop_map(|parts| {
        parts
            .into_iter()
            .flat_map(|(piece, joint)| [piece, joint.to_owned()])
            .collect()
    })
}

fn check_round_trip(text: &str) -> Result<(), TestCaseError> {
    if let Ok(reference) = Reference::parse(text) {
        let shown = reference.to_string();
        let again = Reference::parse(&shown);
        prop_assert!(again.is_ok(), "{:?} shown as {:?}: {:?}", text, shown, again);
        prop_assert_eq!(again.ok(), Some(reference), "{:?} shown as {:?}", text, shown);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_parses_or_does_not(text in any::<String>()) {
        check_round_trip(&text)?;
    }

    #[test]
    fn display_parses_to_the_same(text in text()) {
        check_round_trip(&text)?;
    }

    #[test]
    fn a_path_by_hand_round_trips(path in "[a-c@:~* ][a-c@:~* .]{0,3}(/[a-c@:~* .]{1,3}){0,3}") {
        let reference = Reference::Path(path.into());
        prop_assert_eq!(Reference::parse(&reference.to_string()).ok(), Some(reference));
    }
}

/// `.*` matches `.` and `..` in the pattern crate.
#[test]
fn a_wildcard_does_not_climb() {
    let fake = Fake::new().with("a/b", &["x/params.npz"]);
    for path in [".*", ".*/", "x/.*/", "x/.*/.*", "[.][.]", "?."] {
        let inside = fake.snapshot("a/b", COMMIT);
        for resolved in fake
            .cache()
            .find(&format!("a/b:{path}"), Wanted::Sae)
            .unwrap_or_default()
        {
            let rest = resolved.path.strip_prefix(&inside).unwrap();
            assert!(rest == Path::new("x"), "{path}: {resolved:?}");
        }
    }
}

#[test]
fn nothing_leaves_the_snapshot() {
    let fake = Fake::new().with(
        "a/b",
        &["params.npz", "a/params.npz", "a/b/x.pt", "x/a/params.safetensors"],
    );
    put(&fake.root().join("secret/params.npz"), "");
    put(&fake.repo("a/b").join("secret/params.npz"), "");
    put(&fake.snapshot("a/b", COMMIT).join("../secret/params.npz"), "");
    let inside = fake.snapshot("a/b", COMMIT);
    let found = Cell::new(0);
    proptest!(ProptestConfig { cases: 3000, ..ProptestConfig::default() }, |(path in text(), revision in any::<bool>())| {
        let revision = if revision { "@main" } else { "" };
        let text = format!("a/b{revision}:{path}");
        for wanted in [Wanted::Sae, MODEL] {
            for resolved in fake.cache().find(&text, wanted).unwrap_or_default() {
                found.set(found.get() + 1);
                prop_assert!(resolved.path.starts_with(&inside), "{:?}: {:?}", text, resolved);
                prop_assert!(!resolved.path.iter().any(|piece| piece == ".."), "{:?}: {:?}", text, resolved);
                let hub = resolved.hub.unwrap();
                prop_assert_eq!(resolved.path, inside.join(Path::new(&hub.path.clone().unwrap_or_default())));
                let exact = fake.cache().find_one(&hub.to_string(), wanted).unwrap();
                prop_assert_eq!(exact.hub.unwrap().commit, COMMIT);
            }
        }
    });
    assert!(found.get() > 0, "the texts find something");
}
