//! The stream and the dense probes.

use linear_probe::metrics::{Evaluation, evaluate};
use linear_probe::sgd::{Start, train};
use linear_probe::{Design, Labels, Rows, SgdConfig, SgdProbe};

use crate::golden::{DIGITS, LIBRARIES, SAES, dense, letters};
use crate::world::{world, worst};

fn rows(x: &[f32], d: usize) -> Rows<'_> {
    Rows::from(Design::new(x, x.len() / d, d).unwrap())
}

fn scored(probe: &SgdProbe, x: &[f32], labels: &Labels) -> Evaluation {
    evaluate(&probe.scores(rows(x, probe.d)).unwrap(), labels, 0.0).unwrap()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// The stream at the word, all logits of the reference's dense probe on test words, and its scores per letter.
///
/// Tolerances: the stream has values of about 10, and two layers in f32 leave 4e-6; a logit is a sum over 128 of them, 1.3e-5. The
/// benchmark claims 2e-4 and 1e-3. No logit is so near to 0 that a decision could differ (3e-4), so that scores are equal to
/// the digits stored.
#[test]
fn streams_and_dense_probes_equal() {
    let world = world();
    for library in LIBRARIES {
        let dense = dense(library);
        let (leading, d) = (dense.leading_separator, dense.probe.d);
        let acts = worst(&world.site_vectors(&dense.acts.0, leading), &dense.acts.1);
        assert!(acts < 2e-5, "{library}: stream {acts:e}");
        let x = world.site_vectors(&dense.test.prompts, leading);
        // The word alone decides what layers 0 and 1 write: the other tests may leave out the examples.
        assert_eq!(world.word_vectors(&dense.test.words()), x, "{library}");
        let logits = dense.probe.scores(rows(&x, d)).unwrap();
        let difference = worst(&logits, &dense.test_logits);
        assert!(difference < 1e-4, "{library}: logits {difference:e}");
        let nearest = dense
            .test_logits
            .iter()
            .map(|logit| logit.abs())
            .fold(f32::MAX, f32::min);
        assert!(
            f64::from(nearest) > difference,
            "{library}: a logit of {nearest:e} may have either sign"
        );

        let [_, test] = dense.kept();
        let kept: Vec<f32> = dense.kept[1]
            .iter()
            .flat_map(|&row| &x[row * d..][..d])
            .copied()
            .collect();
        let found = scored(&dense.probe, &kept, &test.labels());
        for (scores, golden) in found.classes.iter().zip(&letters(library, SAES[0])) {
            let scores = scores.unwrap();
            let found = [scores.f1, scores.precision, scores.recall, scores.auc];
            let expected = [
                golden.f1_probe,
                golden.precision_probe,
                golden.recall_probe,
                golden.auc_probe,
            ];
            let difference = worst(&found, &expected);
            assert!(
                difference < DIGITS,
                "{library} {}: {found:?} {expected:?}",
                golden.letter
            );
        }
    }
}

/// Probes that we train, with other initial weights and row orders: those of the references are not stored. Macro F1 is within 0.02
/// (found: 0.001 to 0.008). A single letter's need not be, and two of our own seeds are not either: its test words are few (9 to
/// 108), and 50 epochs leave the probe far from its optimum. Mean difference of F1 per letter: to the references 0.012 to 0.020,
/// between five seeds of ours 0.009 to 0.017; largest of one letter 0.10 and 0.11.
///
/// The batch of `sae-spelling` was 256. It is not recorded; with it our weights have the length of the reference's (14.9 and 14.8; 17.9
/// with 128, 11.9 with 512). With 2048, as in the paper, 150 updates give a macro F1 of 0.54 instead of 0.73.
#[test]
fn probes_of_our_own_score_as_high() {
    let world = world();
    let batches = [256, SgdConfig::saebench().batch_size];
    for (library, batch_size) in LIBRARIES.into_iter().zip(batches) {
        let config = SgdConfig {
            batch_size,
            ..SgdConfig::paper()
        };
        let dense = dense(library);
        let [_, test] = dense.kept();
        let (train_set, test_set) = (world.labelled(&dense.train), world.labelled(&test));
        let expected: Vec<f64> = letters(library, SAES[0]).iter().map(|letter| letter.f1_probe).collect();
        for seed in 0..2 {
            let fit = train(
                rows(&train_set.x, train_set.d),
                &dense.train.labels(),
                &config,
                Start::seeded(seed),
            );
            let scores = scored(&fit.unwrap().probe, &test_set.x, &test.labels());
            let found: Vec<f64> = scores.classes.iter().map(|scores| scores.unwrap().f1).collect();
            let differences = found.iter().zip(&expected).map(|(a, b)| a - b);
            let macro_f1 = mean(differences.clone());
            let per_letter = mean(differences.map(f64::abs));
            assert!(macro_f1.abs() < 0.02, "{library} seed {seed}: macro F1 {macro_f1}");
            assert!(per_letter < 0.03, "{library} seed {seed}: per letter {per_letter}");
        }
    }
}
