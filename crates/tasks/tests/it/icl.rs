//! A word is never its own example, and a pool is never left.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tasks::{IclDraw, IclPlan, IclRequest, Split, TaskError, Template, Vocabulary, draw_icl};

use crate::toy::Toy;

fn draw(words: &Vocabulary, part: &[usize], pool: &[usize], plan: IclPlan, seed: u64) -> Result<IclDraw, TaskError> {
    let template = &Template::verbose();
    draw_icl(&IclRequest {
        vocabulary: words,
        template,
        words: part,
        pool,
        examples: 10,
        plan,
        seed,
        purpose: "test",
    })
}

/// Checks what must hold for every draw.
fn check(draw: &IclDraw, words: &Vocabulary, part: &[usize], pool: &[usize], prompts_per_word: usize) {
    let mut sets_of: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, set) in draw.sets.iter().enumerate() {
        assert_eq!(set.id, index);
        assert_eq!(
            set.words.iter().collect::<BTreeSet<_>>().len(),
            10,
            "ten different examples"
        );
        assert!(
            set.words.iter().all(|word| pool.contains(word)),
            "examples come from the pool"
        );
        assert_eq!(set.prefix_text.lines().count(), 10);
    }
    for assignment in &draw.assignments {
        let set = &draw.sets[assignment.icl];
        let text = &words.words[assignment.word].text;
        assert!(!set.words.contains(&assignment.word), "`{text}` is its own example");
        assert!(
            set.prefix_text
                .lines()
                .all(|line| !line.starts_with(&format!("{text} has")))
        );
        assert!(
            sets_of.entry(assignment.word).or_default().insert(assignment.icl),
            "the sets of a word differ"
        );
    }
    assert_eq!(
        sets_of.keys().copied().collect::<BTreeSet<_>>(),
        part.iter().copied().collect()
    );
    assert!(sets_of.values().all(|sets| sets.len() == prompts_per_word));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_contamination(seed in any::<u64>(), sets in 3_usize..40, prompts_per_word in 1_usize..3) {
        let words = Toy::full().words();
        let split = Split::random(&words, seed).expect("a split");
        for part in [&split.train, &split.test] {
            for plan in [IclPlan::Shared { sets, prompts_per_word }, IclPlan::Fresh { prompts_per_word }] {
                // A word can be in more sets than it can avoid only when the sets use up the pool.
                match draw(&words, part, part, plan, seed) {
                    Ok(draw) => check(&draw, &words, part, part, prompts_per_word),
                    Err(error) => {
                        let scarce = matches!(error, TaskError::TooFewSets { .. }) && sets * 10 > part.len();
                        prop_assert!(scarce, "{}", error);
                    }
                }
            }
        }
        // Train prompts hold no test word, as query or as example.
        let test: BTreeSet<usize> = split.test.iter().copied().collect();
        let train = draw(&words, &split.train, &split.train, IclPlan::Fresh { prompts_per_word }, seed).expect("a draw");
        prop_assert!(train.sets.iter().all(|set| set.words.iter().all(|word| !test.contains(word))));
        prop_assert!(train.assignments.iter().all(|assignment| !test.contains(&assignment.word)));
    }
}

#[test]
fn deterministic_and_independent_of_the_other_words() {
    let words = Toy::full().words();
    let all = words.indices();
    for plan in [
        IclPlan::Shared {
            sets: 6,
            prompts_per_word: 2,
        },
        IclPlan::Fresh { prompts_per_word: 2 },
    ] {
        let examples = |part: &[usize], seed| {
            let draw = draw(&words, part, &all, plan, seed).expect("a draw");
            let sets = draw.sets.into_iter().map(|set| set.words).collect::<Vec<_>>();
            draw.assignments
                .into_iter()
                .map(|a| (a.word, sets[a.icl].clone()))
                .collect::<Vec<_>>()
        };
        let whole = examples(&all, 1);
        assert_eq!(whole, examples(&all, 1));
        assert_ne!(whole, examples(&all, 2));
        let parts: Vec<_> = all.chunks(50).flat_map(|part| examples(part, 1)).collect();
        assert_eq!(whole, parts, "the union of shards is the whole run");
    }
}

#[test]
fn shared_sets_are_disjoint_and_all_used() {
    let words = Toy::full().words();
    let all = words.indices();
    let draw = draw(
        &words,
        &all,
        &all,
        IclPlan::Shared {
            sets: 8,
            prompts_per_word: 1,
        },
        3,
    )
    .expect("a draw");
    let examples: BTreeSet<usize> = draw.sets.iter().flat_map(|set| &set.words).copied().collect();
    assert_eq!(examples.len(), 80);
    let mut counts = [0; 8];
    draw.assignments
        .iter()
        .for_each(|assignment| counts[assignment.icl] += 1);
    assert!(counts.iter().all(|&count| count > all.len() / 16), "{counts:?}");
}

#[test]
fn impossible_plans() {
    let words = Toy::full().words();
    let all = words.indices();
    let fail = |part: &[usize], pool: &[usize], plan| draw(&words, part, pool, plan, 0).expect_err("impossible");
    let fresh = IclPlan::Fresh { prompts_per_word: 1 };
    let shared = |sets, prompts_per_word| IclPlan::Shared { sets, prompts_per_word };
    // A pool of exactly ten words, the query among them.
    assert!(matches!(
        fail(&all[..1], &all[..10], fresh),
        TaskError::Contaminated { attempts: 1000, .. }
    ));
    assert!(matches!(
        fail(&all[..1], &all[..9], fresh),
        TaskError::PoolTooSmall { examples: 10, pool: 9 }
    ));
    let repeated = [&all[..5], &all[..5]].concat();
    assert!(matches!(
        fail(&all[..1], &repeated, fresh),
        TaskError::PoolTooSmall { pool: 5, .. }
    ));
    let too_few = fail(&all[..1], &all[..10], shared(3, 1));
    assert!(matches!(
        too_few,
        TaskError::TooFewSets {
            wanted: 1,
            eligible: 0,
            sets: 3,
            ..
        }
    ));
    assert!(too_few.to_string().contains(&words.words[all[0]].text), "{too_few}");
    assert!(matches!(
        fail(&all[..1], &all, shared(2, 3)),
        TaskError::TooFewSets { .. }
    ));
    assert!(matches!(fail(&all[..1], &all, shared(0, 1)), TaskError::Zero { .. }));
    assert!(matches!(
        fail(&all[..1], &all, IclPlan::Fresh { prompts_per_word: 0 }),
        TaskError::Zero { .. }
    ));
    assert!(matches!(fail(&[words.len()], &all, fresh), TaskError::BadIndex { .. }));
    draw(&words, &all[..1], &all[..11], fresh, 0).expect("eleven words leave ten");
}
