//! `bench compare`: two or more records, held against each other letter by letter.
//!
//! Provenance comes first, because a difference between two SAEs and one between two versions of a program look the same in
//! the numbers. Deliberately absent: running anything. What is compared was measured by `bench run`.

mod delta;
mod figure;
mod input;
mod metrics;
mod provenance;
mod show;
mod verdict;

use std::path::{Path, PathBuf};

use clap::Args;
use report::Format;
use store::write_atomic;

use self::delta::Delta;
use self::input::{Loaded, Pair, Side};
use crate::{failure, print_tables};

/// Exit code: a compared difference is beyond the tolerance.
const OUT_OF_TOLERANCE: u8 = 10;

const EXAMPLES: &str = "\
Examples:
  bench compare A.json B.json            B against A, letter by letter
  bench compare A.json B.json C.json     B and C, each against A
  bench compare old/ new/ --tolerance 0.01
                                         a regression check: records are paired by their SAE
  bench compare A.json B.json --arm sae:k=4 --metric m_star,o_mean
  bench compare A.json B.json --figure difference.svg

Metrics, compared by default:  m_star, ms, o_mean, o_max, fi, ms_patch, f1, absorbed
         only when named:      precision, recall, auc, f1_fires, split_latents, effect
Arms: see `bench ls arms`.

Exit codes: 0 done, 2 usage, 3 input missing or not comparable, 4 nothing to pair, 5 some records
could not be used, 10 a difference is beyond --tolerance.";

/// What is compared, and how.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompareArgs {
    /// Records (`.json` files), or folders of them, which are paired by SAE; the first is the reference.
    #[arg(value_name = "RECORD_OR_DIR", num_args = 2.., required = true)]
    records: Vec<PathBuf>,
    /// Arm of the SAEs that is compared; records without an SAE stand for `leace-1` [default: sae:k=1:probe].
    #[arg(long, value_name = "NAME")]
    arm: Option<String>,
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help = "Metrics, separated by commas [default: m_star,ms,o_mean,o_max,fi,ms_patch,f1,absorbed]"
    )]
    metric: Vec<String>,
    /// Exit with code 10 if the mean difference of any compared metric is larger than X, up or down.
    #[arg(long, value_name = "X", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: Option<f64>,
    /// Draw the differences with their intervals into this SVG file.
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err("it must be a number of at least 0".to_owned()),
    }
}

/// Compares. Returns the exit code.
pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<u8> {
    let metrics = metrics::chosen(&args.metric)?;
    let sides = input::open(&args.records)?;
    let mut notes: Vec<String> = sides.iter().flat_map(|side| side.unusable.clone()).collect();
    let unusable = notes.len();
    let mut incomplete = 0;
    let mut pairs = Vec::new();
    for side in &sides[1..] {
        let (found, [left, right]) = input::pairs(&sides[0], side);
        incomplete += left.len();
        notes.extend(unpaired(&sides[0], side, &left));
        notes.extend(unpaired(side, &sides[0], &right));
        for (a, b) in found {
            provenance::require_comparable(a, b)?;
            pairs.push(input::named((&sides[0], side), (a, b), args.arm.as_deref())?);
        }
    }
    for note in &notes {
        eprintln!("left out: {note}");
    }
    if pairs.is_empty() {
        return Err(failure::nothing_selected(
            "no two records are of the same SAE, so nothing is compared\nhint: name two record files to compare different SAEs",
        ));
    }
    let deltas = delta::deltas(&pairs, &metrics)?;
    require_measured(args, &deltas)?;
    if let Some(path) = &args.figure {
        write_figure(path, &figure::forest(&pairs, &deltas))?;
    }
    let names = show::Names::of(args.format, &pairs);
    let tables = [
        provenance::table(&pairs)?,
        show::differences(&pairs, &deltas, names)?,
        show::verdicts(&pairs, &deltas, names)?,
    ];
    print_tables(&tables, args.format)?;
    Ok(code(args.tolerance, &pairs, &deltas, (unusable, incomplete)))
}

fn write_figure(path: &Path, svg: &str) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(failure::input(format!(
            "`--figure {}`: there is no folder `{}`\nhint: make it first",
            path.display(),
            folder.display()
        )));
    }
    write_atomic(path, svg.as_bytes())?;
    eprintln!("wrote `{}`", path.display());
    Ok(())
}

fn unpaired(of: &Side, other: &Side, records: &[&Loaded]) -> Vec<String> {
    let line = |loaded: &&Loaded| {
        format!(
            "`{}` of `{}` has no partner of its own in `{}`",
            loaded.path.file_name().unwrap_or_default().to_string_lossy(),
            of.given.display(),
            other.given.display()
        )
    };
    records.iter().map(line).collect()
}

/// A metric that was asked for and is nowhere is a mistake of the call, not a missing cell.
fn require_measured(args: &CompareArgs, deltas: &[Vec<Delta>]) -> anyhow::Result<()> {
    for name in &args.metric {
        let mut of = deltas.iter().flatten().filter(|delta| delta.metric.name == name);
        if of.all(|delta| delta.found.is_none()) {
            return Err(failure::input(format!(
                "`--metric {name}`: no two of these records hold it for a common letter\nhint: leave it out, or choose another `--arm`"
            )));
        }
    }
    Ok(())
}

/// The exit code. A check that could not look at everything does not pass.
fn code(tolerance: Option<f64>, pairs: &[Pair<'_>], deltas: &[Vec<Delta>], (unusable, unpaired): (usize, usize)) -> u8 {
    let mut code = if unusable > 0 {
        failure::SOME_FAILED
    } else {
        failure::DONE
    };
    let Some(tolerance) = tolerance else { return code };
    if unpaired > 0 {
        eprintln!("{unpaired} records of the reference were not checked: they have no partner");
        code = failure::SOME_FAILED;
    }
    for (pair, deltas) in pairs.iter().zip(deltas) {
        for delta in deltas {
            let what = match &delta.found {
                Some(found) if found.left_out.is_empty() => continue,
                Some(found) => format!("{} letters of {}", found.left_out.len(), delta.metric.name),
                None if delta.one_sided => delta.metric.name.to_owned(),
                None => continue,
            };
            eprintln!(
                "not checked: {what} of {}, which one side does not hold",
                pair.compared.name
            );
            code = failure::SOME_FAILED;
        }
    }
    for (pair, deltas) in pairs.iter().zip(deltas) {
        for delta in deltas {
            let Some(found) = &delta.found else { continue };
            if found.value.abs() > tolerance {
                eprintln!(
                    "beyond the tolerance of {tolerance}: {} of {} differs from {} by {:+.6}",
                    delta.metric.name, pair.compared.name, pair.reference.name, found.value
                );
                code = OUT_OF_TOLERANCE;
            }
        }
    }
    code
}
