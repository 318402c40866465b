//! An SAE with planted defects, and one without.

use ablation::SaeSide;
use ablation::gap::{
    Accounting, ClassEffects, ClassShapley, Config, GapTerms, Reference, Terms, measure_effects, shapley_check, shares,
};
use ablation::planted::defects::{Defects, Planting, Shares};
use ablation::planted::{self, Outcome, oracle};
use linear_probe::Leace;

use super::{Check, Setting, mean_of, measure, one_each};

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const PLANTED: &str = "what was planted in the scored words; tolerance .03 as published for LEACE";
    const TRUE_READ: &str = "what was planted; tolerance .01 for the true read (published: .008)";
    const EDIT: &str = "outcomes are linear, so the edit of the main latent takes what it carries";
    const SOUND: &str = "nothing was planted";
    let size = |shares| setting.size(Defects::small(shares), Defects::full(shares));
    let planted = size(Shares::ALL).plant(setting.seed)?;
    let train = &planted.world.train;
    let mut checks = Vec::new();
    let known = oracle(&planted.letters);
    let directions = planted::directions(train)?;
    for (name, references, tolerance, source) in [
        ("LEACE", &directions.leace, 0.03, PLANTED),
        ("true read", &known, 0.01, TRUE_READ),
    ] {
        let found = account(&planted, references)?;
        let truth = planted.truth;
        for (term, planted, found) in [
            ("main", truth.main, found.main),
            ("split", truth.split, found.split),
            ("absorb", truth.absorb, found.absorb),
            ("threshold", truth.threshold, found.threshold),
            ("dark", truth.dark, found.dark),
            ("diffuse", 0.0, found.diffuse),
        ] {
            // LEACE reads a letter by the absence of others too, 1/26 of it, which other letters' latents carry.
            let tolerance = if term == "diffuse" && name == "LEACE" {
                0.06
            } else {
                tolerance
            };
            checks.push(Check::near(
                format!("{term} share, {name}"),
                planted,
                tolerance,
                found,
                source,
            ));
        }
    }
    let (main, reference) = shares_mediated(&planted)?;
    checks.push(Check::near(
        "MS of the main latents",
        planted.truth.main,
        0.01,
        main,
        EDIT,
    ));
    checks.push(Check::near(
        "MS of the reference",
        1.0,
        0.02,
        reference,
        "LEACE takes the whole letter; published .97",
    ));
    checks.extend(causal(&planted, "linear answers")?);
    let bent = Defects {
        outcome: Outcome::Softmax,
        ..size(Shares::ALL)
    };
    checks.extend(causal(&bent.plant(setting.seed)?, "softmax answers")?);
    let sound = size(Shares::NONE).plant(setting.seed)?;
    let (main, reference) = shares_mediated(&sound)?;
    checks.push(Check::near("gap of a sound SAE", 0.0, 0.01, reference - main, SOUND));
    let found = account(&sound, &oracle(&sound.letters))?;
    let others = found
        .split
        .abs()
        .max(found.absorb.abs())
        .max(found.threshold.abs())
        .max(found.dark.abs());
    checks.push(Check::below(
        "largest term beside main, sound SAE, true read",
        0.01,
        others,
        SOUND,
    ));
    Ok(checks)
}

/// The gap divided by edits, with LEACE as the reference.
fn causal(planted: &Planting, answers: &str) -> anyhow::Result<Vec<Check>> {
    const PART: &str = "the planted share; tolerance .03 as for the read";
    const BENT: &str = "the planted share; logits of 26 letters bend the answer, hence .05";
    const IDENTITY: &str = "identity";
    const SHAPLEY: &str = "proportional parts against 2^5 edits per word; tolerance as specified";
    let train = &planted.world.train;
    measure(&planted.world, |measured| {
        let side = SaeSide::new(&planted.sae, train)?;
        let references = Reference::leace(measured.directions, train)?;
        let accounting = Accounting::new(&side, train, references, &one_each(&planted.main), Config::default())?;
        let latents = planted.sae.encode(&planted.world.test.x);
        let effects = measure_effects(measured.bench, &accounting, &latents)?;
        let terms: Vec<GapTerms> = effects.iter().filter_map(ClassEffects::terms).collect();
        anyhow::ensure!(!terms.is_empty(), "no letter has a ceiling");
        let mean = |term: fn(&GapTerms) -> f64| terms.iter().map(term).sum::<f64>() / terms.len() as f64;
        let open = terms
            .iter()
            .map(|t| {
                let parts = t.split + t.absorb + t.diffuse + t.threshold + t.dark;
                (parts - t.read).abs().max((t.read + t.write - t.total).abs())
            })
            .fold(0.0, f64::max);
        let truth = planted.truth;
        let (tolerance, source) = match planted.world.head.outcome {
            Outcome::Linear => (0.03, PART),
            Outcome::Softmax => (0.05, BENT),
        };
        let mut checks: Vec<Check> = [
            ("split", truth.split, mean(|t| t.split)),
            ("absorb", truth.absorb, mean(|t| t.absorb)),
            ("threshold", truth.threshold, mean(|t| t.threshold)),
            ("dark", truth.dark, mean(|t| t.dark)),
            // What LEACE reads in other letters' absence is in diffuse latents, and missing from its write: the two cancel.
            ("write and diffuse", 0.0, mean(|t| t.write + t.diffuse)),
        ]
        .into_iter()
        .map(|(part, planted, found)| {
            Check::near(
                format!("{part} part of the gap, {answers}"),
                planted,
                tolerance,
                found,
                source,
            )
        })
        .collect();
        checks.push(Check::below(
            format!("largest difference of the gap and its parts, {answers}"),
            1e-9,
            open,
            IDENTITY,
        ));
        let exact = shapley_check(measured.bench, &accounting, &effects)?;
        anyhow::ensure!(
            exact.len() == terms.len(),
            "letters of the check are not those of the gap"
        );
        let deviation = exact.iter().map(ClassShapley::deviation).fold(0.0, f64::max);
        checks.push(Check::below(
            format!("largest deviation of a part from its Shapley value, {answers}"),
            0.02,
            deviation,
            SHAPLEY,
        ));
        Ok(checks)
    })
}

/// Mediated shares of the main latents and of the reference, means over letters.
fn shares_mediated(planted: &Planting) -> anyhow::Result<(f64, f64)> {
    measure(&planted.world, |measured| {
        let main = measured.latents(&planted.sae, &one_each(&planted.main))?;
        Ok((mean_of(&main, |s| s.ms), mean_of(&measured.leace()?, |s| s.ms)))
    })
}

/// Shares of the read on scored words, means over letters; groups by the default rule on train words.
fn account(planted: &Planting, known: &[Leace]) -> anyhow::Result<Terms> {
    let (train, test) = (&planted.world.train, &planted.world.test);
    let references = known
        .iter()
        .enumerate()
        .map(|(class, known)| Reference::new(&known.reads, &known.mu, &known.writes, train, class))
        .collect::<Result<Vec<_>, _>>()?;
    let side = SaeSide::new(&planted.sae, train)?;
    let accounting = Accounting::new(&side, train, references, &one_each(&planted.main), Config::default())?;
    let latents = planted.sae.encode(&test.x);
    let mut sum = Terms::default();
    for class in 0..test.classes {
        let rows: Vec<usize> = (0..test.n()).filter(|&row| test.y[row] == class).collect();
        let reads = accounting.words(&test.x, &latents, class, &rows)?;
        let found = shares(&reads).ok_or_else(|| anyhow::anyhow!("letter {class} reads no more than others"))?;
        sum = sum.plus(found);
    }
    Ok(sum.map(|term| term / test.classes as f64))
}
