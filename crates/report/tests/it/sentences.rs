use report::sentences::{Conclusion, Gap, Named, conclude, estimate, p_value};

fn named(name: &str, value: f64) -> Named {
    Named {
        name: name.into(),
        value,
        lo: Some(value - 0.05),
        hi: Some(value + 0.05),
    }
}

fn conclusion(gap: f64, p: Option<f64>) -> Conclusion {
    Conclusion {
        measure: "mediated share".into(),
        references: vec![named("leace", 0.81), named("lr", 0.77)],
        best_sae: Some(named("sae:k=1", 0.81 - gap)),
        gap: Some(Gap {
            value: gap,
            lo: Some(gap - 0.07),
            hi: Some(gap + 0.07),
            p,
            units: "26 letters".into(),
        }),
        parts: Vec::new(),
        alpha: 0.05,
    }
}

#[track_caller]
fn check(conclusion: &Conclusion, expect: &[&str]) {
    assert_eq!(conclude(conclusion), expect);
}

#[test]
fn a_clear_gap() {
    check(
        &conclusion(0.37, Some(0.001)),
        &[
            "Mediated share: `leace` 0.81 [0.76, 0.86], `lr` 0.77 [0.72, 0.82]; best SAE arm `sae:k=1` 0.44 [0.39, 0.49].",
            "Paired gap 0.37 [0.30, 0.44], p = 0.001 (26 letters): `sae:k=1` is behind `leace`.",
        ],
    );
}

#[test]
fn verdicts_follow_p_and_sign() {
    let verdict = |gap, p| conclude(&conclusion(gap, p)).pop().unwrap();
    assert!(verdict(0.04, Some(0.3)).ends_with("these data do not separate `sae:k=1` from `leace`."));
    assert!(verdict(-0.2, Some(0.01)).ends_with("`sae:k=1` is ahead of `leace`."));
    // Without a test the interval decides.
    assert!(verdict(0.2, None).ends_with("(26 letters): `sae:k=1` is behind `leace`."));
    assert!(verdict(0.04, None).ends_with("these data do not separate `sae:k=1` from `leace`."));
}

#[test]
fn parts_of_the_gap_are_told_last() {
    let parts = vec![named("absorption", 0.2), named("directions", 0.17)];
    let sentences = conclude(&Conclusion {
        parts,
        ..conclusion(0.37, Some(0.0001))
    });
    assert_eq!(
        sentences[2],
        "The gap divides into `absorption` 0.20 [0.15, 0.25], `directions` 0.17 [0.12, 0.22]."
    );
    assert!(sentences[1].contains("p < 0.001"));
}

#[test]
fn what_is_not_there_is_not_told() {
    let no_sae = Conclusion {
        best_sae: None,
        gap: None,
        ..conclusion(0.3, None)
    };
    check(
        &no_sae,
        &["Mediated share: `leace` 0.81 [0.76, 0.86], `lr` 0.77 [0.72, 0.82]."],
    );
    let nothing = Conclusion {
        references: Vec::new(),
        ..no_sae
    };
    check(&nothing, &["Mediated share: nothing was measured."]);
}

#[test]
fn numbers_in_sentences() {
    assert_eq!(estimate(0.814, Some(0.76), Some(0.86), 2), "0.81 [0.76, 0.86]");
    assert_eq!(estimate(f64::NAN, None, None, 2), "–");
    assert_eq!(p_value(0.0123), "p = 0.012");
    assert_eq!(p_value(f64::NAN), "p unknown");
}
