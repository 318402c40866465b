//! Trained toys: what absorption and hedging look like when training makes them.

use ablation::gap::{Accounting, Config, Reference, shares};
use ablation::planted::room::{Pairs, hedging_rate};
use ablation::{Labelled, SaeSide};
use sae::toy::{Setting as Toy, TABLE3_PUBLISHED, ToyConfig, ToyData, ToySae, absorption, train_all};

use sae::train::{Rows, extend};
use sae::{Objective, TrainConfig};

use super::{Check, Setting};

/// Rates of the first and the second features of the pairs.
const FIRST: f64 = 0.3;
const SECOND: f64 = 0.25;
/// Steps of each training for the hedging rate: after a quarter of them independent features still look hedged, by .05.
const STEPS: usize = 6000;

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const THEORY: &str = "theory and figure 2 of Chanin et al. 2025: absent at least .95, full at most .05";
    const TABLE: &str = "table 3 of Chanin et al. 2025, both fire; tolerance as for the cells of that table";
    const CHILD: &str = "the child fires on a fifth of the parent's rows and takes the parent with it";
    const HEDGES: &str = "theory orders them: a latent short of room writes what fires with its feature; no value is published for this setting";
    let seed = stats::seed::sub_seed(setting.seed, "validate/toys");
    let mut configs = vec![
        ToyConfig::new(Toy::Independent, seed),
        ToyConfig::new(Toy::Hierarchical, seed),
        ToyConfig::tied(Toy::Hierarchical, seed),
    ];
    if !setting.small {
        configs.extend([
            // Where the gradient along decoder rows is left in, this toy differs by .08 from seed to seed.
            ToyConfig {
                project_gradient: true,
                ..ToyConfig::new(Toy::PartialCoOccurrence, seed)
            },
            ToyConfig {
                project_gradient: true,
                ..ToyConfig::new(Toy::MagnitudeVariance, seed)
            },
        ]);
    }
    let toys = train_all(&configs)?;
    let kept: Vec<f64> = toys.iter().map(|toy| absorption(toy).kept()).collect();
    let mut checks = vec![
        Check::above("kept by the parent, independent features", 0.95, kept[0], THEORY),
        Check::near("kept by the parent, child only with parent", 0.0, 0.05, kept[1], THEORY),
        Check::above("kept by the parent, the same with tied weights", 0.95, kept[2], THEORY),
        Check::near(
            "absorbed share of the read, child only with parent",
            0.2,
            0.02,
            absorbed(&toys[1])?,
            CHILD,
        ),
        Check::near(
            "absorbed share of the read, tied weights",
            0.0,
            0.02,
            absorbed(&toys[2])?,
            CHILD,
        ),
    ];
    if let [.., partial, varied] = &kept[..]
        && !setting.small
    {
        let published = TABLE3_PUBLISHED[1][0] / TABLE3_PUBLISHED[0][0];
        checks.push(Check::near(
            "kept by the parent, 5 % of the child's firings alone",
            published,
            0.05,
            *partial,
            TABLE,
        ));
        checks.push(Check::within(
            "kept by the parent, its magnitude varies",
            [0.05, 0.95],
            *varied,
            "section 3 of Chanin et al. 2025: absorption is partial",
        ));
    }
    let (correlated, independent) = (hedging(0.6, setting)?, hedging(SECOND, setting)?);
    checks.push(Check::below(
        "hedging rate, independent features",
        0.05,
        independent,
        HEDGES,
    ));
    checks.push(Check::above(
        "hedging rate, correlated less independent features",
        0.05,
        correlated - independent,
        HEDGES,
    ));
    Ok(checks)
}

/// Hedging rate of an autoencoder with one latent for each pair of features, of which the second fires with the first at this rate.
fn hedging(together: f64, setting: &Setting) -> anyhow::Result<f64> {
    let seed = stats::seed::sub_seed(setting.seed, "validate/hedging");
    let features = Pairs {
        pairs: 5,
        d: 100,
        first: FIRST,
        together,
        alone: (SECOND - FIRST * together) / (1.0 - FIRST),
    };
    let data = features.rows(20_000, seed)?;
    let rows = Rows::new(&data, features.d);
    let objective = Objective::Standard {
        l1_coefficient: 0.5,
        l1_warmup_steps: 100,
    };
    let with = |width: usize| TrainConfig {
        learning_rate: 1e-3,
        batch_size: 512,
        apply_b_dec_to_input: false,
        ..TrainConfig::new(width, objective.clone(), STEPS)
    };
    let (narrow, _) = extend(&features.first_features(seed)?, &with(features.pairs), &rows, seed)?;
    let (wide, _) = extend(&narrow, &with(3 * features.pairs), &rows, seed)?;
    let found = hedging_rate(&narrow, &wide, seed)?;
    Ok(found.rate)
}

/// Absorbed share of the parent's read by the accounting, on rows of the toy's own data.
fn absorbed(toy: &ToySae) -> anyhow::Result<f64> {
    const ROWS: usize = 4000;
    let sae = toy.to_sae()?;
    let d = sae.d_in();
    let data = ToyData::new(toy.config.setting, d, toy.config.seed)?;
    let magnitudes = data.magnitudes(ROWS);
    let words = Labelled {
        x: data.activations(&magnitudes).iter().map(|&v| v as f32).collect(),
        y: magnitudes
            .chunks_exact(toy.config.setting.features())
            .map(|row| usize::from(row[0] <= 0.0))
            .collect(),
        d,
        classes: 2,
    };
    let parent = &data.features()[..d];
    let down: Vec<f64> = parent.iter().map(|v| -v).collect();
    let zero = vec![0.0; d];
    let references = vec![
        Reference::new(parent, &zero, parent, &words, 0)?,
        Reference::new(&down, &zero, &down, &words, 1)?,
    ];
    let side = SaeSide::new(&sae, &words)?;
    let main = toy.cosines().latent_of_feature()[0] as u32;
    // The one child fires on many of the parent's rows; by coverage it would split the parent.
    let config = Config {
        coverage: 1.0,
        carried: 1.0,
        ..Config::default()
    };
    let accounting = Accounting::new(&side, &words, references, &[vec![main], Vec::new()], config)?;
    let rows: Vec<usize> = (0..words.n()).filter(|&row| words.y[row] == 0).collect();
    let reads = accounting.words(&words.x, &side.train, 0, &rows)?;
    let found = shares(&reads).ok_or_else(|| anyhow::anyhow!("the parent's rows read no more than others"))?;
    Ok(found.absorb)
}
