//! The delta family: accounting that must be exact.

use ablation::gap::{Accounting, Config, Reference, shares};
use ablation::planted::delta::{Family, Member};
use ablation::planted::oracle;
use ablation::{SaeSide, planted};

use super::{Check, Setting, measure};

/// Share of the letter's words that have a child.
const WITH_CHILD: f64 = 0.2;

/// Shares of the letter's read.
struct Found {
    main: f64,
    absorb: f64,
    /// What candidate absorbers carry on words where the main latent carries the larger part.
    partial: f64,
    /// Share of words on which the main latent is silent.
    silent: f64,
}

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const CLOSED: &str =
        "closed form: p11 delta / (p11 + p10) (Chanin et al. 2025, appendix A.2); tolerance as published";
    const RULE: &str =
        "closed form; single words are absorbed by default only where the main latent carries under half";
    const ABSENCE: &str =
        "8/9 of the closed form: LEACE reads a ninth of the letter in the absence of the other letters' 8 features";
    const BINARY: &str = "closed form: why a binary rate says little";
    let words = setting.size(200, 1000);
    let family = |children| Family {
        alone: words - (words as f64 * WITH_CHILD) as usize,
        words,
        children,
    };
    // One child that fires on a fifth of the words: by the default rule it would split the letter, so coverage does not decide.
    let every = Config {
        coverage: 1.0,
        carried: 1.0,
        ..Config::default()
    };
    let mut checks = Vec::new();
    for delta in [0.0, 0.25, 0.5, 0.9, 1.0] {
        let one = family(1).member(delta, setting.seed)?;
        let exact = account(&one, &every, false)?;
        checks.push(Check::near(
            format!("absorbed share, delta {delta}, true read"),
            one.absorbed,
            1e-3,
            exact.absorb,
            CLOSED,
        ));
        checks.push(Check::near(
            format!("main share, delta {delta}, true read"),
            1.0 - one.absorbed,
            1e-3,
            exact.main,
            CLOSED,
        ));
        checks.push(Check::near(
            format!("absorbed share, delta {delta}, LEACE"),
            one.absorbed * one.read_by_leace,
            1e-3,
            account(&one, &every, true)?.absorb,
            ABSENCE,
        ));
        let ms = measure(&one.world, |measured| {
            let scored = measured.latents(&one.sae, &[vec![one.main], Vec::new(), Vec::new()])?;
            Ok(scored.letters.get(&'a').map_or(f64::NAN, |score| score.ms))
        })?;
        checks.push(Check::near(
            format!("MS of the main latent, delta {delta}"),
            1.0 - one.absorbed,
            1e-3,
            ms,
            CLOSED,
        ));
        let many = family(40).member(delta, setting.seed)?;
        let by_rule = account(&many, &Config::default(), false)?;
        checks.push(Check::near(
            format!("absorbed share, partial included, delta {delta}, default rule, 40 children"),
            many.absorbed,
            1e-3,
            by_rule.absorb + by_rule.partial,
            CLOSED,
        ));
        // At one half a word is on the limit of the rule itself.
        if (delta - 0.5).abs() > 0.01 {
            checks.push(Check::near(
                format!("absorbed share, delta {delta}, default rule, 40 children"),
                if delta > 0.5 { many.absorbed } else { 0.0 },
                1e-3,
                by_rule.absorb,
                RULE,
            ));
        }
        if delta >= 0.9 {
            let silent = if delta < 1.0 { 0.0 } else { WITH_CHILD };
            checks.push(Check::near(
                format!("words on which the main latent is silent, delta {delta}"),
                silent,
                1e-9,
                exact.silent,
                BINARY,
            ));
        }
    }
    Ok(checks)
}

fn account(member: &Member, config: &Config, leace: bool) -> anyhow::Result<Found> {
    let words = &member.world.train;
    let known = if leace {
        planted::directions(words)?.leace
    } else {
        oracle(&member.letters)
    };
    let references = known
        .iter()
        .enumerate()
        .map(|(class, known)| Reference::new(&known.reads, &known.mu, &known.writes, words, class))
        .collect::<Result<Vec<_>, _>>()?;
    let side = SaeSide::new(&member.sae, words)?;
    let main = [vec![member.main], Vec::new(), Vec::new()];
    let accounting = Accounting::new(&side, words, references, &main, *config)?;
    let rows: Vec<usize> = (0..words.n()).filter(|&row| words.y[row] == 0).collect();
    let reads = accounting.words(&words.x, &side.train, 0, &rows)?;
    let total: f64 = reads.iter().map(|read| read.excess).sum();
    let of = shares(&reads).ok_or_else(|| anyhow::anyhow!("the letter's words read no more than others"))?;
    Ok(Found {
        main: of.main,
        absorb: of.absorb,
        partial: reads.iter().map(|read| read.partial).sum::<f64>() / total,
        silent: reads.iter().filter(|read| !read.main_fires).count() as f64 / reads.len() as f64,
    })
}
