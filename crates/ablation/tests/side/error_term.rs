//! The error term, in a read-out that is linear in the site vector, where parts add up exactly.

use ablation::effects::LetterLogits;
use ablation::side::error_term::{Part, PartEffect, dark_arm, patch, shares, splice};
use ablation::{Bench, Captured, Directions, Labelled, Readout, Result, arms, score};

use crate::common::{CLASSES, capture, classes, donors, model, pairs, perfect_sae, stage};

const D: usize = 8;
const ROWS: usize = 48;

/// Letter logits are `W x`, in exact arithmetic of small integers and halves.
struct Linear {
    x: Vec<f32>,
}

impl Linear {
    fn new(y: &[usize]) -> Self {
        let row = |row: usize| {
            (0..D).map(move |i| {
                let noise = ((row * 7 + i * 5) % 9) as f32 - 4.0;
                noise / 4.0 + if i == y[row] { 6.0 } else { 0.0 }
            })
        };
        Self {
            x: (0..y.len()).flat_map(row).collect(),
        }
    }
}

impl Readout for Linear {
    fn rows(&self) -> usize {
        self.x.len() / D
    }

    fn d(&self) -> usize {
        D
    }

    fn site(&self, row: usize) -> &[f32] {
        &self.x[row * D..(row + 1) * D]
    }

    fn set(&self, _row: usize) -> u32 {
        0
    }

    fn edited_logits(&self, _rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let logits = |x: &[f32]| std::array::from_fn(|letter| x.get(letter).copied().unwrap_or(-1.0));
        Ok(vectors.chunks_exact(D).map(logits).collect())
    }
}

fn y() -> Vec<usize> {
    (0..ROWS).map(|row| row % CLASSES).collect()
}

fn labelled(readout: &Linear) -> Labelled {
    Labelled {
        x: readout.x.clone(),
        y: y(),
        d: D,
        classes: CLASSES,
    }
}

/// Half of the first letter's coordinate and a tenth of everything else are lost in the reconstruction.
fn error(readout: &Linear) -> Vec<f32> {
    let part = |(i, x): (usize, &f32)| x * if i % D == 0 { 0.5 } else { 0.125 };
    readout.x.iter().enumerate().map(part).collect()
}

fn bench<'a>(readout: &'a dyn Readout, directions: &Directions, y: &[usize]) -> Bench<'a> {
    let full = arms::full_site(directions);
    Bench::new(readout, (0..CLASSES).collect(), y.to_vec(), pairs(y), donors(y), &full).unwrap()
}

#[test]
fn patched_parts_add_up_to_the_whole() {
    let readout = Linear::new(&y());
    let directions = Directions::fit(&labelled(&readout), 0).unwrap();
    let bench = bench(&readout, &directions, &y());
    let error = error(&readout);
    let latents = patch(&bench, &error, Part::Latents).unwrap();
    let dark = patch(&bench, &error, Part::Error).unwrap();
    assert_eq!(latents.len(), ROWS);
    for (a, b) in latents.iter().zip(&dark) {
        assert!((a.effect + b.effect - a.ceiling).abs() < 1e-5, "{a:?} {b:?}");
        assert!(a.ceiling > 0.0 && b.effect > 0.0);
    }
    // An eighth of every letter but the first is in the error; of pairs with the first, a part of a half.
    let [a, b] = [&latents, &dark].map(|effects| shares(effects, CLASSES));
    for class in 0..CLASSES {
        let sum = a[class].unwrap() + b[class].unwrap();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
    assert!(b[0].unwrap() > b[1].unwrap());
}

#[test]
fn splice_and_dark_share_see_what_is_lost_and_are_zero_where_nothing_is() {
    let readout = Linear::new(&y());
    let train = labelled(&readout);
    let directions = Directions::fit(&train, 0).unwrap();
    let bench = bench(&readout, &directions, &y());
    let lost = error(&readout);
    let spliced = splice(&bench, &lost).unwrap();
    assert!(spliced.iter().filter(|e| e.class == 0).all(|e| e.effect > 0.5));
    let none = vec![0.0; lost.len()];
    for effect in splice(&bench, &none).unwrap() {
        assert_eq!(effect.effect, 0.0);
        assert!(effect.ceiling > 0.0);
    }

    let ms = |error: &[f32]| {
        let (arm, reads) = dark_arm(&directions, &train, error, error).unwrap();
        let measured = bench.measure(&arm, Some(&reads), true).unwrap();
        let scored = score(&bench.rows(&measured, |row| row.to_string())).unwrap();
        (0..CLASSES)
            .map(|c| scored.letters[&char::from(b'a' + c as u8)].ms)
            .collect::<Vec<f64>>()
    };
    assert_eq!(ms(&none), vec![0.0; CLASSES]);
    // With everything in the error, its edit is LEACE itself.
    let measured = bench.measure(&arms::leace_1(&directions, &train), None, false).unwrap();
    let leace = score(&bench.rows(&measured, |row| row.to_string())).unwrap();
    for (class, ms) in ms(&readout.x).into_iter().enumerate() {
        let whole = leace.letters[&char::from(b'a' + class as u8)].ms;
        assert!((ms - whole).abs() < 1e-5, "{ms} {whole}");
    }
    let dark = ms(&lost);
    assert!(dark[0] > 0.3 && dark[0] > dark[1] && dark[1] > 0.0, "{dark:?}");
    assert!(splice(&bench, &lost[1..]).is_err());
    assert!(dark_arm(&directions, &train, &lost[1..], &lost).is_err());
}

#[test]
fn a_perfect_sae_costs_a_model_nothing() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let y = classes(&captured);
    let train = Labelled {
        x: capture.sites(),
        y: y.clone(),
        d: captured.d(),
        classes: CLASSES,
    };
    let directions = Directions::fit(&train, 0).unwrap();
    let bench = bench(&captured, &directions, &y);
    let sae = perfect_sae(captured.d());
    let error = sae.error_term(&train.x, &sae.encode(&train.x));
    assert!(error.iter().all(|&e| e == 0.0), "the test's SAE is exact");
    assert!(splice(&bench, &error).unwrap().iter().all(|e| e.effect == 0.0));
    for (a, b) in patch(&bench, &error, Part::Latents)
        .unwrap()
        .iter()
        .zip(patch(&bench, &error, Part::Error).unwrap())
    {
        assert!((a.effect - a.ceiling).abs() < 1e-4, "{a:?}");
        assert_eq!(b.effect, 0.0);
    }
}

#[test]
fn shares_are_ratios_of_sums_and_need_a_ceiling() {
    let effect = |class, effect, ceiling, before| PartEffect {
        class,
        effect,
        ceiling,
        before,
    };
    let effects = [
        effect(0, 1.0, 2.0, 3.0),
        effect(0, 4.0, 8.0, 9.0),
        effect(0, 0.0, 10.0, 10.0),
        effect(1, 1.0, 1.0, 9.0),
        effect(2, 1.0, -1.0, 0.0),
    ];
    assert_eq!(shares(&effects, 4), vec![Some(0.25), None, None, None]);
}
