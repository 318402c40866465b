//! `bench ls`: what there is to measure, what to measure it with, and what was measured.

use std::path::{Path, PathBuf};

use ablation::gap::Absorbed;
use checkpoint::hub::{Cache, Wanted};
use clap::{Args, ValueEnum};
use model_runner::ModelConfig;
use report::{Cell, Column, Format, Table};
use sae::Sae;
use store::{Record, Status, Store};

use crate::run::unit::{
    GREEDY_KS, KS, KS_FULL, direction_arm_names, greedy_latents, k_latents, one_latent, sae_arm_names,
};
use crate::{embedded, failure, print_tables};

/// Folder of records unless another is named.
const RUNS: &str = "runs";

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Models that ship with the program.
    Models,
    /// Sparse autoencoders that ship with the program.
    Saes,
    /// Tasks.
    Tasks,
    /// Arms: the edits that are compared.
    Arms,
    /// Records of a folder.
    Runs,
}

/// List models, autoencoders, tasks, arms or finished runs.
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// What to list.
    #[arg(value_enum)]
    what: What,
    /// Folder of records, for `runs` [default: runs].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the table on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// Lists. Returns the exit code.
pub(crate) fn ls(args: &LsArgs) -> anyhow::Result<u8> {
    if args.out.is_some() && args.what != What::Runs {
        return Err(failure::usage(
            "`--out` names a folder of records\nhint: it goes with `bench ls runs`",
        ));
    }
    let (table, code) = match args.what {
        What::Models => (models()?, failure::DONE),
        What::Saes => saes()?,
        What::Tasks => (tasks()?, failure::DONE),
        What::Arms => (arms()?, failure::DONE),
        What::Runs => runs(args.out.as_deref())?,
    };
    print_tables(&[table], args.format)?;
    Ok(code)
}

fn models() -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("model"),
        Column::text("family"),
        Column::number("layers"),
        Column::number("width"),
        Column::number("vocabulary").with_help("tokens"),
        Column::number("bytes").with_help("of the weights"),
        Column::text("path"),
    ];
    let mut table = Table::new("Models", columns);
    model_row(&mut table, "embedded", &embedded::folder()?.join("model"))?;
    let cache = Cache::from_env();
    let mut repos = cache.repos();
    repos.sort();
    let mut others = 0;
    for repo in repos {
        // Repositories of SAEs lie in the same cache, and models that are half there or of a family that is not read.
        match cache.find_one(&repo, Wanted::Model { tokenizer: true }) {
            Ok(found) if model_row(&mut table, &repo, &found.path).is_ok() => {}
            _ => others += 1,
        }
    }
    table.notes.push(format!(
        "Models in the Hugging Face cache `{}` are listed by name; {others} repositories there are no models that can be run. Any other checkpoint folder is named by its path: `bench run --model DIR`.",
        cache.root().display()
    ));
    Ok(table)
}

fn model_row(table: &mut Table, name: &str, folder: &Path) -> anyhow::Result<()> {
    let config = ModelConfig::read(&folder.join("config.json"))?;
    let checkpoint = checkpoint::Checkpoint::open(folder)?;
    table.push(vec![
        Cell::text(name),
        Cell::text(config.family),
        Cell::count(config.layers as u64),
        Cell::count(config.hidden_size as u64),
        Cell::count(config.vocab_size as u64),
        Cell::count(checkpoint.total_bytes()),
        Cell::text(folder.display().to_string()),
    ])?;
    Ok(())
}

fn saes() -> anyhow::Result<(Table, u8)> {
    let columns = vec![
        Column::text("SAE"),
        Column::text("architecture").with_help("as trained; what it computes is in `bench inspect`"),
        Column::number("width").with_help("latents"),
        Column::number("L0").with_help("active latents per vocabulary word, as its train_log.json says"),
        Column::number("EV").with_help("explained variance on vocabulary words, likewise"),
        Column::text("hook"),
        Column::text("problem"),
    ];
    let mut table = Table::new("SAEs of the embedded model", columns);
    let mut code = failure::DONE;
    for path in embedded::saes()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Sae::open(&path) {
            Ok(sae) => {
                let metadata = &sae.config().metadata;
                let architecture = metadata
                    .training_architecture()
                    .unwrap_or(sae.config().architecture.name());
                let log = checkpoint::read_json_value(&path.join("train_log.json")).ok();
                let logged = |field: &str, digits: usize| {
                    let value = log.as_ref().and_then(|log| log.get("on_words")?.get(field)?.as_f64());
                    let missing = || Cell::Missing("there is no readable train_log.json".to_owned());
                    value.map_or_else(missing, |value| Cell::Number { value, digits })
                };
                table.push(vec![
                    Cell::text(name),
                    Cell::text(architecture),
                    Cell::count(sae.d_sae() as u64),
                    logged("l0", 1),
                    logged("explained_variance", 3),
                    Cell::text(metadata.hook_name().unwrap_or("unknown")),
                    Cell::text(""),
                ])?;
            }
            Err(error) => {
                eprintln!("error: {error}");
                code = failure::SOME_FAILED;
                let mut row = vec![Cell::text(name)];
                row.extend((0..5).map(|_| Cell::Missing("it cannot be read".to_owned())));
                row.push(Cell::text(first_line(&error.to_string())));
                table.push(row)?;
            }
        }
    }
    if table.rows().is_empty() {
        table
            .notes
            .push("None is shipped beside the embedded model; `bench train sae` makes them.".to_owned());
    } else {
        table
            .notes
            .push(format!("They lie in `{}`.", embedded::folder()?.join("saes").display()));
    }
    Ok((table, code))
}

fn tasks() -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("task"),
        Column::text("question"),
        Column::text("query"),
        Column::text("answer"),
        Column::number("classes"),
    ];
    let mut table = Table::new("Tasks", columns);
    table.push(vec![
        Cell::text("first-letter"),
        Cell::text("what a word begins with, after examples of other words"),
        Cell::text(format!("cat{}", tasks::Template::verbose().after.replace('\n', "\\n"))),
        Cell::text("C"),
        Cell::count(tasks::Letter::COUNT as u64),
    ])?;
    Ok(table)
}

fn arms() -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("arm"),
        Column::text("needs"),
        Column::text("what it does to the vector at the word"),
    ];
    let mut table = Table::new("Arms: one edit per letter, applied to every word", columns);
    let core = direction_arm_names(false);
    let core_of_sae = sae_arm_names(false);
    let of_nothing = |name: String| {
        let needs = if core.contains(&name) {
            "nothing"
        } else {
            "`--arms full`"
        };
        (name, needs)
    };
    let of_sae = |name: String| {
        let needs = if core_of_sae.contains(&name) {
            "an SAE"
        } else {
            "an SAE, `--arms full`"
        };
        (name, needs)
    };
    for (name, needs) in direction_arm_names(true)
        .into_iter()
        .map(of_nothing)
        .chain(sae_arm_names(true).into_iter().map(of_sae))
    {
        let meaning = meaning(&name).unwrap_or_else(|| "not described".to_owned());
        table.push(vec![Cell::text(name), Cell::text(needs), Cell::text(meaning)])?;
    }
    table.notes.push("Directions and latents are chosen on train words; `oracle` alone looks at the test words. Conclusions about an SAE use `sae:k=1:probe`.".to_owned());
    Ok(table)
}

/// One line about an arm.
fn meaning(name: &str) -> Option<String> {
    let fixed = match name {
        "null" => "nothing: every score is 0",
        "full-site" => "replaces it by the mean of the other letters' words: the ceiling, MS is 1 by definition",
        "random" => {
            "moves it along a random direction, as far as `leace-1` moves it: the floor of any edit of that size"
        }
        "diff-mean" => "brings its projection on (mean of the letter's words - mean of the others) to the others' mean",
        "lr" => "brings its projection on the logistic probe's weights to the others' mean",
        "leace-1" => "erases the letter with rank-1 LEACE: the reference that SAEs are compared with",
        "leace-25" => "erases all letters at once with joint LEACE (rank: letters - 1)",
        "leace-25u" => {
            "one edit for all letters: joint LEACE, every coordinate to its mean over all words; it has no damage share, as other letters' words are its targets too"
        }
        "lr-span" => {
            "one edit for all letters: projects out the span of all logistic probes' weights; no damage share either"
        }
        "sae:26u:probe" => {
            "one edit for all letters: sets every letter's best one-latent classifier to zero; no damage share either"
        }
        "sae:26u:random" => {
            "one edit for all letters: sets as many random latents to zero, each of the firing rate of one of those"
        }
        "sae:random" => {
            "brings a random latent to its off-letter mean: one of the ten nearest to the chosen latent in firing rate and mean activation on the letter's words and in decoder norm"
        }
        Absorbed::FULL => {
            "brings the classifier's latent to its off-letter mean, and where it carries less than half of what `leace-1` reads, the absorbing latents too"
        }
        Absorbed::COMPONENT => {
            "the same, but of the absorbing latents takes only what they write into `leace-1`'s read away, along its write"
        }
        _ => "",
    };
    let fixed = if fixed.is_empty() {
        meaning_of_control(name).unwrap_or_default()
    } else {
        fixed
    };
    if !fixed.is_empty() {
        return Some(fixed.to_owned());
    }
    let rules = [
        (
            "cosine",
            "whose encoder direction is nearest to the letter's logistic probe",
        ),
        (
            "probe",
            "that is the best one-latent classifier of the letter on train words",
        ),
        (
            "effect",
            "whose removal lowers the letter's log-odds most on train words",
        ),
        (
            "oracle",
            "that does best on the test words themselves (no fair score: no less than the three rules above)",
        ),
    ];
    if let Some((_, which)) = rules.iter().find(|(rule, _)| one_latent(rule) == name) {
        return Some(format!("brings the one latent {which} to its off-letter mean"));
    }
    if let Some(k) = GREEDY_KS.iter().find(|&&k| greedy_latents(k) == name) {
        return Some(format!(
            "brings {k} latents to their off-letter means: each the one that added most to the joint effect on train words"
        ));
    }
    let k = KS.iter().chain(&KS_FULL).find(|&&k| k_latents(k) == name)?;
    Some(format!(
        "brings the {k} latents with the largest exact effects on train words to their off-letter means"
    ))
}

/// One line about a floor, a control or an arm of the full set.
fn meaning_of_control(name: &str) -> Option<&'static str> {
    Some(match name {
        "random-pca" => {
            "as `random`, in the span of the principal components that hold 90 % of the train words' variance: a harder floor"
        }
        "lr-haufe" => "reads with the logistic probe's weights and writes their pattern in the data (Sigma w)",
        "inlp" => {
            "brings to the others' mean all directions that repeated logistic probes found, until what is left reads at chance"
        }
        "das-1" | "das-2" | "das-4" => {
            "brings to the others' mean a subspace of that rank trained to carry the letter when patched: the supervised skyline"
        }
        "neurons:k=1" | "neurons:k=16" => {
            "brings to the others' mean the coordinates of the stream with the largest exact effects on train words"
        }
        "pca:k=1" | "pca:k=16" => {
            "brings to the others' mean the principal components with the largest exact effects on train words"
        }
        "leace-1@zero" => "`leace-1` with its read brought to zero instead of the others' mean",
        "leace-1@resample" => "`leace-1` with its read brought to that of a random word of another letter",
        "sae:k=1:probe@zero" => "`sae:k=1:probe` with its latent silenced instead of brought to its off-letter mean",
        "sae:k=1:probe@resample" => {
            "`sae:k=1:probe` with its latent brought to its value on a random word of another letter"
        }
        "sae:other-letter" => {
            "uses the latent that the probe rule chose for another letter: what any letter's latent does here"
        }
        "sae:permuted-decoder" => {
            "`sae:k=1:probe` writing another latent's decoder row: the dictionary with its rows permuted"
        }
        "sae:random-dictionary" => "`sae:k=1:probe` writing a random direction as long as the latent's decoder row",
        "sae:random-init" => {
            "the probe rule's latent of an autoencoder in random directions with as many active latents: training left out"
        }
        "sae:permuted-labels" => {
            "the probe rule on train words whose letters were shuffled: what selection finds by chance"
        }
        _ => return None,
    })
}

fn runs(out: Option<&Path>) -> anyhow::Result<(Table, u8)> {
    let dir = out.unwrap_or(Path::new(RUNS));
    if out.is_some() && !dir.is_dir() {
        return Err(failure::input(format!(
            "there is no folder `{}`\nhint: name the `--out` folder of `bench run`",
            dir.display()
        )));
    }
    let columns = vec![
        Column::text("key").with_help("first digits of the record's identity; part of its file name"),
        Column::text("model"),
        Column::text("site"),
        Column::text("SAE"),
        Column::number("seed"),
        Column::text("status"),
        Column::text("arm"),
        Column::higher("M*")
            .with_help("of that arm: share of the letter's computation that it mediates, less its damage"),
        Column::text("note"),
    ];
    let mut table = Table::new(format!("Records in `{}`", dir.display()), columns);
    let mut code = failure::DONE;
    for entry in Store::open(dir).list()? {
        match entry.record {
            Ok(record) => table.push(row(&record))?,
            Err(error) => {
                eprintln!("error: {error}");
                code = failure::SOME_FAILED;
                let file = entry
                    .path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let key = file
                    .trim_end_matches(".json")
                    .rsplit("__")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let unknown = || Cell::Missing("the record cannot be read".to_owned());
                let mut cells = vec![Cell::text(key)];
                cells.extend((0..4).map(|_| unknown()));
                cells.extend([
                    Cell::text("corrupt"),
                    unknown(),
                    unknown(),
                    Cell::text(first_line(&error.to_string())),
                ]);
                table.push(cells)?;
            }
        }
    }
    if table.rows().is_empty() {
        table
            .notes
            .push("Nothing was run into this folder yet; `bench run` does.".to_owned());
    }
    Ok((table, code))
}

fn row(record: &Record) -> Vec<Cell> {
    let spec = &record.spec;
    let (sae, arm) = match &spec.sae {
        Some(sae) => (sae.id.as_str(), one_latent("probe")),
        None => ("(none: directions)", "leace-1".to_owned()),
    };
    let (status, reason) = match record.status {
        Status::Done => ("done", "it was not measured"),
        Status::Limited => ("limited", "it was not measured"),
        Status::Failed => ("failed", "the unit failed"),
    };
    let note = match (&record.error, record.warnings.len()) {
        (Some(error), _) => first_line(error),
        (None, 0) => String::new(),
        (None, 1) => "1 warning".to_owned(),
        (None, n) => format!("{n} warnings"),
    };
    vec![
        Cell::text(record.key.short()),
        Cell::text(spec.model.id.as_str()),
        Cell::text(spec.site.hook.as_str()),
        Cell::text(sae),
        Cell::count(spec.seed),
        Cell::text(status),
        Cell::text(arm.as_str()),
        Cell::estimate(record.summary.get(&format!("{arm}/m_star")), 2, reason),
        Cell::text(note),
    ]
}

/// An error's message without its hint: a table cell is one line.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::unit::direction_arm_names;

    #[test]
    fn every_arm_has_a_meaning() {
        for name in direction_arm_names(true).into_iter().chain(sae_arm_names(true)) {
            assert!(meaning(&name).is_some(), "{name}");
        }
        assert_eq!(meaning("sae:k=5"), None);
    }
}
