//! `bench validate`: does this program find what was planted?
//!
//! Worlds whose truth is known go through the very code that measures models: arms, scores, selection rules, the accounting of gaps,
//! intervals and tests. Each item prints what is expected, with its tolerance and where that comes from, beside what was measured.
//! A miss is a miss: nothing is tuned to pass, and the exit code says so.
//!
//! Deliberately absent: language models that were trained (`bench run` has them) and comparisons with other programs.

mod check;
mod items;

use std::time::Instant;

use clap::Args;
use report::{Cell, Column, Table};

use crate::failure;
use check::{Check, number};
use items::{ITEMS, Item, Setting};

const EXAMPLES: &str = "\
Examples:
  bench validate                         everything, at full size (minutes)
  bench validate --small                 everything, small (under a minute)
  bench validate delta defects           these items
  bench validate --list                  what there is

Exit codes: 0 all as expected, 10 at least one miss, 2 no such item.";

/// Exit code where a check is not as expected: that of a comparison outside its tolerance.
const MISSED: u8 = 10;

/// Check the measurements on planted truths.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ValidateArgs {
    /// Items to check [default: all].
    #[arg(value_name = "ITEM")]
    items: Vec<String>,
    /// List the items and stop.
    #[arg(long)]
    list: bool,
    /// Smaller worlds, fewer simulations; tolerances of simulated rates are wider and say so.
    #[arg(long)]
    small: bool,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Threads [default: all].
    #[arg(long, value_parser = crate::run::args::positive, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Format of the table on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: report::Format,
    /// Adds an expectation that cannot hold, to show that a miss is reported.
    #[arg(long, hide = true)]
    broken: bool,
}

/// An item's checks, and how long they took.
struct Done {
    item: &'static str,
    checks: Vec<Check>,
    seconds: f64,
}

/// Checks. Returns the exit code.
pub(crate) fn command(args: &ValidateArgs) -> anyhow::Result<u8> {
    let chosen = choose(&args.items)?;
    if args.list {
        crate::print_tables(&[listing(&chosen)?], args.format)?;
        return Ok(failure::DONE);
    }
    let setting = Setting {
        small: args.small,
        seed: args.seed,
    };
    let mut done = Vec::new();
    for item in chosen {
        eprintln!("{}: {}", item.name, item.plants);
        let begun = Instant::now();
        let checks = (item.run)(&setting)?;
        done.push(Done {
            item: item.name,
            checks,
            seconds: begun.elapsed().as_secs_f64(),
        });
    }
    if args.broken {
        done.push(Done {
            item: "broken",
            checks: vec![Check::near(
                "an expectation that cannot hold",
                1.0,
                0.0,
                0.0,
                "asked for by `--broken`",
            )],
            seconds: 0.0,
        });
    }
    crate::print_tables(&[table(&done, &setting)?], args.format)?;
    let checks = || {
        done.iter()
            .flat_map(|done| done.checks.iter().map(move |check| (done.item, check)))
    };
    let mut missed = 0;
    for (item, check) in checks().filter(|(_, check)| !check.passes()) {
        missed += 1;
        eprintln!(
            "MISS: {item}: {}: expected {}, measured {}",
            check.what,
            check.expect.words(),
            number(check.measured)
        );
    }
    eprintln!(
        "{} of {} checks as expected",
        checks().count() - missed,
        checks().count()
    );
    Ok(if missed == 0 { failure::DONE } else { MISSED })
}

/// The named items in their own order, or all.
fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Item>> {
    if let Some(unknown) = names.iter().find(|name| ITEMS.iter().all(|item| item.name != **name)) {
        let known: Vec<&str> = ITEMS.iter().map(|item| item.name).collect();
        return Err(failure::usage(format!(
            "`{unknown}` is no item\nhint: there are {}",
            known.join(", ")
        )));
    }
    let wanted = |item: &&Item| names.is_empty() || names.iter().any(|name| name == item.name);
    Ok(ITEMS.iter().filter(wanted).collect())
}

fn listing(items: &[&'static Item]) -> anyhow::Result<Table> {
    let columns = vec![Column::text("item"), Column::text("plants"), Column::text("shows")];
    let mut table = Table::new("What `bench validate` checks", columns);
    for item in items {
        table.push(vec![
            Cell::text(item.name),
            Cell::text(item.plants),
            Cell::text(item.shows),
        ])?;
    }
    Ok(table)
}

fn table(done: &[Done], setting: &Setting) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("item"),
        Column::text("check"),
        Column::text("expected"),
        Column::text("measured"),
        Column::text("verdict"),
        Column::text("from").with_help("where the expectation and its tolerance come from"),
        Column::number("s").with_help("seconds that the item took"),
    ];
    let mut table = Table::new("Planted truths: expected and measured", columns);
    for done in done {
        for (at, check) in done.checks.iter().enumerate() {
            table.push(vec![
                Cell::text(done.item),
                Cell::text(check.what.as_str()),
                Cell::text(check.expect.words()),
                Cell::text(number(check.measured)),
                Cell::text(if check.passes() { "pass" } else { "MISS" }),
                Cell::text(check.source),
                if at == 0 {
                    Cell::Number {
                        value: done.seconds,
                        digits: 1,
                    }
                } else {
                    Cell::text("")
                },
            ])?;
        }
    }
    table.notes.push(format!(
        "{} setting, seed {}.",
        if setting.small { "Small" } else { "Full" },
        setting.seed
    ));
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_chosen_by_name_in_their_own_order() {
        let names = |names: &[&str]| -> Vec<&str> {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            choose(&names).unwrap().iter().map(|item| item.name).collect()
        };
        assert_eq!(names(&[]).len(), ITEMS.len());
        assert_eq!(names(&["hedging", "delta"]), ["delta", "hedging"]);
        let error = choose(&["nothing".to_owned()]).unwrap_err();
        assert_eq!(failure::code_of(&error), failure::USAGE);
        assert!(error.to_string().contains("delta"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = ITEMS.iter().map(|item| item.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ITEMS.len());
    }
}
