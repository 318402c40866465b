use store::Warning;

fn all() -> Vec<Warning> {
    let sae = || "layer_1".to_owned();
    vec![
        Warning::LimitedRun {
            used: 10,
            available: 100,
        },
        Warning::FewLetters { letters: 3, needed: 8 },
        Warning::SiteNotIdentifiable {
            hook: "blocks.3.hook_resid_post".into(),
            full_site_effect: 0.05,
            needed: 0.5,
        },
        Warning::DroppedWords {
            dropped: 4,
            total: 100,
            reason: "more than one token".into(),
        },
        Warning::NonUnitDecoder {
            sae: sae(),
            min_norm: 0.5,
            max_norm: 2.0,
        },
        Warning::ProbeBelowF1 {
            letters: vec!['q', 'x'],
            lowest_f1: 0.4,
            needed: 0.8,
        },
        Warning::NoWordsForLetter { letters: vec!['x'] },
        Warning::ModelFailsTask {
            accuracy: 0.2,
            needed: 0.5,
        },
        Warning::DeadLatents {
            sae: sae(),
            dead: 12,
            width: 512,
        },
        Warning::L0Mismatch {
            sae: sae(),
            declared: 82.0,
            measured: 140.0,
        },
        Warning::HookMismatch {
            sae: sae(),
            trained: "blocks.1.hook_resid_post".into(),
            used: "blocks.2.hook_resid_post".into(),
        },
        Warning::NoOpEdit { arm: "sae:k=1".into() },
        Warning::LowTokenMass { mass: 0.1, needed: 0.5 },
        Warning::TextNotMeasured { model: "gemma".into() },
        Warning::SideTaskNotLearned {
            task: "length".into(),
            accuracy: 0.01,
            needed: 0.5,
            first_letter: 0.9,
        },
        Warning::NotMeasured {
            measurement: "error/splice".into(),
            reason: "no ceiling".into(),
        },
        Warning::DtypeBelowReference {
            dtype: "bf16".into(),
            reference: "f32".into(),
        },
        Warning::SeparatedCovariates {
            measurement: "differential".into(),
            covariates: vec!["length".into(), "capital".into()],
            ridge: 0.01,
        },
        Warning::NullspaceNotReached {
            letters: vec!['a', 'e'],
            rank: 32,
        },
        Warning::DoseNotReached {
            arm: "sae:k=1:probe".to_owned(),
            dose: "the length of LEACE's edits".to_owned(),
            letters: vec!['q'],
        },
    ]
}

#[test]
fn every_warning_has_words_and_comes_back() {
    for warning in all() {
        let json = serde_json::to_value(&warning).unwrap();
        assert_eq!(json["code"], warning.code());
        assert!(!warning.message().is_empty() && !warning.remedy().is_empty());
        assert_eq!(serde_json::from_value::<Warning>(json).unwrap(), warning);
    }
}

#[test]
fn codes_are_distinct() {
    let mut codes: Vec<_> = all().iter().map(Warning::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all().len());
}

#[test]
fn messages_name_what_they_are_about() {
    let text = Warning::ProbeBelowF1 {
        letters: vec!['q', 'x'],
        lowest_f1: 0.4,
        needed: 0.8,
    }
    .message();
    assert_eq!(text, "probes below F1 0.80 (lowest 0.40) for letters: q, x");
}

#[test]
fn unknown_warnings_and_fields_are_errors() {
    for text in [
        r#"{"code":"new-thing"}"#,
        r#"{"code":"no-op-edit","arm":"a","extra":1}"#,
    ] {
        assert!(serde_json::from_str::<Warning>(text).is_err(), "{text}");
    }
}
