//! Greedy sets and label-free edits on a planted world, through the code that measures models.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::effects::LetterLogits;
use ablation::efficiency::{GreedyPlan, greedy};
use ablation::select::{rank_by_effect, single_effects};
use ablation::{Bench, Directions, Editor, Labelled, Pair, Readout, Result, SaeSide, Subject, arms, label_free, score};
use rand::RngExt;
use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, SparseLatents, Weights};
use stats::seed;

/// Coordinates that the answer reads: two for a, one for b. The other five are tags, one per latent.
const READ: usize = 3;
const LATENTS: usize = 5;
const D: usize = READ + LATENTS;
/// Words of a, of b and of c.
const WORDS: [usize; 3] = [8, 8, 8];

/// `a` has two latents that write one coordinate (0, 1) and a weaker one of its own (2), `b` one (3); latent 4 is the word, and fires everywhere.
fn activations(class: usize) -> [f32; LATENTS] {
    match class {
        0 => [2.0, 2.0, 0.9, 0.0, 1.0],
        1 => [0.0, 0.0, 0.0, 3.0, 1.0],
        _ => [0.0, 0.0, 0.0, 0.0, 1.0],
    }
}

/// What a latent writes: the coordinate that the answer reads, if any, and its tag.
fn decoder(latent: usize) -> [f32; D] {
    let mut row = [0.0; D];
    if let Some(read) = [Some(0), Some(0), Some(1), Some(2), None][latent] {
        row[read] = 1.0;
    }
    row[READ + latent] = 1.0;
    row
}

fn vector(class: usize) -> [f32; D] {
    let mut x = [0.0; D];
    for (latent, z) in activations(class).into_iter().enumerate() {
        for (x, w) in x.iter_mut().zip(decoder(latent)) {
            *x += z * w;
        }
    }
    x
}

fn autoencoder() -> Sae {
    let config = SaeConfig {
        d_in: D,
        d_sae: LATENTS,
        architecture: Architecture::Standard,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(D),
        metadata: Metadata::default(),
    };
    // Each latent reads its tag.
    let mut w_enc = vec![0.0; D * LATENTS];
    for latent in 0..LATENTS {
        w_enc[(READ + latent) * LATENTS + latent] = 1.0;
    }
    let weights = Weights {
        w_enc,
        b_enc: vec![0.0; LATENTS],
        w_dec: (0..LATENTS).flat_map(decoder).collect(),
        b_dec: vec![0.0; D],
        ..Weights::default()
    };
    Sae::new(config, weights).unwrap()
}

/// Answers by a formula: for a the first coordinate counts only beyond 2.5, so that the second of two redundant latents adds
/// nothing once the first is gone.
struct World {
    sites: Vec<f32>,
    class_of: Vec<usize>,
}

impl World {
    fn new() -> Self {
        let class_of: Vec<usize> = (0..3).flat_map(|class| vec![class; WORDS[class]]).collect();
        Self {
            sites: class_of.iter().flat_map(|&class| vector(class)).collect(),
            class_of,
        }
    }

    fn labelled(&self) -> Labelled {
        Labelled {
            x: self.sites.clone(),
            y: self.class_of.clone(),
            d: D,
            classes: 3,
        }
    }
}

impl Readout for World {
    fn rows(&self) -> usize {
        self.class_of.len()
    }

    fn d(&self) -> usize {
        D
    }

    fn site(&self, row: usize) -> &[f32] {
        &self.sites[row * D..(row + 1) * D]
    }

    fn set(&self, _: usize) -> u32 {
        0
    }

    fn edited_logits(&self, _: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let logits = vectors.chunks_exact(D).map(|x| {
            let mut logits = [0.0; 26];
            logits[0] = (x[0] - 2.5).max(0.0) + x[1];
            logits[1] = x[2];
            logits
        });
        Ok(logits.collect())
    }
}

fn grow(world: &World, sae: &Sae, largest: usize) -> (Vec<Vec<u32>>, Vec<ablation::efficiency::Growth>) {
    let side = SaeSide::new(sae, &world.labelled()).unwrap();
    let latents = sae.encode(&world.sites);
    let clean = world.clean_logits().unwrap();
    let letters = [0, 1, 2];
    let of_rows: Vec<usize> = world.class_of.clone();
    let effects = single_effects(world, &side, &latents, &of_rows, &clean).unwrap();
    let ranked = rank_by_effect(&effects, &world.class_of, 3, LATENTS);
    let plan = GreedyPlan {
        candidates: &ranked,
        class_of: &world.class_of,
        letters: &letters,
        largest,
    };
    let grown = greedy(world, &side, &latents, &clean, plan).unwrap();
    (ranked, grown)
}

#[test]
fn greedy_passes_over_a_latent_that_adds_nothing_to_the_set() {
    let (world, sae) = (World::new(), autoencoder());
    let (ranked, grown) = grow(&world, &sae, 4);
    // Alone the redundant two are the strongest: two of the best by single effect are one too many.
    assert_eq!(ranked[0], [0, 1, 2]);
    assert_eq!(grown[0].latents, [0, 2], "then no candidate adds anything");
    assert_eq!(grown[1].latents, [3]);
    assert!(grown[2].latents.is_empty(), "c has no supporting latent");
    let words = WORDS[0] as f64;
    // Log-odds against 25 logits; the effects are those of the formula, as the other logits do not move on a's words.
    let expected = [1.5 * words, 2.4 * words];
    for (found, expected) in grown[0].effects.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
    }
}

#[test]
fn a_set_does_not_grow_beyond_what_is_asked_for_and_effects_rise() {
    let (world, sae) = (World::new(), autoencoder());
    let (_, one) = grow(&world, &sae, 1);
    assert_eq!(one[0].latents, [0]);
    let (_, all) = grow(&world, &sae, 9);
    assert!(
        all.iter()
            .all(|g| g.effects.is_sorted() && g.effects.len() == g.latents.len())
    );
}

#[test]
fn greedy_refuses_what_does_not_fit() {
    let (world, sae) = (World::new(), autoencoder());
    let side = SaeSide::new(&sae, &world.labelled()).unwrap();
    let latents = sae.encode(&world.sites);
    let clean = world.clean_logits().unwrap();
    let candidates = vec![vec![0]; 2];
    let plan = GreedyPlan {
        candidates: &candidates,
        class_of: &world.class_of,
        letters: &[0, 1],
        largest: 1,
    };
    assert!(
        greedy(&world, &side, &latents, &clean, plan).is_err(),
        "a row has class 2 of 2"
    );
}

#[test]
fn the_union_is_zeroed_on_every_word_whichever_letter_is_edited() {
    let (world, sae) = (World::new(), autoencoder());
    let side = SaeSide::new(&sae, &world.labelled()).unwrap();
    let latents = sae.encode(&world.sites);
    let arm = label_free::union_of(&side, "union", &[vec![0], vec![3], vec![]]);
    let [editors] = arm.draws.as_slice() else { panic!() };
    for row in 0..world.rows() {
        let subject = Subject {
            x: world.site(row),
            latents: Some((&latents, row)),
        };
        let z = activations(world.class_of[row]);
        for editor in editors {
            for (i, found) in editor.delta(subject).unwrap().into_iter().enumerate() {
                let expected = -z[0] * decoder(0)[i] - z[3] * decoder(3)[i];
                assert!((found - f64::from(expected)).abs() < 1e-9);
            }
        }
    }
    let nothing = label_free::union_of(&side, "none", &[vec![], vec![]]);
    assert!(nothing.draws[0].iter().all(|editor| matches!(editor, Editor::Null)));
}

#[test]
fn the_random_union_has_as_many_latents_and_none_of_the_sets() {
    let (world, sae) = (World::new(), autoencoder());
    let train = world.labelled();
    let side = SaeSide::new(&sae, &train).unwrap();
    let arm = label_free::random_union(&side, "random", &[vec![0], vec![3], vec![]], &train, (5, 1));
    assert_eq!(arm.draws.len(), 5);
    for editors in &arm.draws {
        let Editor::Terms { terms, .. } = &editors[0] else {
            panic!()
        };
        // For a one of 1, 2, 4, for b the only other latent that fires there, 4, unless a took it.
        assert!((1..=2).contains(&terms.len()));
        let own = |latent: u32| {
            let row: Vec<f64> = decoder(latent as usize).iter().map(|&w| f64::from(w)).collect();
            terms.iter().any(|term| term.write == row)
        };
        assert!(!own(0) && !own(3));
    }
}

/// The measured share of the union is that of the single edits where latents do not act on other letters.
#[test]
fn label_free_and_single_edits_agree_where_latents_keep_to_their_letter() {
    let (world, sae) = (World::new(), autoencoder());
    let side = SaeSide::new(&sae, &world.labelled()).unwrap();
    let latents: SparseLatents = sae.encode(&world.sites);
    // The ceiling puts a word of c in the place of every word.
    let off = vec![vector(2).map(f64::from).to_vec(); 2];
    let full = ablation::Arm::fixed(
        "full-site",
        off.into_iter().map(|target| Editor::FullSite { target }).collect(),
    );
    let rows = WORDS[0] + WORDS[1];
    let two = World {
        sites: world.sites[..rows * D].to_vec(),
        class_of: world.class_of[..rows].to_vec(),
    };
    let latents = latents.select_rows(&(0..rows).collect::<Vec<_>>());
    let pairs: Vec<Pair> = (0..2)
        .flat_map(|class| (0..rows).map(move |row| (class, row)))
        .map(|(class, row)| Pair {
            class,
            row,
            on: two.class_of[row] == class,
        })
        .collect();
    let bench = Bench::new(&two, vec![0, 1], two.class_of.clone(), pairs, vec![None; rows], &full).unwrap();
    let shares = |arm: &ablation::Arm| -> Vec<f64> {
        let measured = bench.measure(arm, Some(&latents), false).unwrap();
        let scored = score(&bench.rows(&measured, |row| format!("{row}"))).unwrap();
        scored.letters.values().map(|s| s.ms).collect()
    };
    let sets = [vec![0, 2], vec![3]];
    let (single, union) = (
        shares(&side.arm("single", &sets)),
        shares(&label_free::union_of(&side, "union", &sets)),
    );
    assert_eq!(single.len(), 2);
    for (single, union) in single.iter().zip(&union) {
        assert!((single - union).abs() < 0.02 && *union > 0.9, "{single} {union}");
    }
    assert!(shares(&arms::null(2)).iter().all(|&ms| ms == 0.0));

    // One editor for all letters is run once a word; with its terms in another order for one letter, it is run letter by letter.
    let once = label_free::union_of(&side, "union", &sets);
    let mut twice = once.clone();
    let Editor::Terms { terms, .. } = &mut twice.draws[0][1] else {
        panic!()
    };
    terms.reverse();
    assert!(twice.draws[0][0] != twice.draws[0][1]);
    let rows_of = |arm| {
        let measured = bench.measure(arm, Some(&latents), false).unwrap();
        bench.rows(&measured, |row| format!("{row}"))
    };
    assert_eq!(rows_of(&once), rows_of(&twice));
}

/// Three classes on noisy means in eight dimensions.
fn noisy() -> Labelled {
    let mut rng = seed::rng(2, "efficiency/noisy");
    let (n, classes) = (300, 3);
    let y: Vec<usize> = (0..n).map(|i| i % classes).collect();
    let x = y
        .iter()
        .flat_map(|&class| (0..D).map(move |i| if i == class { 2.0 } else { 0.0 }))
        .map(|mean| mean + rng.random::<f32>() - 0.5)
        .collect();
    Labelled { x, y, d: D, classes }
}

#[test]
fn spans_leave_nothing_that_a_probe_or_a_mean_can_tell() {
    let train = noisy();
    let directions = Directions::fit(&train, 1).unwrap();
    let edited = |arm: &ablation::Arm| -> Vec<Vec<f64>> {
        let editors = &arm.draws[0];
        assert!(
            editors.iter().all(|editor| *editor == editors[0]),
            "one editor for all letters"
        );
        let rows = 0..train.n();
        rows.map(|row| {
            let subject = Subject {
                x: train.row(row),
                latents: None,
            };
            let delta = editors[0].delta(subject).unwrap();
            train
                .row(row)
                .iter()
                .zip(delta)
                .map(|(&x, d)| f64::from(x) + d)
                .collect()
        })
        .collect()
    };
    let after = edited(&label_free::lr_span(&directions, &train));
    for class in 0..train.classes {
        let weight = directions.lr.direction(class);
        let score = |x: &Vec<f64>| x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
        assert!(
            after.iter().all(|x| (score(x) - score(&after[0])).abs() < 1e-6),
            "the probe sees a constant"
        );
    }
    let after = edited(&label_free::leace_span(&directions, train.classes));
    let mean = |class: usize| -> Vec<f64> {
        let own: Vec<&Vec<f64>> = after
            .iter()
            .zip(&train.y)
            .filter(|(_, y)| **y == class)
            .map(|(x, _)| x)
            .collect();
        (0..D)
            .map(|i| own.iter().map(|x| x[i]).sum::<f64>() / own.len() as f64)
            .collect()
    };
    for class in 1..train.classes {
        assert!(
            mean(0).iter().zip(mean(class)).all(|(a, b)| (a - b).abs() < 1e-6),
            "classes have one mean"
        );
    }
}
