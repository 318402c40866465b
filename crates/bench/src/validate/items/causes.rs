//! One defect at a time: is it named?

use ablation::SaeSide;
use ablation::gap::{Accounting, Cause, ClassEffects, Config, Reference, Rule, Symptoms, diagnose, measure_effects};
use ablation::planted::defects::{Defects, Planting, Shares};

use super::{Check, Setting, measure, one_each};

/// Share of the letter that is planted elsewhere.
const HALF: f64 = 0.5;

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const NAMED: &str = "the one planted defect; a letter in ten may be unlucky in its words";
    let half = Shares {
        main: 1.0 - HALF,
        ..Shares::NONE
    };
    let planted = [
        (Cause::Splitting, Shares { split: HALF, ..half }),
        (Cause::Absorption, Shares { absorb: HALF, ..half }),
        (Cause::DarkMatter, Shares { dark: HALF, ..half }),
        (Cause::NoGap, Shares::NONE),
    ];
    planted
        .into_iter()
        .map(|(cause, shares)| {
            let planted = Defects::small(shares).plant(setting.seed)?;
            let causes = named(&planted, setting)?;
            let right = causes.iter().filter(|found| **found == cause).count();
            Ok(Check::within(
                format!("share of letters named \"{}\" where that is planted", cause.name()),
                [0.9, 1.0],
                right as f64 / planted.letters.len() as f64,
                NAMED,
            ))
        })
        .collect()
}

/// The named cause of every letter that has a ceiling.
fn named(planted: &Planting, setting: &Setting) -> anyhow::Result<Vec<Cause>> {
    let train = &planted.world.train;
    measure(&planted.world, |measured| {
        let side = SaeSide::new(&planted.sae, train)?;
        let references = Reference::leace(measured.directions, train)?;
        let accounting = Accounting::new(&side, train, references, &one_each(&planted.main), Config::default())?;
        let effects = measure_effects(measured.bench, &accounting, &planted.sae.encode(&planted.world.test.x))?;
        let cause = |class: &ClassEffects| {
            let symptoms = Symptoms {
                words: class.sums(),
                ..Symptoms::default()
            };
            let mut rng = stats::seed::rng(setting.seed, &format!("validate/causes/{}", class.class));
            Some(diagnose(&symptoms, &Rule::default(), &mut rng)?.cause)
        };
        Ok(effects.iter().filter_map(cause).collect())
    })
}
