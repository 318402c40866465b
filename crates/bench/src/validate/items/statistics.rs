//! Intervals and tests on simulated panels.

use stats::simulate::{
    CoverageConfig, PairedModel, PanelModel, ScoreModel, TestConfig, coverage as count_coverage, rejections,
    reliability_coverage,
};
use stats::{Design, seed};

use super::{Check, Setting};

/// Four standard errors of a rate over `n` draws on either side of it, but at least `least`.
fn band(rate: f64, n: usize, least: f64) -> f64 {
    least.max(4.0 * (rate * (1.0 - rate) / n as f64).sqrt())
}

pub(super) fn coverage(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const NOMINAL: &str = "nominal 95 %; four standard errors of the simulation, at least .02";
    const WRONG: &str = "published: .67 at letter SD .10 and .33 at .23; must fail";
    let panels = setting.size(400, 2000);
    let half = band(0.95, panels, 0.02);
    let right = [0.95 - half, (0.95 + half).min(1.0)];
    let mut checks = Vec::new();
    for (letter_sd, most) in [(0.10, 0.75), (0.23, 0.45)] {
        let config = CoverageConfig {
            panels,
            replicates: setting.size(400, 1000),
            level: 0.95,
            seed: seed::sub_seed(setting.seed, &format!("validate/coverage/{letter_sd}")),
        };
        let found = count_coverage(&PanelModel::benchmark(letter_sd), &config)?;
        for (at, metric) in ["MS", "O", "M*"].into_iter().enumerate() {
            checks.push(Check::within(
                format!("letter-t covers {metric}, letter SD {letter_sd:.2}"),
                right,
                found.letter_t[at],
                NOMINAL,
            ));
            checks.push(Check::within(
                format!("letter bootstrap-t covers {metric}, letter SD {letter_sd:.2}"),
                right,
                found.bootstrap_t[at],
                NOMINAL,
            ));
        }
        checks.push(Check::below(
            format!("word-level interval covers MS, letter SD {letter_sd:.2}"),
            most,
            found.pooled_words,
            WRONG,
        ));
        checks.push(Check::below(
            format!("words within letters cover MS, letter SD {letter_sd:.2}"),
            most,
            found.within_letters,
            WRONG,
        ));
    }
    let tables = setting.size(400, 2000);
    let model = ScoreModel {
        items: 12,
        replicates: 5,
        design: Design::Nested,
        item_sd: 0.1,
        replicate_sd: 0.02,
        residual_sd: 0.03,
    };
    let found = reliability_coverage(
        &model,
        tables,
        0.95,
        seed::sub_seed(setting.seed, "validate/reliability"),
    )?;
    let half = band(0.95, tables, 0.02);
    for (name, value) in [("ICC", found.icc), ("SEM", found.sem)] {
        checks.push(Check::within(
            format!("limits of the {name} cover it, 12 SAEs and 5 seeds"),
            [0.95 - half, (0.95 + half).min(1.0)],
            value,
            NOMINAL,
        ));
    }
    Ok(checks)
}

pub(super) fn size(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const NOMINAL: &str = "nominal 5 %; four standard errors of the simulation, at least .01";
    const POWER: &str = "published power at SD .10: .33 / .72 / .98; tolerance .06";
    let tests = setting.size(800, 4000);
    let of = |difference: f64, difference_sd: f64, own_word_sd: f64| {
        let model = model(difference, difference_sd, own_word_sd);
        let config = TestConfig {
            tests,
            flips: 999,
            level: 0.95,
            seed: seed::sub_seed(setting.seed, &format!("validate/size/{difference}/{difference_sd}")),
        };
        rejections(&model, &config)
    };
    let half = band(0.05, tests, 0.01);
    let mut checks = Vec::new();
    for sd in [0.10, 0.15] {
        let found = of(0.0, sd, 0.3)?;
        checks.push(Check::near(
            format!("sign flips reject no difference, SD {sd:.2}"),
            0.05,
            half,
            found.sign_flip,
            NOMINAL,
        ));
        checks.push(Check::near(
            format!("letter-t rejects no difference, SD {sd:.2}"),
            0.05,
            half,
            found.letter_t,
            NOMINAL,
        ));
        checks.push(Check::above(
            format!("word-level test rejects no difference, SD {sd:.2}"),
            0.15,
            found.word_level,
            "must fail: words of one letter are not independent",
        ));
    }
    for (difference, power) in [(0.03, 0.33), (0.05, 0.72), (0.08, 0.98)] {
        // The published SD is that of the observed difference: no noise of words comes on top.
        let found = of(difference, 0.10, 0.0)?;
        checks.push(Check::near(
            format!("sign flips find a difference of {difference}, SD 0.10"),
            power,
            0.06,
            found.sign_flip,
            POWER,
        ));
    }
    let panels = setting.size(400, 2000);
    checks.push(Check::below(
        "largest distance of sign-flip p-values from uniform (Kolmogorov-Smirnov)",
        1.95 / (panels as f64).sqrt(),
        distance_from_uniform(panels, setting.seed)?,
        "level .001 of the test of uniformity",
    ));
    Ok(checks)
}

fn model(difference: f64, difference_sd: f64, own_word_sd: f64) -> PairedModel {
    PairedModel {
        panel: PanelModel::benchmark(0.23),
        difference,
        difference_sd,
        own_word_sd,
    }
}

fn distance_from_uniform(panels: usize, run: u64) -> anyhow::Result<f64> {
    let model = model(0.0, 0.10, 0.3);
    let mut p = (0..panels)
        .map(|at| {
            let seed = seed::sub_seed(run, &format!("validate/uniform/{at}"));
            Ok(stats::sign_flip(&model.panel(seed)?.differences(), 999, seed)?.p)
        })
        .collect::<anyhow::Result<Vec<f64>>>()?;
    p.sort_by(f64::total_cmp);
    let n = panels as f64;
    let gap = |(at, p): (usize, &f64)| (at as f64 / n - p).abs().max(((at + 1) as f64 / n - p).abs());
    Ok(p.iter().enumerate().map(gap).fold(0.0, f64::max))
}
