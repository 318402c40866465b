//! Arms of the full set: iterated and trained subspaces, masks of given bases, other ablation values, degraded autoencoders.
//!
//! Everything here is chosen or trained on train words. Deliberately absent: autoencoders whose decoder was frozen while they were
//! trained; the shipped panel holds none, and one from elsewhere is measured as any SAE is.

use ablation::arms::{self, Coordinates, ranked_coordinates};
use ablation::das::{self, DasConfig, Differentiable};
use ablation::paper::random_like;
use ablation::select::{LatentProbe, by_sparse_probe};
use ablation::{Arm, Captured, Editor, SaeSide};
use linear_probe::inlp::{Inlp, InlpConfig, inlp};
use linear_probe::{Design, Labels, LogisticConfig};
use stats::seed::sub_seed;
use store::{Estimate, Warning};

use super::dose::sweep;
use super::sae::OfSae;
use super::text_dose::text_doses;
use super::{Lab, Unit, k_latents, one_latent};
use crate::run::summary::macro_estimate;

/// Arms without an SAE beyond the core ones.
pub(crate) const FULL_DIRECTION_ARMS: [&str; 10] = [
    "inlp",
    "das-1",
    "das-2",
    "das-4",
    "neurons:k=1",
    "neurons:k=16",
    "pca:k=1",
    "pca:k=16",
    "leace-1@zero",
    "leace-1@resample",
];

/// Arms of an SAE beyond the core ones.
pub(crate) fn full_sae_arm_names() -> Vec<String> {
    let values = ["zero", "resample"].map(|value| format!("{}@{value}", one_latent("probe")));
    let controls = CONTROLS.map(ToOwned::to_owned);
    values.into_iter().chain(controls).collect()
}

/// What an SAE that means nothing does, each read against `sae:random`.
const CONTROLS: [&str; 4] = [
    "sae:permuted-decoder",
    "sae:random-dictionary",
    "sae:random-init",
    "sae:permuted-labels",
];

/// Ranks of the trained subspaces.
const DAS_RANKS: [usize; 3] = [1, 2, 4];

/// Most directions that iterative projection removes for a letter.
const INLP_RANK: usize = 32;

/// Most words of other letters that iterative projection tells a letter from.
const INLP_OTHERS: usize = 10_000;

/// Coordinates of a basis whose exact effect is measured, per letter.
const CANDIDATES: usize = 64;

/// Set sizes of the masks.
const MASKS: [usize; 2] = [1, 16];

/// Draws of controls that need another encoding or selection each.
const COSTLY_DRAWS: usize = 4;

/// Adds the arms that need no SAE.
pub(super) fn of_directions(lab: Lab<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let Lab { args, plan, site, .. } = lab;
    let seed = plan.directions.seed;
    let directions = &site.directions;

    let found = lab.profile.time("inlp", None, || removed(lab))?;
    unit.arm(lab, &arms::inlp(&found, directions), None)?;
    ranks(lab, &found, unit);

    let plain = lab.stages.train.model().differentiable()?;
    let readout = Differentiable {
        captured: selection(lab),
        plain: &plain,
        answers: plan.answers.ids(),
    };
    let letters = lab.letters_of(&(0..plan.letters.len()).collect::<Vec<_>>());
    for rank in DAS_RANKS {
        let config = DasConfig::of_rank(rank, seed);
        let trained = lab.profile.time("das", Some(lab.stages), || {
            das::train(&readout, (&site.select_class, &letters), directions, &config)
        })?;
        unit.arm(lab, &trained.arm(directions, rank), None)?;
        // A step's pairs are few: the tenth of all steps at either end says where training began and ended.
        let tenth = (trained.losses.len() / 10).max(1);
        let ends = [
            &trained.losses[..tenth],
            &trained.losses[trained.losses.len() - tenth..],
        ];
        for (name, part) in ["loss_first", "loss_last"].iter().zip(ends) {
            let mean = stats::mean(part)?;
            let pairs = (tenth * config.batch) as u64;
            unit.summary
                .put(&format!("das-{rank}/{name}"), Estimate::point(mean, pairs, "nats"));
        }
    }

    let readout = selection(lab);
    for basis in [Coordinates::Neurons(directions), Coordinates::Pca(directions)] {
        let of_words = (site.select_class.as_slice(), letters.as_slice());
        let ranked = lab.profile.time("select", Some(lab.stages), || {
            ranked_coordinates(basis, &readout, &site.train, of_words, &site.select_clean, CANDIDATES)
        })?;
        for k in MASKS {
            unit.arm(lab, &basis.arm(&ranked, k), None)?;
        }
        let supporting: Vec<f64> = ranked.iter().map(|order| order.len() as f64).collect();
        let name = format!("{}/supporting", basis.name());
        unit.summary.put(&name, macro_estimate(&supporting, "coordinates"));
    }

    let leace = arms::leace_1(directions, &site.train);
    unit.arm(lab, &arms::at_zero(&leace)?, None)?;
    let resampled = arms::resampled(&leace, &site.train, None, args.random_draws, seed)?;
    unit.arm(lab, &resampled, None)?;

    let swept = [
        arms::full_site(directions),
        arms::diff_mean(directions, &site.train),
        arms::lr(directions, &site.train),
        leace,
    ];
    let text = text_doses(lab, &swept, None)?;
    sweep(lab, unit, &swept, None, &text)?;
    Ok(())
}

/// Adds the arms of an SAE.
pub(super) fn of_sae(lab: Lab<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let Lab { args, plan, site, .. } = lab;
    let seed = plan.directions.seed;
    let chosen = of.by_probe();
    let probe = of.side.arm(&one_latent("probe"), &chosen);

    unit.arm(lab, &arms::at_zero(&probe)?, Some(&of.scored))?;
    let train = Some(&of.side.train);
    let resampled = arms::resampled(&probe, &site.train, train, args.random_draws, seed)?;
    unit.arm(lab, &resampled, Some(&of.scored))?;

    let draws = args.random_draws;
    let permuted = arms::permuted_decoder(&of.side, &chosen, draws, seed);
    unit.arm(lab, &permuted, Some(&of.scored))?;
    let random = arms::random_dictionary(&of.side, &chosen, draws, seed);
    unit.arm(lab, &random, Some(&of.scored))?;
    random_init(lab, of, unit)?;
    unit.arm(lab, &permuted_labels(lab, of)?, Some(&of.scored))?;
    unit.summary.signed(&one_latent("probe"));
    unit.summary.signed("sae:random");
    for control in CONTROLS {
        unit.summary.signed(control);
        unit.summary.excess(control, "sae:random");
    }

    let sixteen = of.side.arm(&k_latents(16), &of.strongest(16));
    let swept = [probe, sixteen];
    let text = text_doses(lab, &swept, Some(of.sae))?;
    sweep(lab, unit, &swept, Some(&of.scored), &text)
}

/// The selection words' prompts.
fn selection(lab: Lab<'_>) -> Captured<'_> {
    Captured {
        stage: &lab.stages.train,
        capture: &lab.site.select,
    }
}

/// What iterative nullspace projection removes for each letter, on the train words.
fn removed(lab: Lab<'_>) -> anyhow::Result<Vec<Inlp>> {
    let train = &lab.site.train;
    let config = InlpConfig {
        logistic: LogisticConfig::balanced(lab.site.directions.lr_c),
        held_out: 0.2,
        z: 1.645,
        max_rank: INLP_RANK,
        most_others: INLP_OTHERS,
        seed: lab.plan.directions.seed,
    };
    let design = Design::new(&train.x, train.n(), train.d)?;
    Ok(inlp(design, &Labels::new(&train.y, train.classes)?, &config)?)
}

/// How many directions each letter lost, and which letters still had some to lose.
fn ranks(lab: Lab<'_>, found: &[Inlp], unit: &mut Unit) {
    let letter = |class: usize| lab.plan.letters[class].lower();
    let ranks: Vec<f64> = found.iter().map(|found| found.rank() as f64).collect();
    unit.summary.put("inlp/rank", macro_estimate(&ranks, "directions"));
    for row in unit.summary.letters.iter_mut().filter(|row| row.arm == "inlp") {
        let class = (0..found.len()).find(|&class| letter(class) == row.letter);
        if let Some(class) = class {
            let rank = Estimate::point(ranks[class], 1, "directions");
            row.values.insert("rank".to_owned(), rank);
        }
    }
    let letters: Vec<char> = (0..found.len())
        .filter(|&class| !found[class].at_chance)
        .map(letter)
        .collect();
    if !letters.is_empty() {
        unit.summary.warnings.push(Warning::NullspaceNotReached {
            letters,
            rank: INLP_RANK as u64,
        });
    }
}

/// One latent per letter of an autoencoder in random directions that fires as often, by the probe rule on its own latents.
fn random_init(lab: Lab<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let site = lab.site;
    let seed = sub_seed(lab.plan.directions.seed, "arms/random-init");
    let l0 = of.side.train.mean_l0();
    let control = random_like(of.sae, &site.train.x, l0, seed)?;
    let side = SaeSide::new(&control, &site.train)?;
    let chosen = sets_of(&by_sparse_probe(&side.train, &site.train)?);
    let scored = control.encode(&site.scored.sites());
    let rows = side.train.rows() as u64;
    unit.summary.put(
        "sae:random-init/l0",
        Estimate::point(side.train.mean_l0(), rows, "latents"),
    );
    unit.summary
        .put("sae:random-init/l0_wanted", Estimate::point(l0, rows, "latents"));
    unit.arm(lab, &side.arm("sae:random-init", &chosen), Some(&scored))
}

/// One latent per letter by the probe rule on shuffled letters, whose off-class means are taken under them too.
fn permuted_labels(lab: Lab<'_>, of: &OfSae<'_>) -> anyhow::Result<Arm> {
    let draws = lab.args.random_draws.min(COSTLY_DRAWS);
    let draw = |draw: usize| -> anyhow::Result<Vec<Editor>> {
        let shuffled = arms::permuted(&lab.site.train, lab.plan.directions.seed, draw);
        let side = SaeSide::with_latents(of.sae, of.side.train.clone(), &shuffled)?;
        let chosen = sets_of(&by_sparse_probe(&side.train, &shuffled)?);
        let arm = side.arm("", &chosen);
        Ok(arm.draws.into_iter().flatten().collect())
    };
    Ok(Arm {
        name: "sae:permuted-labels".to_owned(),
        draws: (0..draws).map(draw).collect::<anyhow::Result<_>>()?,
    })
}

/// One latent per class; none where no latent classifies at all.
fn sets_of(probes: &[LatentProbe]) -> Vec<Vec<u32>> {
    let one = |probe: &LatentProbe| (probe.f1 > 0.0).then_some(probe.latent);
    probes.iter().map(|probe| one(probe).into_iter().collect()).collect()
}
