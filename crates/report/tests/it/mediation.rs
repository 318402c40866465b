use report::sentences::{Choice, Gap, Mediation, Named, Together, mediate};

fn named(name: &str, value: f64) -> Named {
    Named {
        name: name.into(),
        value,
        lo: Some(value - 0.05),
        hi: Some(value + 0.05),
    }
}

fn gap(value: f64, p: Option<f64>) -> Gap {
    Gap {
        value,
        lo: Some(value - 0.04),
        hi: Some(value + 0.04),
        p,
        units: "25 letters".into(),
    }
}

/// A choice whose mediated share is `ms`, against a reference of .80 of which nine tenths are asked for.
fn choice(name: &str, rule: &str, ms: f64, damage: f64) -> Choice {
    Choice {
        ms: named(name, ms),
        rule: rule.into(),
        damage: Some(damage),
        gap: Some(gap(0.80 - ms, Some(0.0002))),
        short: Some(gap(0.72 - ms, None)),
    }
}

fn given(ms: f64, damage: f64) -> Mediation {
    Mediation {
        latents: 26,
        tried: 36,
        reference: named("leace-1", 0.80),
        tau: 0.9,
        o_cap: 0.2,
        best: choice("topk-512", "effect", ms, damage),
        random: Some(named("topk-512", 0.02)),
        together: Some(Together {
            latents: named("jump-512", 0.45),
            random: Some(named("jump-512", 0.10)),
            references: vec![named("lr-span", 0.70), named("leace-25u", 0.85)],
        }),
        oracle: Some(choice("wide-2048", "oracle", ms + 0.05, damage)),
    }
}

#[test]
fn three_sentences_when_no_set_is_enough() {
    let expect = [
        "No set of 26 latents mediates first-letter spelling to 0.9 of the MS of `leace-1`: the best of 36 fair ones is `topk-512` 0.47 [0.42, 0.52] by rule `effect` at O 0.03, against `leace-1` 0.80 [0.75, 0.85], paired gap 0.33 [0.29, 0.37], p < 0.001 (25 letters).",
        "Controls: 26 random latents that fire as often have MS 0.02 [-0.03, 0.07]; zeroed together on every word, whatever its letter, those of `jump-512` have MS 0.45 [0.40, 0.50], against 0.10 [0.05, 0.15] for as many random ones, `lr-span` 0.70 [0.65, 0.75], `leace-25u` 0.85 [0.80, 0.90].",
        "Chosen on the test words themselves, an upper bound and no fair score, the best are `wide-2048` 0.52 [0.47, 0.57] at O 0.03, paired gap 0.28 [0.24, 0.32], p < 0.001 (25 letters): no choice that was tried makes 26 latents enough.",
    ];
    assert_eq!(mediate(&given(0.47, 0.03)), expect);
}

#[test]
fn verdicts_follow_the_interval_and_the_damage() {
    let first = |ms, damage| mediate(&given(ms, damage)).swap_remove(0);
    assert!(first(0.47, 0.03).starts_with("No set of 26 latents"));
    assert!(first(0.80, 0.03).starts_with("A set of 26 latents mediates first-letter spelling to at least 0.9"));
    assert!(
        first(0.80, 0.30)
            .starts_with("A set of 26 latents reaches 0.9 of the MS of `leace-1`, but with a damage share above 0.2")
    );
    // The interval of what is missing holds 0.
    assert!(first(0.70, 0.03).starts_with("These data do not decide"));
    let last = |ms, damage| mediate(&given(ms, damage)).pop().unwrap_or_default();
    assert!(last(0.80, 0.03).ends_with("with hindsight 26 latents do reach it."));
    assert!(last(0.80, 0.30).ends_with("at too much damage."));
    assert!(last(0.68, 0.03).ends_with("stays open."));
}

#[test]
fn what_was_not_measured_is_not_told() {
    let alone = Mediation {
        tried: 1,
        random: None,
        together: None,
        oracle: None,
        ..given(0.47, 0.03)
    };
    let sentences = mediate(&alone);
    assert_eq!(sentences.len(), 1);
    assert!(sentences[0].contains("the one fair set is `topk-512`"), "{sentences:?}");
    // Without an interval nothing is decided.
    let bare = Choice {
        gap: None,
        short: None,
        ..choice("topk-512", "effect", 0.1, 0.0)
    };
    let sentences = mediate(&Mediation { best: bare, ..alone });
    assert!(
        sentences[0].starts_with("These data do not decide") && !sentences[0].contains("gap"),
        "{sentences:?}"
    );
}
