use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use store::{Spec, StoreError, canonical_json};

use crate::fixtures::spec;

/// The key of the fixture in every release and on every platform. A change here means that no finished unit is found again.
#[test]
fn key_is_pinned() {
    let text = canonical_json(&spec()).unwrap();
    assert_eq!(spec().key().unwrap(), store::Blake3::of(text.as_bytes()));
    assert_eq!(
        text,
        concat!(
            r#"{"arms":["leace","sae:k=1"],"device":"flex","dtype":"f32","letters":["a","b","c","d","e"],"metric_version":1,"#,
            r#""model":{"family":"gemma2","hash":"aa","id":"google/gemma-2-2b","tokenizer_hash":"bb"},"prompts_hash":"ee","#,
            r#""sae":{"architecture":"jumprelu","hash":"cc","hook":"blocks.12.hook_resid_post","#,
            r#""id":"layer_12/width_16k/average_l0_82","width":16384},"seed":7,"#,
            r#""settings":{"dose":1,"icl":{"examples":10,"sets":3}},"site":{"hook":"blocks.12.hook_resid_post"},"#,
            r#""task":"first-letter","words_hash":"dd"}"#
        )
    );
}

/// Every place in the JSON of `value` that holds something other than an object.
fn leaves(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, item)| leaves(item, &format!("{path}/{name}"), out)),
        _ => out.push(path.to_owned()),
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_f64().unwrap() as u64 + 1),
        Value::Array(items) => Value::Array(items[1..].to_vec()),
        other => panic!("no change for {other}"),
    }
}

#[test]
fn every_field_changes_the_key() {
    let whole = Spec {
        limit: Some(100),
        ..spec()
    };
    let json = serde_json::to_value(&whole).unwrap();
    let mut paths = Vec::new();
    leaves(&json, "", &mut paths);
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        let mut other = json.clone();
        let place = other.pointer_mut(&path).unwrap();
        *place = changed(place);
        let other: Spec = serde_json::from_value(other).unwrap();
        assert_ne!(other.key().unwrap(), whole.key().unwrap(), "{path}");
    }
    assert_ne!(spec().key().unwrap(), whole.key().unwrap());
    assert_ne!(Spec { sae: None, ..spec() }.key().unwrap(), spec().key().unwrap());
}

#[test]
fn null_and_not_a_number_are_refused() {
    for bad in [
        json!(null),
        json!(f64::NAN),
        json!([1, null]),
        json!({"a": f64::INFINITY}),
    ] {
        let mut spec = spec();
        spec.settings.insert("bad".into(), bad);
        assert!(matches!(spec.key(), Err(StoreError::NullSetting { name }) if name == "bad"));
    }
}

#[test]
fn integral_floats_and_integers_are_one_setting() {
    let with = |dose: Value| Spec {
        settings: BTreeMap::from([("dose".into(), dose)]),
        ..spec()
    };
    assert_eq!(with(json!(2)).key().unwrap(), with(json!(2.0)).key().unwrap());
    assert_ne!(with(json!(2)).key().unwrap(), with(json!(2.5)).key().unwrap());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .rev()
                .map(|(k, v)| (k.clone(), reversed(v)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(reversed).collect()),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn order_of_maps_does_not_matter(value in any_value()) {
        prop_assert_eq!(canonical_json(&value).unwrap(), canonical_json(&reversed(&value)).unwrap());
    }

    #[test]
    fn canonical_form_is_json_and_stable(value in any_value()) {
        let text = canonical_json(&value).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical_json(&back).unwrap(), text);
    }

    #[test]
    fn different_floats_have_different_forms(a in any::<f64>(), b in any::<f64>()) {
        prop_assume!(a.is_finite() && b.is_finite() && (a < b || b < a));
        prop_assert_ne!(canonical_json(&a).unwrap(), canonical_json(&b).unwrap());
    }

    #[test]
    fn key_survives_writing_and_reading_the_spec(settings in prop::collection::btree_map("[a-z]{1,8}", any_value(), 0..6), seed: u64) {
        let spec = Spec { settings, seed, ..spec() };
        let back: Spec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
        prop_assert_eq!(back.key().unwrap(), spec.key().unwrap());
    }
}
