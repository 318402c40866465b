//! Everything that is measured of one SAE: detection, absorption beside the random SAE's, rewriting.

use std::cell::OnceCell;
use std::time::Instant;

use ablation::absorption::saebench::{Definition, Guard};
use ablation::attribution::Subjects;
use ablation::paper::{
    Detection, KSparseLetter, Material, Settings, Words, example, measure as measure_absorption, random_like,
    rank_latents, sparse_rows,
};
use ablation::rewrite;
use linear_probe::ksparse::{self, JUMP, LOOK_AHEAD_SAEBENCH, MainLatents, PAPER_KS};
use linear_probe::metrics::ClassScores;
use linear_probe::{Design, Labels, LogisticProbe, SgdConfig};
use rand::seq::SliceRandom;
use sae::{Sae, SparseLatents};
use serde_json::json;
use stats::seed::rng;

use super::data::{AbsorptionUnit, Activating, Control, DetectionUnit, ProbeUnit, RewriteUnit, Sensitivity};
use super::lab::Layer;
use super::measure::Opener;
use super::plan::Member;
use super::units::{Timed, Units};

/// Words shown for each latent in Table 1.
const ACTIVATING: usize = 12;

/// Most updates per epoch of a ranking probe that is trained for comparison.
const MOST_UPDATES: usize = 256;

/// Batches of the ranking probe beside the one that is used.
const BATCHES: [usize; 3] = [4096, 1024, 128];

/// What is measured of one SAE.
pub(crate) struct SaeUnits {
    pub(crate) detection: Timed<DetectionUnit>,
    pub(crate) absorption: Timed<AbsorptionUnit>,
    pub(crate) rewrite: Timed<RewriteUnit>,
}

/// Everything about one SAE.
pub(crate) fn sae(
    opener: &Opener<'_>,
    units: &Units<'_>,
    member: &Member,
    probe: &ProbeUnit,
) -> anyhow::Result<SaeUnits> {
    let bench = Bench::new(opener, member, probe)?;
    // Ids need not differ once they are file names; hashes do.
    let id = format!(
        "{}-{}",
        member.input.id,
        member.input.spec.hash.get(..8).unwrap_or_default()
    );
    let (args, key) = (opener.args, opener.sae_key(member));
    let detection = units.get(&format!("{id}-detection"), &key, || bench.detect())?;
    let settings = args.settings();
    let key_of = |what: serde_json::Value| json!([key, what]);
    let absorption = units.get(&format!("{id}-absorption"), &key_of(json!(settings)), || {
        bench.absorb(&detection.data.detection, &settings)
    })?;
    let rewrite = units.get(&format!("{id}-rewrite"), &key_of(json!(args.rewrite_words)), || {
        bench.rewrite(&detection.data.detection)
    })?;
    Ok(SaeUnits {
        detection,
        absorption,
        rewrite,
    })
}

/// Letters rewritten along probe directions, the reference of Figures 14 and 15.
pub(crate) fn rewrite_by_probe(
    opener: &Opener<'_>,
    units: &Units<'_>,
    probe: &ProbeUnit,
) -> anyhow::Result<Timed<RewriteUnit>> {
    let key = json!([opener.key(), probe.layer, probe.batch, opener.args.rewrite_words]);
    units.get(&format!("probe-rewrite-layer-{}", probe.layer), &key, || {
        let lab = opener.lab()?;
        let wide = widened(probe)?;
        let fresh = lab.capture(probe.layer)?;
        let directions: Vec<Vec<f64>> = (0..opener.plan.letters.len())
            .map(|c| wide.direction(c).to_vec())
            .collect();
        let rewrites = rewrites(opener, &fresh.words);
        let stage = &lab.fresh()?.0.stage;
        let alphabet = opener.plan.alphabet();
        Ok(RewriteUnit {
            rewritten: rewrite::by_directions(stage, &fresh.capture, &directions, &rewrites, &alphabet)?,
        })
    })
}

fn widened(probe: &ProbeUnit) -> anyhow::Result<LogisticProbe> {
    let kept = probe.probe.as_ref();
    Ok(kept
        .ok_or_else(|| anyhow::anyhow!("the probe of layer {} was not kept", probe.layer))?
        .widened())
}

/// Up to `--rewrite-words` words of each letter, each with a random other letter.
fn rewrites(opener: &Opener<'_>, words: &[usize]) -> Vec<rewrite::Rewrite> {
    use rand::RngExt;
    let (plan, args) = (opener.plan, opener.args);
    let classes = plan.letters.len();
    let mut out = Vec::new();
    for class in 0..classes {
        let mut draw = rng(args.seed, &format!("paper/rewrite/{}", plan.letters[class]));
        let mut rows: Vec<usize> = (0..words.len())
            .filter(|&row| plan.class_of(words[row]) == class)
            .collect();
        rows.shuffle(&mut draw);
        rows.truncate(args.rewrite_words);
        rows.sort_unstable();
        out.extend(rows.into_iter().map(|row| {
            let step = draw.random_range(1..classes);
            rewrite::Rewrite {
                row,
                from: class,
                to: (class + step) % classes,
            }
        }));
    }
    out
}

/// One SAE with what its units share, encoded when first needed.
struct Bench<'a, 'm> {
    opener: &'a Opener<'m>,
    member: &'a Member,
    probe: LogisticProbe,
    probe_f1: Vec<f64>,
    sae: OnceCell<Sae>,
    encoded: OnceCell<Encoded>,
}

struct Encoded {
    train: SparseLatents,
    test: SparseLatents,
    seconds: f64,
}

impl<'a, 'm> Bench<'a, 'm> {
    fn new(opener: &'a Opener<'m>, member: &'a Member, probe: &ProbeUnit) -> anyhow::Result<Self> {
        Ok(Self {
            opener,
            member,
            probe: widened(probe)?,
            probe_f1: probe
                .sgd
                .iter()
                .map(|scores| scores.map_or(0.0, |scores| scores.f1))
                .collect(),
            sae: OnceCell::new(),
            encoded: OnceCell::new(),
        })
    }

    /// With decoder rows of unit length where that changes nothing else, as the released code folds them.
    fn sae(&self) -> anyhow::Result<&Sae> {
        if self.sae.get().is_none() {
            let sae = self.opener.args.open.open(&self.member.input.path)?;
            // Top-k compares latents with each other and cannot be folded; `unit_rows` says what that leaves.
            let folded = sae.fold_decoder_norms();
            let _ = self.sae.set(folded.unwrap_or(sae));
        }
        self.sae
            .get()
            .ok_or_else(|| anyhow::anyhow!("the SAE was opened and is not there"))
    }

    fn encoded(&self, layer: &Layer) -> anyhow::Result<&Encoded> {
        if self.encoded.get().is_none() {
            let sae = self.sae()?;
            let begun = Instant::now();
            let (train, test) = (sae.encode(&layer.train.x), sae.encode(&layer.test.x));
            let seconds = begun.elapsed().as_secs_f64();
            let _ = self.encoded.set(Encoded { train, test, seconds });
        }
        self.encoded
            .get()
            .ok_or_else(|| anyhow::anyhow!("words were encoded and are not there"))
    }

    fn material<'b>(&'b self, layer: &'b Layer) -> anyhow::Result<Material<'b>> {
        let encoded = self.encoded(layer)?;
        Ok(Material {
            sae: self.sae()?,
            train: &layer.train,
            train_latents: &encoded.train,
            test: &layer.test,
            test_latents: &encoded.test,
            probe: &self.probe,
        })
    }

    fn detect(&self) -> anyhow::Result<DetectionUnit> {
        let (lab, args) = (self.opener.lab()?, self.opener.args);
        let layer = lab.layer(self.member.layer)?;
        let material = self.material(&layer)?;
        let config = args.ranking(layer.train.n());
        let detection = Detection::new(material, &config, &PAPER_KS, args.seed)?;
        Ok(DetectionUnit {
            encode_seconds: self.encoded(&layer)?.seconds,
            unit_rows: unit_rows(material.sae),
            ranking_batch: config.batch_size,
            activating: self.activating(&layer, &detection)?,
            detection,
        })
    }

    /// The most activating test words of the main latents of letters that are split.
    fn activating(&self, layer: &Layer, detection: &Detection) -> anyhow::Result<Vec<Activating>> {
        let latents = &self.encoded(layer)?.test;
        let columns = latents.columns();
        let mut out = Vec::new();
        for (class, letter) in detection.ksparse.iter().enumerate().filter(|(_, l)| l.main.len() > 1) {
            for &latent in &letter.main {
                let (rows, values) = columns.latent(latent as usize);
                let mut found: Vec<(usize, f32)> =
                    rows.iter().map(|&r| r as usize).zip(values.iter().copied()).collect();
                found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                found.truncate(ACTIVATING);
                let text = |row: usize| self.opener.plan.vocabulary.words[layer.test_words[row]].text.clone();
                let named = found.into_iter().map(|(row, value)| (text(row), f64::from(value)));
                out.push(Activating {
                    class,
                    latent,
                    words: named.collect(),
                });
            }
        }
        Ok(out)
    }

    fn absorb(&self, detection: &Detection, settings: &Settings) -> anyhow::Result<AbsorptionUnit> {
        let (lab, args) = (self.opener.lab()?, self.opener.args);
        let layer = lab.layer(self.member.layer)?;
        let material = self.material(&layer)?;
        let fresh = lab.capture(self.member.layer)?;
        let facts = self.facts(&layer, &fresh.words)?;
        let answers = lab.answers();
        let sites = fresh.capture.sites();
        let latents = material.sae.encode(&sites);
        let subjects = Subjects {
            stage: &lab.fresh()?.0.stage,
            plain: lab.plain()?,
            answers: &answers,
            capture: &fresh.capture,
            sae: material.sae,
            latents: &latents,
        };
        let k_sparse = facts.k_sparse(material.test_latents, &detection.ksparse);
        let words = facts.words(&k_sparse);
        let found = measure_absorption(
            subjects,
            words,
            &self.probe,
            &detection.ksparse,
            &self.probe_f1,
            settings,
        )?;
        let example = example(subjects, words, &self.probe, &detection.ksparse, &found.frame, settings)?;
        let quiet = Settings {
            causal: false,
            ..*settings
        };
        let used = args.ranking(layer.train.n()).batch_size;
        let mut sensitivity = Vec::new();
        // A small batch of many words would take longer than everything else, and tell nothing.
        let bearable = |batch: &usize| layer.train.n() / batch <= MOST_UPDATES;
        let mut batches: Vec<usize> = BATCHES.into_iter().filter(bearable).chain([used]).collect();
        batches.sort_unstable_by(|a, b| b.cmp(a));
        batches.dedup();
        for batch in batches {
            let config = SgdConfig {
                batch_size: batch,
                ..args.ranking(layer.train.n())
            };
            let main = main_latents(material, &config, args.seed)?;
            let letters: Vec<KSparseLetter> = main.iter().map(as_letter).collect();
            let found = measure_absorption(subjects, words, &self.probe, &letters, &self.probe_f1, &quiet)?;
            let counts: Vec<usize> = letters.iter().map(|letter| letter.main.len()).collect();
            let score = found.score(&counts, Definition::V0_6, &Guard::default())?;
            let same = main.iter().zip(&detection.ksparse);
            sensitivity.push(Sensitivity {
                batch,
                first_f1: mean(main.iter().map(|main| main.f1.first().copied().unwrap_or(0.0))),
                same_first: same
                    .filter(|(main, used)| main.latents.first().map(|&j| j as u32) == used.latents.first().copied())
                    .count(),
                main_latents: mean(main.iter().map(|main| main.latents.len() as f64)),
                full: score.full.map(|spread| spread.mean),
                fraction: score.fraction.map(|spread| spread.mean),
            });
        }
        Ok(AbsorptionUnit {
            found,
            example,
            sensitivity,
            control: self.control(&layer, detection, subjects, &facts, settings)?,
        })
    }

    /// The random SAE, detected and scored in the same way.
    fn control(
        &self,
        layer: &Layer,
        detection: &Detection,
        subjects: Subjects<'_>,
        facts: &Facts,
        settings: &Settings,
    ) -> anyhow::Result<Control> {
        let args = self.opener.args;
        let random = random_like(self.sae()?, &layer.train.x, detection.l0, args.seed)?;
        let (train, test) = (random.encode(&layer.train.x), random.encode(&layer.test.x));
        let material = Material {
            sae: &random,
            train: &layer.train,
            train_latents: &train,
            test: &layer.test,
            test_latents: &test,
            probe: &self.probe,
        };
        let main = main_latents(material, &args.ranking(layer.train.n()), args.seed)?;
        let letters: Vec<KSparseLetter> = main.iter().map(as_letter).collect();
        let latents = random.encode(&subjects.capture.sites());
        let subjects = Subjects {
            sae: &random,
            latents: &latents,
            ..subjects
        };
        let k_sparse = facts.k_sparse(&test, &letters);
        let settings = Settings {
            alternatives: false,
            ..*settings
        };
        let words = facts.words(&k_sparse);
        let mut found = measure_absorption(subjects, words, &self.probe, &letters, &self.probe_f1, &settings)?;
        found.frame.clear();
        let quality = sae::evaluate(&random, &layer.test.x);
        Ok(Control {
            l0: quality.l0,
            explained_variance: quality.explained_variance,
            first_f1: main
                .iter()
                .map(|main| main.f1.first().copied().unwrap_or(0.0))
                .collect(),
            main_latents: main.iter().map(|main| main.latents.len()).collect(),
            found,
        })
    }

    /// What the test prompts say about each word of the new prompts.
    fn facts(&self, layer: &Layer, words: &[usize]) -> anyhow::Result<Facts> {
        let plan = self.opener.plan;
        let (prompts, _) = self.opener.lab()?.fresh()?;
        let logits = self
            .probe
            .scores(Design::new(&layer.test.x, layer.test.n(), layer.test.d)?)?;
        let row_of: std::collections::BTreeMap<usize, usize> = layer
            .test_words
            .iter()
            .enumerate()
            .map(|(row, &word)| (word, row))
            .collect();
        let classes = plan.letters.len();
        let class: Vec<usize> = words.iter().map(|&word| plan.class_of(word)).collect();
        let rows: Vec<Option<usize>> = words.iter().map(|word| row_of.get(word).copied()).collect();
        let found = rows
            .iter()
            .zip(&class)
            .map(|(row, class)| row.is_some_and(|row| logits[row * classes + class] > 0.0));
        let template = self.opener.args.template();
        let prompt = prompts.set.prompts.iter().map(|p| {
            let word = &plan.vocabulary.words[p.word];
            format!("{}{}{}", prompts.set.sets[p.icl].prefix_text, word.text, template.after)
        });
        Ok(Facts {
            found: found.collect(),
            class,
            rows,
            text: words
                .iter()
                .map(|&word| plan.vocabulary.words[word].text.clone())
                .collect(),
            prompt: prompt.collect(),
            alphabet: plan.alphabet(),
        })
    }

    fn rewrite(&self, detection: &Detection) -> anyhow::Result<RewriteUnit> {
        let lab = self.opener.lab()?;
        let fresh = lab.capture(self.member.layer)?;
        let sae = self.sae()?;
        let latents = sae.encode(&fresh.capture.sites());
        let letters: Vec<rewrite::LetterLatent> = detection
            .single
            .iter()
            .map(|single| rewrite::LetterLatent {
                latent: single.latent,
                mean: single.mean,
            })
            .collect();
        let rewrites = rewrites(self.opener, &fresh.words);
        let stage = &lab.fresh()?.0.stage;
        let alphabet = self.opener.plan.alphabet();
        let capture = (&fresh.capture, &latents);
        Ok(RewriteUnit {
            rewritten: rewrite::by_latents(stage, capture, sae, &letters, &rewrites, &alphabet)?,
        })
    }
}

/// Lists by row of the new prompts.
struct Facts {
    class: Vec<usize>,
    found: Vec<bool>,
    /// Row of the same word among the test prompts.
    rows: Vec<Option<usize>>,
    text: Vec<String>,
    prompt: Vec<String>,
    alphabet: Vec<usize>,
}

impl Facts {
    fn k_sparse(&self, test: &SparseLatents, letters: &[KSparseLetter]) -> Vec<f64> {
        let score = |(row, &class): (&Option<usize>, &usize)| {
            // A word without a test prompt is not found by the probe either.
            row.map_or(f64::NEG_INFINITY, |row| letters[class].score(test, row))
        };
        self.rows.iter().zip(&self.class).map(score).collect()
    }

    fn words<'b>(&'b self, k_sparse: &'b [f64]) -> Words<'b> {
        Words {
            class: &self.class,
            found: &self.found,
            k_sparse,
            text: &self.text,
            prompt: &self.prompt,
            alphabet: &self.alphabet,
        }
    }
}

fn main_latents(material: Material<'_>, config: &SgdConfig, seed: u64) -> anyhow::Result<Vec<MainLatents>> {
    let ranked = rank_latents(material, config, seed)?;
    let labels = Labels::new(&material.train.y, material.train.classes)?;
    let test_labels = Labels::new(&material.test.y, material.test.classes)?;
    Ok(ksparse::main_latents(
        &ranked,
        (sparse_rows(material.train_latents)?, &labels),
        (sparse_rows(material.test_latents)?, &test_labels),
        JUMP,
        LOOK_AHEAD_SAEBENCH,
    )?)
}

/// Whether every decoder row that is not zero has unit length, up to bf16's rounding.
fn unit_rows(sae: &Sae) -> bool {
    const ROUNDING: f32 = 0.01;
    sae.decoder_norms()
        .iter()
        .all(|&norm| norm <= 0.0 || (norm - 1.0).abs() < ROUNDING)
}

/// Main latents as far as scoring needs them.
fn as_letter(main: &MainLatents) -> KSparseLetter {
    let latents: Vec<u32> = main.latents.iter().map(|&j| j as u32).collect();
    let point = |(k, &f1): (usize, &f64)| ablation::paper::KPoint {
        k,
        scores: Some(ClassScores {
            positives: 0,
            negatives: 0,
            f1,
            precision: f64::NAN,
            recall: f64::NAN,
            auc: f64::NAN,
        }),
    };
    KSparseLetter {
        by_k: (1..).zip(&main.f1).map(point).collect(),
        fires: None,
        main_saebench: latents.clone(),
        main: latents.clone(),
        latents,
        weight: main.probe.weight.clone(),
        bias: main.probe.bias,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}
