//! `bench leaderboard`: the SAEs of finished records, one row each.
//!
//! Deliberately absent: tests between rows, which need pairs that someone chose before looking (`bench compare`), and any
//! search below the folders that are named.

mod detectable;
mod filter;
mod show;
mod sort;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use report::Format;
use store::{Record, Store};

use self::detectable::Detectable;
use self::filter::{Filter, passes};
use self::sort::Sort;
use crate::reliability::Reliabilities;
use crate::{failure, print_tables};

const EXAMPLES: &str = "\
Examples:
  bench leaderboard runs                 best M* (rule probe) first
  bench leaderboard runs more/ --sort absorbed --limit 10
  bench leaderboard runs --filter architecture=topk --filter 'id=*-k4'
  bench leaderboard runs --format csv > panel.csv

--sort takes: m_star (one latent per letter, rule `probe`), cosine, effect, oracle (M* of these
rules), k_to_match (then the share that matches), f1, absorbed, ev, l0, width. Best first; of l0 and
width, the smallest first.

--filter takes the fields architecture, model, hook and id. In a value, * stands for any characters
and ? for one. Filters of one field are alternatives; different fields must all match.

Exit codes: 0 done, 2 usage, 3 input missing or wrong, 4 nothing selected, 5 some records could not
be read.";

/// Rank the SAEs of finished records.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct LeaderboardArgs {
    /// Folders of records, such as the `--out` folders of `bench run`.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// What rows are sorted by, best first.
    #[arg(long, value_name = "METRIC", default_value = "m_star")]
    sort: Sort,
    /// Only SAEs whose field matches; repeat for more.
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<Filter>,
    /// File of `bench reliability` with the smallest detectable differences [default: the shipped one, where it fits].
    #[arg(long, value_name = "FILE")]
    reliability: Option<PathBuf>,
    /// Only the first N rows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Format of the table on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// Records of all folders, and how many are not shown.
#[derive(Default)]
struct Found {
    saes: Vec<Record>,
    directions: Vec<Record>,
    failed: usize,
    twice: usize,
    unreadable: usize,
}

/// Ranks. Returns the exit code.
pub(crate) fn leaderboard(args: &LeaderboardArgs) -> anyhow::Result<u8> {
    let mut found = read(&args.dirs)?;
    let all = found.saes.len();
    found.saes.retain(|record| passes(&args.filter, record));
    if found.saes.is_empty() {
        return Err(failure::nothing_selected(empty(args, &found, all)));
    }
    found.saes.sort_by(|a, b| args.sort.compare(a, b));
    let mut versions: BTreeMap<(String, u32), Vec<&Record>> = BTreeMap::new();
    for record in &found.saes {
        let version = (record.spec.task.clone(), record.spec.metric_version);
        versions.entry(version).or_default().push(record);
    }
    let known = match &args.reliability {
        Some(file) => Some(Reliabilities::read(file)?),
        None => Reliabilities::shipped(),
    };
    let mut tables = Vec::new();
    let mut detectable = None;
    // The newest version first.
    for ((task, version), records) in versions.iter().rev() {
        let of_rows = Detectable::new(known.as_ref(), records);
        tables.push(show::table(
            args,
            &found,
            (task, *version),
            records,
            &of_rows,
            versions.len() > 1,
        )?);
        detectable = detectable.or(of_rows.table()?);
    }
    if let Some(last) = tables.last_mut() {
        last.notes.extend(show::counts(&found));
    }
    tables.extend(detectable);
    print_tables(&tables, args.format)?;
    Ok(if found.unreadable > 0 {
        failure::SOME_FAILED
    } else {
        failure::DONE
    })
}

fn read(dirs: &[PathBuf]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut keys = BTreeSet::new();
    for dir in dirs {
        if !dir.is_dir() {
            return Err(failure::input(format!(
                "there is no folder `{}`\nhint: name folders of records, such as the `--out` folder of `bench run`",
                dir.display()
            )));
        }
        for entry in Store::open(dir).list()? {
            match entry.record {
                Err(error) => {
                    eprintln!("error: {error}");
                    found.unreadable += 1;
                }
                Ok(record) if !record.status.is_finished() => found.failed += 1,
                Ok(record) if !keys.insert(record.key.to_string()) => found.twice += 1,
                Ok(record) if record.spec.sae.is_some() => found.saes.push(record),
                Ok(record) => found.directions.push(record),
            }
        }
    }
    Ok(found)
}

/// Why there is nothing to show.
fn empty(args: &LeaderboardArgs, found: &Found, all: usize) -> String {
    if all > 0 {
        return format!(
            "none of the {all} finished SAE records passes the filters\nhint: `bench leaderboard` without `--filter` shows what there is"
        );
    }
    let dirs: Vec<String> = args.dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
    let also = match found.failed {
        0 => String::new(),
        n => format!(" ({n} failed)"),
    };
    format!(
        "there is no finished record of an SAE in {}{also}\nhint: `bench run --out DIR` makes them; folders inside a folder are not searched",
        dirs.join(", ")
    )
}
