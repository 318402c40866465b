//! Sets of positions.

use ablation::side::positions::{PositionFits, Span, sets, site_share, span_latents};
use ablation::{Bench, Captured, Directions, Labelled, Readout, SaeSide, Scored, arms, score};

use crate::common::{CLASSES, WORDS, capture, classes, donors, model, pairs, perfect_sae, stage};

fn scored(bench: &Bench<'_>, arm: &ablation::Arm, latents: Option<&sae::SparseLatents>) -> Scored {
    let measured = bench.measure(arm, latents, true).unwrap();
    score(&bench.rows(&measured, |row| row.to_string())).unwrap()
}

#[test]
fn at_the_word_sets_are_the_usual_site_and_all_tokens_carry_everything() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let y = classes(&captured);
    let bench = |readout, full: &ablation::Arm| -> Bench<'_> {
        Bench::new(readout, (0..CLASSES).collect(), y.clone(), pairs(&y), donors(&y), full).unwrap()
    };
    let train = Labelled {
        x: capture.sites(),
        y: y.clone(),
        d: captured.d(),
        classes: CLASSES,
    };
    let directions = Directions::fit(&train, 0).unwrap();
    let usual = bench(&captured, &arms::full_site(&directions));
    let fits = PositionFits::new(&capture, &y, CLASSES).unwrap();
    assert_eq!(
        fits.varying(),
        vec![0, 1, 2, 3, 4],
        "its windows are wider than one token"
    );

    let sets = sets(capture.positions());
    assert_eq!(sets.len(), 4);
    assert_eq!(sets[0].positions, sets[1].positions);
    let spans: Vec<Span<'_>> = sets
        .iter()
        .map(|set| Span {
            captured,
            positions: set.positions.clone(),
        })
        .collect();
    let benches: Vec<Bench<'_>> = spans
        .iter()
        .zip(&sets)
        .map(|(span, set)| bench(span, &fits.full_site(set)))
        .collect();

    // (a) is the site of all other results: the same ceiling, the same LEACE, the same latents.
    assert_eq!(benches[0].clean(), usual.clean());
    assert_eq!(benches[0].full(), usual.full());
    let leace = scored(&benches[0], &fits.leace_1(&sets[0]), None);
    let as_usual = scored(&usual, &arms::leace_1(&directions, &train), None);
    assert!(!leace.letters.is_empty());
    for (letter, found) in &leace.letters {
        assert!((found.ms - as_usual.letters[letter].ms).abs() < 1e-6);
    }
    let sae = perfect_sae(captured.d());
    let chosen: Vec<Vec<u32>> = (0..CLASSES as u32).map(|c| vec![c, 3 + 5 * c]).collect();
    let side = SaeSide::new(&sae, &train).unwrap();
    let usual_latents = sae.encode(&capture.sites());
    let as_usual = scored(&usual, &side.arm("sae", &chosen), Some(&usual_latents));
    let arm = fits.sae_arm(&sae, "sae", &chosen, &sets[0]).unwrap();
    let found = scored(&benches[0], &arm, Some(&span_latents(&sae, &spans[0])));
    for (letter, found) in &found.letters {
        assert!((found.ms - as_usual.letters[letter].ms).abs() < 1e-6);
    }

    // (c) leaves nothing of the word outside the set: patching all of it is really changing the word.
    let shares: Vec<f64> = site_share(&benches[2]).into_iter().flatten().collect();
    assert!(!shares.is_empty());
    for share in shares {
        assert!((share - 1.0).abs() < 1e-4, "{share}");
    }
    // The ceiling of every set is 1 by definition, wherever there is one.
    for (bench, set) in benches.iter().zip(&sets) {
        for (letter, found) in scored(bench, &fits.full_site(set), None).letters {
            assert!((found.ms - 1.0).abs() < 1e-9, "{} {letter}", set.name);
        }
    }
    // All latents of a perfect SAE at all positions bring every position to its mean, as the ceiling does.
    let every: Vec<Vec<u32>> = vec![(0..2 * captured.d() as u32).collect(); CLASSES];
    let arm = fits.sae_arm(&sae, "sae", &every, &sets[2]).unwrap();
    let latents = span_latents(&sae, &spans[2]);
    assert_eq!(latents.rows(), WORDS);
    let all = scored(&benches[2], &arm, Some(&latents));
    assert!(!all.letters.is_empty());
    for (letter, found) in all.letters {
        assert!((found.ms - 1.0).abs() < 1e-3, "{letter} {}", found.ms);
    }
}

#[test]
fn where_nothing_varies_nothing_is_read() {
    let model = model();
    // What leaves the first layer at a position depends on its window of tokens; the same prompt for all words varies nowhere.
    let same = ablation::Stage::new(
        &model,
        &crate::common::prefixes(),
        vec![crate::common::items()[0].clone(); 8],
        &crate::common::letters(),
    )
    .unwrap();
    let capture = capture(&same);
    let y: Vec<usize> = (0..8).map(|row| row % CLASSES).collect();
    let fits = PositionFits::new(&capture, &y, CLASSES).unwrap();
    assert!(fits.varying().is_empty());
    let captured = Captured {
        stage: &same,
        capture: &capture,
    };
    let set = &sets(capture.positions())[2];
    let span = Span {
        captured,
        positions: set.positions.clone(),
    };
    let subject = ablation::Subject {
        x: span.site(0),
        latents: None,
    };
    for editor in &fits.leace_1(set).draws[0] {
        assert!(editor.delta(subject).unwrap().iter().all(|&d| d == 0.0));
    }
}
