//! What all definitions read: the SAE, the probe, the test rows and their latents.

use ablation::absorption::{Accounting, Word, decoder_along};
use linear_probe::{LogisticProbe, metrics};
use sae::{Sae, SparseLatents};
use serde_json::{Value, json};

use super::args::AbsorptionArgs;
use crate::probe::folded;
use crate::probe::input::{Labelled, Reading, wrong};
use crate::probe::show::class_name;
use crate::probe::weights;
use crate::{failure, locate};

/// Read once.
pub(super) struct Material {
    pub(super) sae: Sae,
    pub(super) folded: bool,
    pub(super) probe: LogisticProbe,
    pub(super) test: Labelled,
    pub(super) latents: SparseLatents,
    /// By class.
    pub(super) names: Vec<String>,
    /// F1 of the dense probe on test rows, by class; 0 where there is none.
    pub(super) probe_f1: Vec<Option<f64>>,
    /// Test rows of each class, by class.
    pub(super) positives: Vec<usize>,
    /// Those that the dense probe finds, by class.
    pub(super) found: Vec<Vec<usize>>,
    /// For the record.
    pub(super) facts: Value,
}

impl Material {
    pub(super) fn read(args: &AbsorptionArgs) -> anyhow::Result<Self> {
        let given = weights::read(
            "--probe",
            &args.probe,
            args.probe_weight.as_deref(),
            args.probe_bias.as_deref(),
        )?;
        let opened = args.open.open(&locate::sae(&args.sae)?.path)?;
        if opened.is_transcoder() {
            return Err(failure::input(format!(
                "`--sae {}` is a transcoder: what it reads is not what it writes, so that its latents carry no share of the activations\nhint: name an autoencoder",
                args.sae
            )));
        }
        let (sae, folded) = folded(opened, args.no_fold)?;
        let test = Labelled::read(&args.test(), Reading::Dense)?;
        if given.probe.d != test.d {
            return Err(wrong(
                &args.probe,
                &given.weight,
                &format!(
                    "the probe reads {} values, the rows of `{}` in `{}` have {}",
                    given.probe.d,
                    args.x,
                    args.acts.display(),
                    test.d
                ),
                "the probe is of another model or hook; train one with `bench probe`",
            ));
        }
        fits(&sae, &test)?;
        let classes = given.probe.bias.len();
        let labels = test.labels(classes, "those of `--probe`")?;
        let probe = given.probe.widened();
        if let Some(class) = (0..classes).find(|&class| probe.direction(class).iter().all(|&w| w == 0.0)) {
            return Err(wrong(
                &args.probe,
                &given.weight,
                &format!("the weights of class {class} are all zero, which is no direction"),
                "train a probe with `bench probe`",
            ));
        }
        let refuse = |error| test.source.refuse(&error);
        let scores = probe.scores(test.design()?).map_err(refuse)?;
        let evaluation = metrics::evaluate(&scores, &labels, 0.0).map_err(refuse)?;
        let mut found = vec![Vec::new(); classes];
        for (row, &class) in test.y.iter().enumerate() {
            if scores[row * classes + class] > 0.0 {
                found[class].push(row);
            }
        }
        let latents = sae.encode(test.x());
        let facts = json!({
            "sae": { "sae": args.sae, "d_in": sae.d_in(), "d_sae": sae.d_sae() },
            "folded": folded,
            "decoder_norms": norms(&sae),
            "probe": { "file": args.probe, "weight": given.weight, "bias": given.bias },
            "test": { "file": args.acts, "x": args.x, "y": args.y, "rows": test.n() },
        });
        Ok(Self {
            latents,
            folded,
            names: (0..classes).map(|class| class_name(class, classes)).collect(),
            probe_f1: evaluation
                .classes
                .iter()
                .map(|scores| scores.map(|scores| scores.f1))
                .collect(),
            positives: labels.counts().to_vec(),
            found,
            probe,
            test,
            sae,
            facts,
        })
    }

    pub(super) fn classes(&self) -> usize {
        self.names.len()
    }

    /// A letter for the library, which knows classes by one character.
    pub(super) fn letter(&self, class: usize) -> char {
        let mut name = self.names[class].chars();
        match (name.next(), name.next()) {
            (Some(one), None) => one,
            _ => '?',
        }
    }

    /// Test words of a class that the probe finds, along its direction.
    pub(super) fn words(&self, class: usize, accounting: Accounting) -> anyhow::Result<Vec<Word>> {
        let direction = self.probe.direction(class);
        let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        let along = decoder_along(&self.sae, direction);
        let rows = self.found[class].iter().map(|&row| {
            let x = &self.test.x()[row * self.test.d..(row + 1) * self.test.d];
            let dot: f64 = x.iter().zip(direction).map(|(&x, v)| f64::from(x) * v).sum();
            Word::of_row(&self.latents, row, dot / length, &along, accounting)
                .map_err(|error| failure::input(format!("row {row} of `{}`: {error}", self.test.source.x)))
        });
        rows.collect()
    }
}

/// Refuses rows that the SAE does not read.
pub(super) fn fits(sae: &Sae, rows: &Labelled) -> anyhow::Result<()> {
    if sae.d_in() == rows.d {
        return Ok(());
    }
    Err(rows.source.wrong(
        &rows.source.x,
        &format!("its rows have {} values, the SAE reads {}", rows.d, sae.d_in()),
        "the activations or the SAE are from another model or hook",
    ))
}

/// Smallest and largest decoder norm, with a warning where they make the accounting of `SAEBench` wrong.
fn norms(sae: &Sae) -> [f32; 2] {
    let norms = sae.decoder_norms();
    let low = norms.iter().copied().fold(f32::INFINITY, f32::min);
    let high = norms.iter().copied().fold(0.0, f32::max);
    // bf16 rounding of unit rows stays within 0.004.
    if low < 0.99 || high > 1.01 {
        eprintln!("warning: decoder rows have norms from {low:.3} to {high:.3}; `SAEBench` takes them to be 1");
    }
    [low, high]
}
