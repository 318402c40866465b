//! `bench paper`: every table and figure of "A is for Absorption" (Chanin et al. 2025) for the model and SAEs at hand.
//!
//! Three steps that touch only at their ends: a plan without forward passes (`plan`), units of measurement that are kept on disk
//! (`units`, `measure`, `model`, `toys`), and items that are made from units alone (`items`), so that a figure can be drawn again
//! without a model. Deliberately absent: the mediated share and its intervals, which `bench run` measures.

mod args;
mod data;
mod items;
mod lab;
mod measure;
mod model;
mod output;
mod plan;
mod saebench;
mod subject;
mod toys;
mod units;

use std::cell::OnceCell;
use std::time::Duration;

pub(crate) use args::PaperArgs;
use items::{ALL, Item, Measured, Need};
use output::Made;

use crate::failure;
use crate::print_tables;
use crate::progress::Progress;

/// How long to wait for another process that writes the same folder.
const LOCK_WAIT: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &PaperArgs) -> anyhow::Result<u8> {
    let chosen = chosen(args)?;
    if args.list {
        print_tables(&[list(&chosen)?], args.format)?;
        return Ok(failure::DONE);
    }
    let plan = plan::Plan::new(args)?;
    let needs_saes = args.saebench_json || chosen.iter().any(|item| item.needs.contains(&Need::Saes));
    if needs_saes && plan.saes.is_empty() {
        return Err(no_sae(&plan.failed));
    }
    // Before anything is measured: what cannot be kept is not worth measuring.
    let _lock = store::Writer::open(&args.out, LOCK_WAIT)?;
    let progress = Progress::new(args.progress, 5 + 3 * plan.saes.len() as u64);
    let (measured, unmeasured) = measure(args, &plan, &chosen, &progress)?;
    progress.finish();
    if needs_saes && measured.saes.is_empty() {
        return Err(no_sae(&unmeasured));
    }
    let mut made = Vec::new();
    for &item in &chosen {
        let one = Made {
            output: (item.make)(&measured)?,
            item,
        };
        output::write(&args.out, &one)?;
        made.push(one);
    }
    if args.items.is_empty() {
        output::page(&args.out, &measured, &made)?;
        output::frames(&args.out, &measured)?;
    }
    let without = if args.saebench_json {
        saebench::write(&args.out, &measured)?
    } else {
        Vec::new()
    };
    show(args, &made)?;
    for note in &plan.notes {
        eprintln!("note: {note}");
    }
    for (id, reason) in without {
        eprintln!("no SAEBench file for `{id}`: {reason}");
    }
    for (id, reason) in plan.failed.iter().chain(&unmeasured) {
        eprintln!("failed: `{id}`: {reason}");
    }
    Ok(if plan.failed.is_empty() && unmeasured.is_empty() {
        failure::DONE
    } else {
        failure::SOME_FAILED
    })
}

fn no_sae(failed: &[(String, String)]) -> anyhow::Error {
    let mut text = "no SAE to measure".to_owned();
    for (id, reason) in failed {
        text.extend(["\n`", id, "`: ", reason]);
    }
    text += "\nhint: name one with `--sae`, or leave `--model` out for the embedded panel";
    failure::nothing_selected(text)
}

/// SAEs that could not be measured, with the reason.
type Failed = Vec<(String, String)>;

/// The tables of the items that were asked for, or the main ones and where the others are.
fn show(args: &PaperArgs, made: &[Made]) -> anyhow::Result<()> {
    const MAIN: [&str; 4] = ["absorption", "fig4", "table2", "table3"];
    let shown = made
        .iter()
        .filter(|one| !args.items.is_empty() || MAIN.contains(&one.item.name));
    let tables: Vec<report::Table> = shown.flat_map(Made::tables).collect();
    print_tables(&tables, args.format)?;
    let figures: usize = made.iter().map(|one| one.output.figures.len()).sum();
    let tables: usize = made.iter().map(|one| one.output.tables.len()).sum();
    eprintln!(
        "{} items: {tables} tables and {figures} figures in `{}`{}",
        made.len(),
        args.out.display(),
        if args.items.is_empty() {
            "; `README.md` there shows all"
        } else {
            ""
        }
    );
    Ok(())
}

fn measure<'a>(
    args: &'a PaperArgs,
    plan: &'a plan::Plan,
    chosen: &[&Item],
    progress: &Progress,
) -> anyhow::Result<(Measured<'a>, Failed)> {
    let units = units::Units::new(&args.out, args.rerun, progress);
    let model = OnceCell::new();
    let opener = measure::Opener {
        plan,
        args,
        model: &model,
        lab: OnceCell::new(),
    };
    let needed = |need: Need| chosen.iter().any(|item| item.needs.contains(&need));
    let toys = if needed(Need::Toys) {
        toys::all(args, &units)?.data
    } else {
        Vec::new()
    };
    let (mut saes, mut probes, mut rewrites, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let layers = if needed(Need::Saes) || args.saebench_json {
        plan.layers()
    } else {
        Vec::new()
    };
    for layer in layers {
        let probe = measure::probe(&opener, &units, layer)?;
        rewrites.push((layer, subject::rewrite_by_probe(&opener, &units, &probe.data)?.data));
        for member in plan.saes.iter().filter(|member| member.layer == layer) {
            // One autoencoder that cannot be measured does not stop the others.
            match subject::sae(&opener, &units, member, &probe.data) {
                Ok(units) => saes.push((member, units)),
                Err(error) => failed.push((member.input.id.clone(), format!("{error:#}"))),
            }
        }
        probes.push((probe.data, probe.seconds));
    }
    let line = if needed(Need::Line) {
        measure::probe_line(&opener, &units, &probes)?
    } else {
        Vec::new()
    };
    let map = if needed(Need::Map) {
        model::map(&opener, &units)?.data
    } else {
        data::MapUnit::default()
    };
    let ability = if needed(Need::Ability) {
        model::ability(&opener, &units)?.data
    } else {
        data::AbilityUnit::default()
    };
    let measured = Measured {
        plan,
        args,
        saes,
        probes,
        line,
        rewrites,
        map,
        ability,
        toys,
    };
    Ok((measured, failed))
}

fn chosen(args: &PaperArgs) -> anyhow::Result<Vec<&'static Item>> {
    if args.items.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let known = || ALL.iter().map(|item| item.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        ALL.iter()
            .find(|item| item.name == name.as_str())
            .ok_or_else(|| failure::usage(format!("`{name}` is no item\nhint: one of {}", known())))
    };
    let mut items: Vec<&Item> = args.items.iter().map(find).collect::<anyhow::Result<_>>()?;
    items.dedup_by_key(|item| item.name);
    Ok(items)
}

fn list(chosen: &[&Item]) -> anyhow::Result<report::Table> {
    use report::{Cell, Column};
    let columns = vec![Column::text("item"), Column::text("what"), Column::text("published")];
    let mut table = report::Table::new("Tables and figures of `bench paper`", columns);
    for item in chosen {
        table.push(vec![
            Cell::text(item.name),
            Cell::text(item.title),
            (item.published)().cell(),
        ])?;
    }
    Ok(table)
}
