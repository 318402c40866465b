//! `bench doctor`: whether this program can work here, and what to do where it cannot.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use kernels::{Layout, Threads, gemm_f32};
use model_runner::{Keep, Tokenizer, Transformer};
use report::{Cell, Column, Format, Table};
use tasks::{AnswerTokens, IclPlan, IclRequest, Template, build_prompts, draw_icl, vocabulary};

use crate::run::env;
use crate::{embedded, failure, print_tables};

/// Version of burn in the workspace's `Cargo.toml`; a test compares them.
const BURN: &str = "0.22.1";
/// Least free memory: the embedded benchmark needs about a third of it.
const LEAST_MEMORY: u64 = 1 << 30;
/// Least rate of a matrix product, in GFLOP/s: what one old core does with vector instructions.
const LEAST_RATE: f64 = 2.0;
/// Word of the known-answer pass.
const WORD: &str = " cat";

/// Check that this program can work here.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Folder of records that must be writable.
    #[arg(long, default_value = "runs", value_name = "DIR")]
    out: PathBuf,
    /// Format of the table on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// What one check found.
struct Check {
    name: &'static str,
    found: String,
    /// The way out, where something is wrong.
    remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            found: found.into(),
            remedy: None,
        }
    }

    fn problem(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// A check that failed with an error, whose hint is the remedy.
    fn failed(name: &'static str, error: &anyhow::Error, remedy: &str) -> Self {
        let text = format!("{error:#}");
        let (found, hint) = text.split_once("\nhint: ").unwrap_or((&text, remedy));
        Self::problem(name, found, hint)
    }
}

/// Runs every check. Returns the exit code.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<u8> {
    let here = env::here("flex");
    let checks = [
        Check::ok("versions", format!("bench {}, burn {BURN}", here.tool_version)),
        Check::ok("target", here.target),
        processor(&here.cpu),
        memory(),
        devices(),
        datasets(),
        panel(),
        writable(&args.out),
        known_answer().unwrap_or_else(|error| {
            Check::failed(
                "known answer",
                &error,
                "restore `datasets/embedded/model` from the repository",
            )
        }),
        matrix_products(),
    ];
    let columns = vec![
        Column::text("check"),
        Column::text("status"),
        Column::text("found"),
        Column::text("remedy"),
    ];
    let mut table = Table::new("Doctor", columns);
    let problems = checks.iter().filter(|check| check.remedy.is_some()).count();
    for check in checks {
        let status = if check.remedy.is_some() { "problem" } else { "ok" };
        table.push(vec![
            Cell::text(check.name),
            Cell::text(status),
            Cell::text(check.found),
            Cell::text(check.remedy.unwrap_or_default()),
        ])?;
    }
    table.notes.push(match problems {
        0 => "All is well.".to_owned(),
        1 => "1 problem.".to_owned(),
        n => format!("{n} problems."),
    });
    print_tables(&[table], args.format)?;
    Ok(if problems == 0 {
        failure::DONE
    } else {
        failure::UNEXPECTED
    })
}

fn processor(cpu: &str) -> Check {
    let threads = rayon::current_num_threads();
    let available = std::thread::available_parallelism().map_or(threads, usize::from);
    let found = format!("{cpu}, {threads} of {available} threads");
    if threads < available {
        return Check::problem("processor", found, "unset `RAYON_NUM_THREADS`, unless it is meant");
    }
    Check::ok("processor", found)
}

fn memory() -> Check {
    let info = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace()
            .nth(1)?
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
    match (bytes("MemTotal:"), bytes("MemAvailable:")) {
        (Some(total), Some(free)) => {
            let found = format!("{:.1} GiB, {:.1} GiB available", gib(total), gib(free));
            if free < LEAST_MEMORY {
                return Check::problem(
                    "memory",
                    found,
                    "end other programs: the embedded benchmark wants 1 GiB",
                );
            }
            Check::ok("memory", found)
        }
        _ => Check::ok("memory", "this system does not tell"),
    }
}

/// What `--device` can name here. A machine without a GPU is no problem; opening one that is listed and fails is.
fn devices() -> Check {
    let names: Vec<String> = model_runner::devices()
        .into_iter()
        .map(|(name, label)| match label.strip_prefix(&name) {
            Some(detail) => format!("`{name}`{detail}"),
            None => format!("`{name}` ({label})"),
        })
        .collect();
    let found = names.join(", ");
    match (model_runner::has_wgpu(), names.len()) {
        (false, _) => Check::ok("devices", format!("{found}; built without `wgpu`")),
        (true, 1) => Check::ok("devices", format!("{found}; no adapter for `wgpu`")),
        (true, _) => match model_runner::ComputeDevice::open("wgpu") {
            Ok(_) => Check::ok("devices", found),
            Err(error) => Check::failed("devices", &error.into(), "use `--device flex`"),
        },
    }
}

fn datasets() -> Check {
    match embedded::folder() {
        Ok(folder) => Check::ok("datasets", folder.display().to_string()),
        Err(error) => Check::failed("datasets", &error, "run from a clone of the repository"),
    }
}

fn panel() -> Check {
    match embedded::saes() {
        Ok(saes) if saes.is_empty() => Check::problem(
            "panel",
            "no SAEs beside the embedded model",
            "restore `datasets/embedded/saes` or run `bench train sae`",
        ),
        Ok(saes) => {
            let bad: Vec<String> = saes
                .iter()
                .filter_map(|path| sae::Sae::open(path).err().map(|error| error.to_string()))
                .collect();
            match bad.first() {
                None => Check::ok("panel", format!("{} SAEs, all readable", saes.len())),
                Some(error) => Check::failed(
                    "panel",
                    &anyhow::anyhow!("{} of {} cannot be read: {error}", bad.len(), saes.len()),
                    "restore `datasets/embedded/saes`",
                ),
            }
        }
        Err(error) => Check::failed("panel", &error, "run from a clone of the repository"),
    }
}

/// Whether a file can be made in the folder of records, or where that folder would be made.
fn writable(out: &Path) -> Check {
    let absolute = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let Some(folder) = absolute.ancestors().find(|folder| folder.exists()) else {
        return Check::problem(
            "records",
            format!("no part of `{}` exists", out.display()),
            "choose another `--out`",
        );
    };
    let new = if folder == absolute { "" } else { ", which will be made" };
    match tempfile::Builder::new().prefix(".vernier-doctor").tempfile_in(folder) {
        Ok(_) => Check::ok("records", format!("`{}`{new}: writable", out.display())),
        Err(error) => Check::problem(
            "records",
            format!("`{}`: {error}", out.display()),
            "make it writable, or choose another folder with `--out`",
        ),
    }
}

/// One first-letter prompt through the embedded model: of all tokens, the right capital must win.
fn known_answer() -> anyhow::Result<Check> {
    let folder = embedded::folder()?.join("model");
    let begun = Instant::now();
    let model = Transformer::open(&folder)?;
    let tokenizer = Tokenizer::open(&folder, model.config().bos_token_id)?;
    let words = vocabulary(&tokenizer)?;
    let word = words.find(WORD).unwrap_or_default();
    let template = Template::verbose();
    let request = IclRequest {
        vocabulary: &words,
        template: &template,
        words: &[word],
        pool: &words.indices(),
        examples: 10,
        plan: IclPlan::Fresh { prompts_per_word: 1 },
        seed: 0,
        purpose: "doctor",
    };
    let prompts = build_prompts(&tokenizer, &template, &words, draw_icl(&request)?)?;
    let (text, letter) = (&words.words[word].text, words.words[word].letter);
    let [prompt] = prompts.prompts.as_slice() else {
        anyhow::bail!("no prompt for `{text}`");
    };
    let opened = begun.elapsed();
    let begun = Instant::now();
    let last = model.run(
        model.embed(&prompt.ids, 1, 0)?,
        1,
        0..model.config().layers,
        None,
        Keep::Last,
    )?;
    let all: Vec<u32> = (0..model.config().vocab_size as u32).collect();
    let logits = model.logits(&last, &model.unembedding(&all)?);
    let passed = begun.elapsed();
    let top = (0..logits.len())
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .unwrap_or_default() as u32;
    let said = tasks::Tokenize::token_string(&tokenizer, top).unwrap_or_else(|| format!("token {top}"));
    let found = format!(
        "`{text}` begins with `{}` (opened in {:.0} ms, {} tokens in {:.1} ms)",
        said.trim(),
        1e3 * opened.as_secs_f64(),
        prompt.ids.len(),
        1e3 * passed.as_secs_f64()
    );
    Ok(if top == AnswerTokens::new(&tokenizer)?.id(letter) {
        Check::ok("known answer", found)
    } else {
        let remedy = format!(
            "the answer is `{}`: restore `{}` from the repository",
            letter.upper(),
            folder.display()
        );
        Check::problem("known answer", found, remedy)
    })
}

/// The rate of matrix products on all threads, over about a second.
fn matrix_products() -> Check {
    const N: usize = 512;
    let a: Vec<f32> = (0..N * N).map(|i| (i % 7) as f32 - 3.0).collect();
    let mut out = vec![0.0; N * N];
    let mut product = |threads: Threads| {
        let layout = Layout::rows(N);
        gemm_f32(
            (N, N, N),
            (&a, layout),
            (&a, layout),
            (&mut out, layout),
            false,
            1.0,
            threads,
        );
    };
    let mut rate = |threads: Threads| {
        product(threads);
        let begun = Instant::now();
        let mut count = 0u32;
        while begun.elapsed() < Duration::from_millis(500) {
            product(threads);
            count += 1;
        }
        2.0 * (N * N * N) as f64 * f64::from(count) / begun.elapsed().as_secs_f64() / 1e9
    };
    let (one, all) = (rate(Threads::One), rate(Threads::Pool));
    let found = format!(
        "{one:.0} GFLOP/s on one thread, {all:.0} on {} (f32, {N} x {N})",
        rayon::current_num_threads()
    );
    if one < LEAST_RATE {
        return Check::problem(
            "matrix products",
            found,
            "build with optimisation (`cargo build --release`), or free the processor",
        );
    }
    Check::ok("matrix products", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_the_one_that_is_linked() {
        let manifest = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("burn = {{ version = \"={BURN}\"")));
    }

    #[test]
    fn a_hint_becomes_the_remedy() {
        let check = Check::failed("x", &anyhow::anyhow!("it is gone\nhint: bring it back"), "else");
        assert_eq!(
            (check.found.as_str(), check.remedy.as_deref()),
            ("it is gone", Some("bring it back"))
        );
    }
}
