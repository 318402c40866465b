//! Absorption of the made-up SAE against `SAEBench`'s calculator, and the other definitions by hand.

use std::path::Path;

use checkpoint::write::TensorData;
use serde_json::{Map, Value, json};

use super::common::{Place, absorption_golden, bench, count, done, floats, golden, ids, integers, list, number, probe};

/// `bench absorption` on the test rows of the goldens, with the probe that `SAEBench` used.
fn args(place: &Place, more: &[&str]) -> Vec<String> {
    let (sae, acts, probe) = (
        place.path("sae"),
        golden("data.safetensors"),
        golden("probe_minibatch50.safetensors"),
    );
    let given = [
        "absorption",
        "--sae",
        &sae,
        "--probe",
        &probe,
        "--probe-weight",
        "epochs50.weight",
    ];
    let rows = ["--acts", &acts, "--x", "X_test", "--y", "y_test"];
    given
        .iter()
        .chain(&rows)
        .chain(more)
        .map(|&arg| arg.to_owned())
        .collect()
}

#[track_caller]
fn score(place: &Place, more: &[&str]) -> Value {
    let args = args(place, more);
    done(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Main latents by letter that the reference used: `split_feats`, or `k1`, only the first.
fn main_of(which: &str) -> Value {
    let reference = absorption_golden("saebench.absorption.json");
    let mut main = Map::new();
    for case in list(&reference["cases"]).iter().filter(|case| case["which"] == which) {
        main.insert(case["letter"].as_str().unwrap().to_owned(), case["main"].clone());
    }
    main.into()
}

fn main_file(place: &Place, main: &Value) -> String {
    place.write("main.json", main.to_string().as_bytes())
}

/// What was said about a row of a letter.
fn word<'a>(found: &'a Value, letter: &Value, row: &Value) -> Option<&'a Value> {
    let letter = list(&found["letters"])
        .iter()
        .find(|found| found["letter"] == *letter)?;
    list(&letter["words"]).iter().find(|word| word["row"] == *row)
}

#[test]
fn words_of_the_released_calculator() {
    let (place, reference) = (Place::new(), absorption_golden("saebench.absorption.json"));
    let (mut worst, mut seen, mut full) = (0.0_f64, 0, 0);
    for which in ["split_feats", "k1"] {
        let main = main_file(&place, &main_of(which));
        // The calculator was given the SAE as it is stored.
        let found = score(&place, &["--words", "--no-fold", "--main", &main]);
        assert_eq!(found["folded"], false);
        for case in list(&reference["cases"]).iter().filter(|case| case["which"] == which) {
            // The reference also scored words of other letters, and words that the probe misses.
            let Some(word) = word(&found, &case["letter"], &case["row"]) else {
                continue;
            };
            worst = worst
                .max((number(&word["projection"]) - number(&case["projection"])).abs())
                .max((number(&word["fraction"]) - number(&case["fraction"])).abs());
            assert_eq!(word["full"], case["full"], "{case}");
            seen += 1;
            full += usize::from(word["full"] == true);
        }
    }
    println!("{seen} words, {full} of them fully absorbed: off by {worst:e}");
    assert!(worst < 1e-5, "{worst}");
    assert_eq!(seen, 2 * 334, "all words that the probe finds");
    assert!(full > 0);
}

#[test]
fn letters_of_the_released_aggregate() {
    let (place, reference) = (Place::new(), absorption_golden("saebench.absorption_aggregate.json"));
    let out = place.path("scores.json");
    let main = main_file(&place, &main_of("split_feats"));
    let found = score(&place, &["--no-fold", "--main", &main, "--out", &out]);
    assert_eq!(
        found,
        super::common::json(out.as_ref()),
        "the file holds what stdout says"
    );
    let mut worst = 0.0_f64;
    let mut sums = [0.0; 2];
    for (found, expected) in list(&found["letters"]).iter().zip(list(&reference)) {
        assert_eq!(
            (&found["letter"], &found["mark"]),
            (&expected["letter"], &"counts".into())
        );
        let words = count(&expected["num_probe_true_positives"]);
        assert_eq!(count(&found["true_positives"]), words);
        assert_eq!(count(&found["full"]), count(&expected["num_full_absorption"]));
        for (sum, [ours, theirs]) in sums.iter_mut().zip([
            ["absorption_fraction", "mean_absorption_fraction"],
            ["full_absorption_rate", "full_absorption_rate"],
        ]) {
            worst = worst.max((number(&found[ours]) - number(&expected[theirs])).abs());
            *sum += number(&expected[theirs]) / 26.0;
        }
    }
    for (name, expected) in ["absorption_fraction", "full_absorption"].into_iter().zip(sums) {
        worst = worst.max((number(&found["mean"][name]) - expected).abs());
    }
    println!("letters: off by {worst:e}");
    assert!(worst < 1e-5, "{worst}");
    assert_eq!((&found["valid"], &found["mean"]["letters"]), (&true.into(), &26.into()));
    assert_eq!(
        found["companions"]["k_sparse_f1"],
        Value::Null,
        "no train rows, no k-sparse probe"
    );
}

#[test]
fn guards_and_versions() {
    let place = Place::new();
    let main = main_file(&place, &main_of("split_feats"));
    let strict = score(&place, &["--main", &main, "--min-probe-f1", "0.99"]);
    assert_eq!(strict["valid"], false);
    let counted = number(&strict["mark"]["too_few_letters"]["found"]) as usize;
    let marks = list(&strict["letters"])
        .iter()
        .filter(|letter| letter["mark"] == "counts")
        .count();
    assert_eq!(
        (counted, strict["mark"]["too_few_letters"]["needed"].as_u64()),
        (marks, Some(20))
    );
    let fewer = score(
        &place,
        &["--main", &main, "--min-probe-f1", "0.99", "--min-letters", "2"],
    );
    assert_eq!((&fewer["valid"], &fewer["mean"]), (&true.into(), &strict["mean"]));
    let before = score(&place, &["--main", &main, "--definition", "saebench-0.3.2", "--words"]);
    let since = score(&place, &["--main", &main, "--words"]);
    assert_eq!(before["definition"], "saebench-0.3.2");
    let [old, new] = [&before, &since].map(|found| number(&found["mean"]["absorption_fraction"]));
    println!("mean fraction {old} before, {new} since");
    assert!((old - new).abs() > 1e-4);
    // By hand: (S - M) / S, without gates.
    for letter in list(&before["letters"]) {
        for word in list(&letter["words"]) {
            let [p, m, s] = ["projection", "main", "all"].map(|field| number(&word[field]));
            let expected = if m >= p || s <= 0.0 {
                0.0
            } else {
                ((s - m) / s).clamp(0.0, 1.0)
            };
            assert!((number(&word["fraction"]) - expected).abs() < 1e-12, "{word}");
        }
    }
}

/// Main latents may be chosen here, or come from `bench probe`, and are the same.
#[test]
fn main_latents_on_train_rows() {
    let place = Place::new();
    let train = ["--train-x", "X_train", "--train-y", "y_train"];
    let chosen = score(
        &place,
        &[&train[..], &["--ranking-batch", "64", "--seed", "3"]].concat(),
    );
    let (sae, out) = (place.path("sae"), place.path("ksparse.safetensors"));
    let more = ["--kind", "k-sparse", "--sae", &sae, "--batch", "64", "--seed", "3"];
    let printed = main_file(&place, &probe(&out, &more));
    let given = score(&place, &[&["--main", &printed], &train[..]].concat());
    assert_eq!(chosen["letters"], given["letters"]);
    assert!(number(&chosen["companions"]["k_sparse_f1"]) > 0.7);
    assert!(number(&chosen["companions"]["main_recall"]) > 0.9);
    let without = score(&place, &["--main", &printed]);
    assert_eq!((&without["mean"], &without["mark"]), (&given["mean"], &given["mark"]));
    // Any of the forms says the same.
    let (by_number, by_class): (Map<_, _>, Vec<_>) = list(&chosen["letters"])
        .iter()
        .map(|letter| {
            (
                (letter["class"].to_string(), letter["main"].clone()),
                letter["main"].clone(),
            )
        })
        .unzip();
    for form in [json!(by_number), json!(by_class)] {
        let again = score(&place, &["--main", &main_file(&place, &form)]);
        assert_eq!(again["letters"], without["letters"]);
    }
    for format in ["term", "md", "csv", "latex"] {
        let args = args(&place, &["--main", &printed, "--format", format]);
        let output = bench(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(String::from_utf8(output.stdout).unwrap().contains("fraction"));
    }
}

/// Folding is on unless it is switched off; exact shares do not change by it, those by cosine do.
#[test]
fn folding_is_said() {
    let place = Place::new();
    let main = main_file(&place, &main_of("split_feats"));
    let of = |definition: &str, more: &[&str]| {
        let args = ["--main", &main, "--words", "--definition", definition];
        score(&place, &[&args[..], more].concat())
    };
    let [folded, stored] = [&[][..], &["--no-fold"]].map(|more| of("chanin-projection", more));
    assert_eq!((&folded["folded"], &stored["folded"]), (&true.into(), &false.into()));
    assert_eq!(folded["mean"], stored["mean"]);
    let norms = |found: &Value| [&found["decoder_norms"][0], &found["decoder_norms"][1]].map(number);
    assert!(norms(&folded).into_iter().all(|norm| (norm - 1.0).abs() < 1e-5));
    assert!(norms(&stored)[0] < 0.9, "{}", stored["decoder_norms"]);
    assert_ne!(
        of("saebench-0.6", &[])["mean"],
        of("saebench-0.6", &["--no-fold"])["mean"]
    );
}

/// The three variants from the numbers that the released definition lists.
#[test]
fn variants_by_projection() {
    let place = Place::new();
    let main = main_file(&place, &main_of("k1"));
    let found = score(
        &place,
        &["--main", &main, "--definition", "chanin-projection", "--words"],
    );
    let released = score(&place, &["--main", &main, "--words"]);
    let mut absorbed = [0; 3];
    for letter in list(&found["letters"]) {
        let words = list(&letter["words"]);
        for (at, name) in ["projection", "several", "weak_main"].into_iter().enumerate() {
            let count = words.iter().filter(|word| word[name] == true).count();
            absorbed[at] += count;
            assert!((number(&letter[name]) - count as f64 / words.len() as f64).abs() < 1e-12);
        }
        for theirs in words {
            let own = word(&released, &letter["letter"], &theirs["row"]).unwrap();
            let share = number(&own["absorbers"]) / number(&own["projection"]);
            assert!(
                own["full"] != true || share <= 0.4 || theirs["projection"] == true,
                "{own} {theirs}"
            );
            assert!(theirs["projection"] != true || (theirs["several"] == true && theirs["weak_main"] == true));
        }
    }
    println!("absorbed by variant: {absorbed:?}");
    assert!(0 < absorbed[0] && absorbed[0] <= absorbed[1] && absorbed[0] <= absorbed[2]);
    let lax = [
        "--main",
        &main,
        "--definition",
        "chanin-projection",
        "--share",
        "0.2",
        "--main-share",
        "0.5",
    ];
    assert!(number(&score(&place, &lax)["mean"]["weak_main"]) > number(&found["mean"]["weak_main"]));
}

/// Effects that name one latent along the probe in every row: all candidates are absorbed, or none.
#[test]
fn decisions_from_given_effects() {
    let place = Place::new();
    let main = main_file(&place, &main_of("split_feats"));
    let (rows, width) = (340, 160);
    let labels = integers(&golden("data.safetensors"), "y_test");
    let (decoder, weight) = (
        floats(&golden("sae.safetensors"), "W_dec"),
        floats(&golden("probe_minibatch50.safetensors"), "epochs50.weight"),
    );
    let chosen = main_of("split_feats");
    let mut effects = vec![0.0_f32; rows * width];
    for (row, &class) in labels.iter().enumerate() {
        let direction = &weight[class as usize * 48..][..48];
        let main = ids(&chosen[&char::from(b'a' + class as u8).to_string()]);
        let along = |latent: &usize| -> f32 {
            let row = &decoder[latent * 48..][..48];
            row.iter().zip(direction).map(|(w, v)| w * v).sum()
        };
        let best = (0..width)
            .filter(|&latent| !main.contains(&(latent as u64)))
            .max_by(|a, b| along(a).total_cmp(&along(b)))
            .unwrap();
        effects[row * width + best] = -2.0;
    }
    let file =
        |name: &str, effects: &[f32]| place.tensors(name, &[TensorData::f32("attribution", &[rows, width], effects)]);
    let strong = file("strong.safetensors", &effects);
    let causal = ["--main", &main, "--definition", "chanin", "--words", "--effects"];
    let found = score(&place, &[&causal[..], &[&strong]].concat());
    assert_eq!(found["valid"], true);
    let (mut rates, mut looked_at) = (Vec::new(), 0);
    for letter in list(&found["letters"]) {
        assert_eq!(letter["absorbed"], letter["candidates"], "{letter}");
        assert!(
            (number(&letter["absorption_rate"]) - number(&letter["candidates"]) / number(&letter["true_positives"]))
                .abs()
                < 1e-12
        );
        rates.push(number(&letter["absorption_rate"]));
        looked_at += list(&letter["words"]).len();
    }
    assert!(looked_at > 0);
    let nonzero: Vec<f64> = rates.iter().copied().filter(|&rate| rate > 0.0).collect();
    let (released, zero) = (
        nonzero.iter().sum::<f64>() / nonzero.len() as f64,
        rates.iter().sum::<f64>() / 26.0,
    );
    assert!((number(&found["mean"]["absorption_rate"]) - released).abs() < 1e-12);
    assert!((number(&found["mean"]["absorption_rate_absent_as_zero"]) - zero).abs() < 1e-12);
    // The lead must be 1.
    let weak: Vec<f32> = effects.iter().map(|effect| effect * 0.45).collect();
    let weak = file("weak.safetensors", &weak);
    let none = score(&place, &[&causal[..], &[&weak]].concat());
    assert_eq!(none["mean"]["absorption_rate"], 0.0);
    let lower = score(&place, &[&causal[..], &[&weak, "--delta", "0.5"]].concat());
    assert_eq!(lower["mean"], found["mean"]);
    // A k-sparse probe narrows the candidates; a sample keeps the rate.
    let train = ["--train-x", "X_train", "--train-y", "y_train"];
    let narrower = score(&place, &[&causal[..], &[&strong], &train[..]].concat());
    for (few, many) in list(&narrower["letters"]).iter().zip(list(&found["letters"])) {
        assert!(number(&few["candidates"]) <= number(&many["candidates"]));
    }
    let sampled = score(&place, &[&causal[..], &[&strong, "--max-words", "1"]].concat());
    assert_eq!(sampled["mean"], found["mean"]);
    assert!(
        list(&sampled["letters"])
            .iter()
            .all(|letter| number(&letter["looked_at"]) <= 1.0)
    );
    // Rows that are no candidates may hold anything.
    let mut holes = effects.clone();
    let needed: Vec<u64> = list(&found["letters"])
        .iter()
        .flat_map(|letter| list(&letter["words"]))
        .map(|word| word["row"].as_u64().unwrap())
        .collect();
    let free = (0..rows).find(|row| !needed.contains(&(*row as u64))).unwrap();
    holes[free * width] = f32::NAN;
    let same = score(&place, &[&causal[..], &[&file("holes.safetensors", &holes)]].concat());
    assert_eq!(same["mean"], found["mean"]);
}

/// Top-k compares latents, so that folding would change which are kept: the SAE is used as it is, and the result says so. With
/// other than 26 classes letters are numbers.
#[test]
fn an_sae_that_cannot_be_folded() {
    let place = Place::new();
    let sae = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sae/tests/golden/open/saelens_topk");
    let sae = sae.to_str().unwrap();
    let labels: Vec<i64> = (0..90).map(|row| row % 3).collect();
    let x: Vec<f32> = (0..90 * 64)
        .map(|at| (at as f32 * 1.7).sin() + if at % 64 == (at / 64) % 3 { 4.0 } else { 0.0 })
        .collect();
    let rows = [
        TensorData::f32("x", &[90, 64], &x),
        TensorData::i64("y", &[90], &labels),
    ];
    let rows = place.tensors("rows.safetensors", &rows);
    let (probe, ksparse) = (place.path("probe.safetensors"), place.path("ksparse.safetensors"));
    let data = ["--acts", &rows, "--x", "x", "--y", "y"];
    done(&[&["probe"], &data[..], &["--c", "1", "--out", &probe]].concat());
    let sparse = [
        "probe", "--kind", "k-sparse", "--sae", sae, "--k", "1-3", "--out", &ksparse,
    ];
    let sparse = done(&[&sparse[..], &data].concat());
    assert_eq!(sparse["settings"]["sae"]["folded"], false);
    let main = main_file(&place, &sparse);
    let args = [
        "absorption",
        "--sae",
        sae,
        "--probe",
        &probe,
        "--main",
        &main,
        "--min-letters",
        "3",
    ];
    let output = bench(&[&args[..], &data].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("not folded") && said.contains("top-k"), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["folded"], &found["valid"]), (&false.into(), &true.into()));
    assert_eq!(found["letters"][2]["letter"], "2");
}
