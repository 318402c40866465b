//! `bench run`: plan, shared site, units, records, words.

mod answer;
pub(crate) mod args;
mod detectors;
mod doses;
pub(crate) mod env;
mod figures;
mod memory;
pub(crate) mod plan;
pub(crate) mod profile;
mod reader;
pub(crate) mod show;
pub(crate) mod side;
pub(crate) mod site;
pub(crate) mod summary;
mod text;
pub(crate) mod unit;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ablation::{Captured, EffectRow, Remembered};
use store::{Draft, Record, Spec, Stage as TimedStage, Store, Timing, Writer};

pub(crate) use args::{Icl, RunArgs};
use plan::Plan;
use profile::Profile;
use reader::Reader;
use side::SideStages;
use site::{Site, Stages};
use unit::{Lab, Unit};

use crate::failure;
use crate::progress::Progress;

/// How long to wait for another process that writes the same folder.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// What a run left behind.
pub(crate) struct Finished {
    /// The unit without an SAE.
    pub(crate) reference: Record,
    /// One for each SAE that was measured, in the order of the plan.
    pub(crate) saes: Vec<Record>,
    /// SAEs that could not be measured, with the reason.
    pub(crate) failed: Vec<(String, String)>,
    /// Where the time of this call went.
    stages: Vec<TimedStage>,
    /// Seconds of this call.
    wall: f64,
}

/// Runs every unit that has no finished record, then shows all of them. Returns the exit code.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    let finished = finish(args)?;
    let reference = &finished.reference;
    let saes: Vec<&Record> = finished.saes.iter().collect();
    crate::print_tables(&show::tables(reference, &saes)?, args.format)?;
    if args.profile {
        let table = profile::table(&finished.stages, finished.wall)?;
        let options = report::TermOptions {
            width: None,
            ascii: false,
        };
        eprint!("{}", report::render(&[table], report::Format::Term, options));
    }
    for line in show::conclusion(reference, &saes)? {
        eprintln!("{line}");
    }
    for warning in show::warnings(reference, &saes) {
        eprintln!("{warning}");
    }
    if let Some(dir) = &args.figures {
        let names = figures::write(dir, reference, &saes)?;
        eprintln!("drew {} into `{}`", names.join(", "), dir.display());
    }
    for (id, reason) in &finished.failed {
        eprintln!("failed: `{id}`: {reason}");
    }
    Ok(if finished.failed.is_empty() {
        failure::DONE
    } else {
        failure::SOME_FAILED
    })
}

/// Runs every unit that has no finished record.
pub(crate) fn finish(args: &RunArgs) -> anyhow::Result<Finished> {
    let started = Instant::now();
    let plan = Plan::new(args)?;
    let units: Vec<(String, Spec)> = std::iter::once(("directions".to_owned(), plan.directions.clone()))
        .chain(plan.saes.iter().map(|sae| (sae.id.clone(), plan.sae_spec(sae))))
        .collect();
    let finished = |spec: &Spec| -> anyhow::Result<Option<Record>> {
        if args.rerun {
            Ok(None)
        } else {
            Ok(Store::open(&args.out).find(&spec.key()?)?)
        }
    };
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for (id, spec) in &units {
        if let Some(record) = finished(spec)? {
            records.insert(id.clone(), record);
        }
    }
    let progress = Progress::new(args.progress, 4 + (units.len() - records.len()) as u64);
    let mut failed = plan.unreadable.clone();
    let mut stages = Vec::new();
    if records.len() == units.len() {
        progress.finish();
        eprintln!(
            "all {} units are done in `{}`; `--rerun` runs them again",
            units.len(),
            args.out.display()
        );
    } else {
        let missing = units.iter().filter(|(id, _)| !records.contains_key(id)).count();
        progress.say(&format!(
            "{missing} of {} units to run, records go to `{}`",
            units.len(),
            args.out.display()
        ));
        stages = run_missing(args, &plan, &units, &mut records, &mut failed, &progress)?;
        progress.finish();
        eprintln!("finished in {:.1} s", started.elapsed().as_secs_f64());
    }
    let saes = plan.saes.iter().filter_map(|sae| records.remove(&sae.id)).collect();
    let reference = records
        .remove("directions")
        .ok_or_else(|| anyhow::anyhow!("the unit of directions was run and left no record"))?;
    Ok(Finished {
        reference,
        saes,
        failed,
        stages: profile::sum(&stages),
        wall: started.elapsed().as_secs_f64(),
    })
}

fn run_missing(
    args: &RunArgs,
    plan: &Plan,
    units: &[(String, Spec)],
    records: &mut BTreeMap<String, Record>,
    failed: &mut Vec<(String, String)>,
    progress: &Progress,
) -> anyhow::Result<Vec<TimedStage>> {
    let mut spent = Vec::new();
    let begun = Instant::now();
    let memory = memory::Watch::start();
    // The model is opened first: a checkpoint that is refused leaves no folder behind.
    let model = args.place.model(&plan.model_dir)?;
    let writer = Writer::open(&args.out, LOCK_WAIT)?;
    progress.doing("running prefixes");
    let profile = Profile::default();
    let stages = Stages::new(&model, plan)?;
    profile.prefixes(begun.elapsed().as_secs_f64(), &stages);
    progress.done(&format!(
        "ran {} example sets",
        plan.train.prefixes.len() + plan.test.prefixes.len()
    ));
    let site = Site::new(plan, &stages, progress, &profile)?;
    let scored = Captured {
        stage: &stages.test,
        capture: &site.scored,
    };
    let known = Remembered::new(&scored);
    let bench = profile.time("edit + suffix", Some(&stages), || site.bench(plan, &known))?;
    let side = match &plan.side {
        None => None,
        Some(_) => profile.time("side stages", None, || {
            SideStages::new(&model, plan, &site, &stages, progress)
        })?,
    };
    let lab = Lab {
        args,
        plan,
        site: &site,
        stages: &stages,
        bench: &bench,
        profile: &profile,
        known: &known,
        side: side.as_ref(),
    };
    let shared = profile.take();
    spent.extend(shared.iter().cloned());
    let missing = plan.saes.iter().filter(|sae| !records.contains_key(&sae.id));
    let saes = Reader::start(missing.cloned().collect(), args.open.clone());
    for (id, spec) in units {
        if records.contains_key(id) {
            continue;
        }
        progress.doing(id);
        let unit_begun = Instant::now();
        let unit_started = store::rfc3339(std::time::SystemTime::now());
        let tokens_before = stages.tokens();
        let outcome = match plan.saes.iter().find(|sae| sae.id == *id) {
            Some(input) => profile
                .time("read", None, || saes.next(&input.id))
                .and_then(|sae| unit::of_sae(lab, input, &sae, &records["directions"])),
            None => unit::directions(lab),
        };
        let timing = |own: Vec<TimedStage>| Timing {
            started: unit_started.clone(),
            wall_s: unit_begun.elapsed().as_secs_f64(),
            stages: own.into_iter().chain(shared.iter().map(of_all_units)).collect(),
            tokens: stages.tokens() - tokens_before,
            peak_rss_bytes: env::peak_rss(),
            peak_owned_bytes: memory.peaks().map(|peaks| peaks.owned),
            peak_mapped_bytes: memory.peaks().map(|peaks| peaks.mapped),
        };
        match outcome {
            Ok(unit) => {
                let own = profile.take();
                spent.extend(own.iter().cloned());
                let timing = timing(own);
                let record = profile.time("report", None, || keep(&writer, lab, spec, unit, timing))?;
                // Not of the next unit, whose stages its own record lists.
                spent.extend(profile.take());
                progress.done(&format!("{id}: {:.1} s", unit_begun.elapsed().as_secs_f64()));
                records.insert(id.clone(), record);
            }
            // Without the reference arms nothing else can be read.
            Err(error) if id == "directions" || plan.saes.len() == 1 => return Err(error),
            Err(error) => {
                let reason = format!("{error:#}");
                writer.put(
                    Draft::failed(
                        spec.clone(),
                        env::here(model.device().label()),
                        timing(profile.take()),
                        reason.clone(),
                    ),
                    None,
                )?;
                progress.done(&format!("{id}: failed"));
                failed.push((id.clone(), reason));
            }
        }
    }
    spent.extend(profile.take());
    Ok(spent)
}

/// A stage that was run once for all units of a call, as each of their records names it.
fn of_all_units(stage: &TimedStage) -> TimedStage {
    TimedStage {
        name: format!("shared: {}", stage.name),
        ..stage.clone()
    }
}

/// Writes a unit's rows and then its record.
fn keep(writer: &Writer, lab: Lab<'_>, spec: &Spec, unit: Unit, timing: Timing) -> anyhow::Result<Record> {
    let (plan, site, model) = (lab.plan, lab.site, lab.stages.test.model());
    let mut rows = writer.rows::<EffectRow>(spec)?;
    for row in &unit.rows {
        rows.write(row)?;
    }
    let mut draft = Draft::finished(spec.clone(), env::here(model.device().label()), timing);
    draft.warnings = plan
        .warnings
        .iter()
        .chain(&site.warnings)
        .cloned()
        .chain(unit.summary.warnings)
        .collect();
    draft.summary = unit.summary.values;
    draft.letters = unit.summary.letters;
    draft.tables = unit.summary.tables;
    Ok(writer.put(draft, Some(rows.finish()?))?)
}
