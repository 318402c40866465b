//! The model, what units depend on, and the dense probes of each layer.

use std::cell::OnceCell;

use ablation::Labelled;
use linear_probe::metrics::{ClassScores, evaluate};
use linear_probe::sgd::{self, Start};
use linear_probe::{Design, Labels, LogisticConfig, LogisticProbe, Rows, SgdConfig, fit_logistic};
use model_runner::Transformer;
use serde_json::json;
use stats::seed::sub_seed;

use super::args::PaperArgs;
use super::data::ProbeUnit;
use super::lab::{Lab, Layer};
use super::plan::{Member, Plan};
use super::units::{Timed, Units};

/// The model, opened when a unit needs it.
pub(crate) struct Opener<'m> {
    pub(crate) plan: &'m Plan,
    pub(crate) args: &'m PaperArgs,
    pub(crate) model: &'m OnceCell<Transformer>,
    pub(crate) lab: OnceCell<Lab<'m>>,
}

impl<'m> Opener<'m> {
    pub(crate) fn lab(&self) -> anyhow::Result<&Lab<'m>> {
        if self.model.get().is_none() {
            let model = self.args.place.model(&self.plan.model_dir)?;
            let _ = self.model.set(model);
        }
        let model = self
            .model
            .get()
            .ok_or_else(|| anyhow::anyhow!("the model was opened and is not there"))?;
        Ok(self.lab.get_or_init(|| Lab::new(self.plan, self.args, model)))
    }

    /// What every unit depends on.
    pub(crate) fn key(&self) -> serde_json::Value {
        let (plan, args) = (self.plan, self.args);
        let mut key = json!({
            "model": plan.model_hash,
            "tokenizer": plan.tokenizer_hash,
            "train": names_hash(plan, &plan.split.train),
            "test": names_hash(plan, &plan.split.test),
            "bos": format!("{:?}", args.bos),
            "icl": format!("{:?}", args.icl),
            "leading_newline": args.leading_newline,
            "seed": args.seed,
        });
        // Left out where it is the CPU, as in keys from before there was a choice.
        if let Some((device, dtype)) = &plan.device {
            key["device"] = json!([device, dtype]);
        }
        key
    }

    pub(crate) fn sae_key(&self, member: &Member) -> serde_json::Value {
        let args = self.args;
        let n = self.plan.split.train.len();
        let decided: std::collections::BTreeMap<_, _> = args.open.settings().into_iter().collect();
        json!([
            self.key(),
            member.input.spec.hash,
            member.layer,
            decided,
            args.probe(n),
            args.ranking(n)
        ])
    }
}

fn names_hash(plan: &Plan, words: &[usize]) -> String {
    let names: Vec<&str> = words
        .iter()
        .map(|&word| plan.vocabulary.words[word].text.as_str())
        .collect();
    store::Blake3::of(names.join("\n").as_bytes()).to_string()
}

/// Probes of SAE layers, with their weights.
pub(crate) fn probe(opener: &Opener<'_>, units: &Units<'_>, layer: usize) -> anyhow::Result<Timed<ProbeUnit>> {
    let args = opener.args;
    let config = args.probe(opener.plan.split.train.len());
    let key = json!([opener.key(), layer, config]);
    units.get(&format!("probe-layer-{layer}"), &key, || {
        let lab = opener.lab()?;
        fit_probes(&*lab.layer(layer)?, layer, &config, args.seed, true)
    })
}

/// Probes of all layers, without weights (the line of Figure 4a). `known`: those of SAE layers. Each layer is a unit; the missing ones
/// share as few passes of the model as memory allows.
pub(crate) fn probe_line(
    opener: &Opener<'_>,
    units: &Units<'_>,
    known: &[(ProbeUnit, f64)],
) -> anyhow::Result<Vec<ProbeUnit>> {
    let args = opener.args;
    let config = args.probe(opener.plan.split.train.len());
    let name = |layer: usize| format!("probe-line-layer-{layer}");
    let key = |layer: usize| json!([opener.key(), layer, config]);
    let mut line = Vec::new();
    let mut missing = Vec::new();
    for layer in 0..opener.plan.config.layers {
        if let Some((probe, _)) = known.iter().find(|(probe, _)| probe.layer == layer) {
            line.push(ProbeUnit {
                sgd: probe.sgd.clone(),
                probe: None,
                converged: Vec::new(),
                ..*probe
            });
        } else if let Some(found) = units.find(&name(layer), &key(layer))? {
            line.push(found);
        } else {
            missing.push(layer);
        }
    }
    if !missing.is_empty() {
        opener.lab()?.each_layer(&missing, |layer, one| {
            let fit = || fit_probes(one, layer, &config, args.seed, false);
            line.push(units.get(&name(layer), &key(layer), fit)?.data);
            Ok(())
        })?;
    }
    line.sort_by_key(|probe| probe.layer);
    Ok(line)
}

fn fit_probes(layer: &Layer, index: usize, config: &SgdConfig, seed: u64, keep: bool) -> anyhow::Result<ProbeUnit> {
    let (train, test) = (&layer.train, &layer.test);
    let design = Design::new(&train.x, train.n(), train.d)?;
    let labels = Labels::new(&train.y, train.classes)?;
    let start = Start::seeded(sub_seed(seed, "paper/dense-probe"));
    let probe = sgd::train(Rows::from(design), &labels, config, start)?.probe;
    let sgd = classify(&probe.widened(), test)?;
    let converged = if keep {
        classify(
            &fit_logistic(design, &labels, &LogisticConfig::balanced(1.0))?.probe,
            test,
        )?
    } else {
        Vec::new()
    };
    Ok(ProbeUnit {
        layer: index,
        train_words: train.n(),
        test_words: test.n(),
        batch: config.batch_size,
        probe: keep.then_some(probe),
        sgd,
        converged,
    })
}

fn classify(probe: &LogisticProbe, test: &Labelled) -> anyhow::Result<Vec<Option<ClassScores>>> {
    let scores = probe.scores(Design::new(&test.x, test.n(), test.d)?)?;
    let labels = Labels::new(&test.y, test.classes)?;
    Ok(evaluate(&scores, &labels, 0.0)?.classes)
}
