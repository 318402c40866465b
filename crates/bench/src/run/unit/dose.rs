//! The dose sweep: every arm at several factors, with random edits of the same lengths, and what follows per letter.
//!
//! Writes the table `doses` (one row per arm and factor, macro means over letters) and per arm `audc_random`, `audc_pca`,
//! `ms_at_rho2` and, where the damage on unrelated text is known, `ms_at_rhok`. All four are computed per letter and get the t
//! interval over letters. A matched dose that some letter does not reach gets no mean, since the letters that reach it are those on
//! which the arm acts most; the letters' own values and `ms_at_rho2_reached`, the share of letters that reach it, are kept. Rows of
//! the floors are not kept: they are draws times factors times words and follow from the seed.

use std::collections::BTreeMap;

use ablation::dose::{ALPHAS, Lengths, Matched, TextDose, at_matched_damage, interpolate, lengths, mean_height};
use ablation::{Arm, arms, mediated_shares, score};
use sae::SparseLatents;
use store::{Estimate, LetterRow, TableRow, Warning};

use super::{Lab, Unit};
use crate::run::summary::macro_estimate;

/// Draws of each floor at each factor.
const FLOOR_DRAWS: usize = 4;

/// The arm whose dose others are matched to.
const REFERENCE: &str = "leace-1";

/// One letter of one arm at one factor.
#[derive(Clone, Copy)]
struct Cell {
    alpha: f64,
    lengths: Lengths,
    ms: f64,
    o_mean: f64,
    m_star: f64,
    /// Mediated share of random directions, and of random directions among the data's components, of the same lengths.
    floors: [f64; 2],
}

/// A column of the table: its name, unit and value.
type Column = (&'static str, &'static str, fn(&Cell) -> f64);

/// Cells by letter, each by rising factor.
type Curves = BTreeMap<char, Vec<Cell>>;

/// Sweeps arms and adds what follows to the unit.
///
/// `text`: damage on unrelated text by arm, letter and factor, where measured; it
/// must hold the reference arm at factor 1 to match others to it.
pub(super) fn sweep(
    lab: Lab<'_>,
    unit: &mut Unit,
    swept: &[Arm],
    latents: Option<&SparseLatents>,
    text: &[TextDose],
) -> anyhow::Result<()> {
    let Lab { site, bench, .. } = lab;
    let leace = arms::leace_1(&site.directions, &site.train);
    let reference = lengths(bench, &leace, None, &site.directions.spectrum)?;
    for arm in swept {
        let curves = lab
            .profile
            .time("dose sweep", Some(lab.stages), || curves(lab, unit, arm, latents))?;
        tabulate(unit, &arm.name, &curves, text);
        conclude(unit, &arm.name, &curves, &reference, text);
    }
    Ok(())
}

/// Measures one arm at every factor.
fn curves(lab: Lab<'_>, unit: &mut Unit, arm: &Arm, latents: Option<&SparseLatents>) -> anyhow::Result<Curves> {
    let Lab {
        args,
        plan,
        site,
        bench,
        ..
    } = lab;
    let natural = lengths(bench, arm, latents, &site.directions.spectrum)?;
    let (draws, seed) = (args.random_draws.min(FLOOR_DRAWS), plan.directions.seed);
    // Floors are asked for their mediated share alone, so other letters' words are not run for them.
    let own_words = bench.own_words();
    let floor = |arm: &Arm| -> anyhow::Result<BTreeMap<char, f64>> {
        let measured = own_words.measure(arm, latents, false)?;
        Ok(mediated_shares(&own_words.rows(&measured, |row| site.word(row))))
    };
    let mut curves = Curves::new();
    for alpha in ALPHAS {
        let name = format!("{}@alpha={alpha}", arm.name);
        let dosed = arms::at_dose(arm, alpha).named(&name);
        let rows = bench.rows(&bench.measure(&dosed, latents, false)?, |row| site.word(row));
        let own = score(&rows)?;
        unit.rows.extend(rows);
        let random = floor(&arms::random(&dosed, site.train.d, draws, seed))?;
        let pca = floor(&arms::random_pca(&dosed, &site.directions, draws, seed))?;
        for (&letter, scores) in &own.letters {
            let (Some(length), Some(&random), Some(&pca)) =
                (natural.get(&letter), random.get(&letter), pca.get(&letter))
            else {
                continue;
            };
            curves.entry(letter).or_default().push(Cell {
                alpha,
                lengths: length.times(alpha),
                ms: scores.ms,
                o_mean: scores.o_mean,
                m_star: scores.m_star,
                floors: [random, pca],
            });
        }
    }
    Ok(curves)
}

/// Adds the arm's rows of the table `doses`.
fn tabulate(unit: &mut Unit, arm: &str, curves: &Curves, text: &[TextDose]) {
    let columns: [Column; 9] = [
        ("rho_2", "share of |x|", |cell| cell.lengths.rho_2),
        ("rho_m", "deviations", |cell| cell.lengths.rho_m),
        ("ms", "share", |cell| cell.ms),
        ("o_mean", "share", |cell| cell.o_mean),
        ("m_star", "share", |cell| cell.m_star),
        ("floor_random", "share", |cell| cell.floors[0]),
        ("floor_pca", "share", |cell| cell.floors[1]),
        ("msx_random", "share", |cell| cell.ms - cell.floors[0]),
        ("msx_pca", "share", |cell| cell.ms - cell.floors[1]),
    ];
    let rows = unit.summary.tables.entry("doses".to_owned()).or_default();
    for (at, alpha) in ALPHAS.iter().enumerate() {
        let values = columns.iter().map(|(name, unit, field)| {
            let of_letters: Vec<f64> = curves.values().filter_map(|cells| cells.get(at)).map(field).collect();
            ((*name).to_owned(), macro_estimate(&of_letters, unit))
        });
        let same = |dose: &&TextDose| {
            dose.arm == arm && dose.alpha.total_cmp(alpha).is_eq() && curves.contains_key(&dose.letter)
        };
        let damage: Vec<f64> = text.iter().filter(same).map(|dose| dose.kl).collect();
        let damage = (!damage.is_empty()).then(|| ("rho_k".to_owned(), macro_estimate(&damage, "nats/token")));
        rows.push(TableRow {
            at: BTreeMap::from([
                ("arm".to_owned(), arm.to_owned()),
                ("alpha".to_owned(), alpha.to_string()),
            ]),
            values: values.chain(damage).collect(),
        });
    }
}

/// Adds areas and matched doses.
fn conclude(unit: &mut Unit, arm: &str, curves: &Curves, reference: &BTreeMap<char, Lengths>, text: &[TextDose]) {
    let mut found: BTreeMap<&str, BTreeMap<char, f64>> = BTreeMap::new();
    let mut missing: BTreeMap<&str, Vec<char>> = BTreeMap::new();
    for (&letter, cells) in curves {
        let mut put = |name, value: Option<f64>| {
            if let Some(value) = value {
                found.entry(name).or_default().insert(letter, value);
            }
        };
        let mut matched = |name: &'static str, value: Matched| match value {
            Matched::At(value) => Some(value),
            Matched::NotReached { .. } => {
                missing.entry(name).or_default().push(letter);
                None
            }
        };
        let by_length = |value: fn(&Cell) -> f64| -> Vec<(f64, f64)> {
            cells.iter().map(|cell| (cell.lengths.rho_2, value(cell))).collect()
        };
        if let Some(wanted) = reference.get(&letter).map(|lengths| lengths.rho_2) {
            put("audc_random", mean_height(&by_length(|c| c.ms - c.floors[0]), wanted));
            put("audc_pca", mean_height(&by_length(|c| c.ms - c.floors[1]), wanted));
            let at = interpolate(&by_length(|c| c.ms), wanted);
            put("ms_at_rho2", matched("the length of LEACE's edits", at));
        }
        let of = |name: &str| -> Vec<&TextDose> {
            text.iter()
                .filter(|text| text.letter == letter && text.arm == name)
                .collect()
        };
        let wanted = of(REFERENCE)
            .into_iter()
            .find(|text| text.alpha.total_cmp(&1.0).is_eq());
        let by_alpha: Vec<(f64, f64)> = cells.iter().map(|cell| (cell.alpha, cell.ms)).collect();
        let at = wanted.and_then(|wanted| at_matched_damage(&by_alpha, &of(arm), wanted.kl));
        if let Some(at) = at {
            put("ms_at_rhok", matched("LEACE's damage on unrelated text", at));
        }
    }
    for (dose, letters) in missing {
        unit.summary.warnings.push(Warning::DoseNotReached {
            arm: arm.to_owned(),
            dose: dose.to_owned(),
            letters,
        });
    }
    for (name, of_letters) in &found {
        let values: Vec<f64> = of_letters.values().copied().collect();
        if name.starts_with("ms_at_") {
            let share = values.len() as f64 / curves.len() as f64;
            let reached = Estimate::point(share, curves.len() as u64, "share");
            unit.summary.put(&format!("{arm}/{name}_reached"), reached);
            if values.len() < curves.len() {
                continue;
            }
        }
        let estimate = macro_estimate(&values, "share").higher_is_better();
        unit.summary.put(&format!("{arm}/{name}"), estimate);
    }
    for &letter in curves.keys() {
        let values = found.iter().filter_map(|(name, of_letters)| {
            let value = *of_letters.get(&letter)?;
            Some(((*name).to_owned(), Estimate::point(value, 1, "share")))
        });
        unit.summary.letters.push(LetterRow {
            letter,
            arm: format!("{arm}@doses"),
            values: values.collect(),
        });
    }
}
