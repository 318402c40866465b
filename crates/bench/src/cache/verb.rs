//! `bench cache ls|gc|verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use report::{Cell, Column, Format, Table};
use store::{Activations, Cached};

use super::place::default_dir;
use crate::failure;
use crate::size::Size;

/// Look after the cache of activations.
#[derive(Args, Debug)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    what: What,
    /// The folder [default: $`VERNIER_CACHE`, or `vernier/activations` in the user's cache folder].
    #[arg(long, value_name = "DIR", global = true)]
    cache: Option<PathBuf>,
    /// Format of the table on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term", global = true)]
    format: Format,
}

#[derive(Subcommand, Debug)]
enum What {
    /// List what is kept, the one used last first.
    Ls,
    /// Remove what was used longest ago until at most `--keep` is left.
    Gc {
        /// Size to keep, such as 20GiB; 0 removes everything.
        #[arg(long, value_name = "SIZE")]
        keep: Size,
    },
    /// Read every file and check its numbers.
    Verify {
        /// Delete what is damaged.
        #[arg(long)]
        remove: bool,
    },
}

/// Runs. Returns the exit code.
pub(crate) fn cache(args: &CacheArgs) -> anyhow::Result<u8> {
    let named = args.cache.clone().or_else(default_dir);
    let Some(dir) = named.filter(|dir| dir.as_path() != std::path::Path::new("none")) else {
        return Err(failure::usage(
            "there is no cache folder: `VERNIER_CACHE` is `none`, or no home folder is known\nhint: name one with `--cache DIR`",
        ));
    };
    let folder = Activations::open(&dir);
    let (title, entries) = match args.what {
        What::Ls => ("Cached activations", folder.list()?),
        What::Gc { keep } => ("Removed", folder.shrink(keep.0)?),
        What::Verify { .. } => ("Checked", folder.verify()?),
    };
    let table = table(&format!("{title}: {}", dir.display()), &entries)?;
    crate::print_tables(&[table], args.format)?;
    let damaged: Vec<&Cached> = entries.iter().filter(|entry| entry.state.is_err()).collect();
    for entry in &damaged {
        if let Err(error) = &entry.state {
            eprintln!("error: {error}");
        }
        if let What::Verify { remove: true } = args.what {
            folder.remove(entry)?;
            eprintln!("removed `{}`", entry.path.display());
        }
    }
    let sound = damaged.is_empty() || matches!(args.what, What::Gc { .. } | What::Verify { remove: true });
    Ok(if sound { failure::DONE } else { failure::SOME_FAILED })
}

fn table(title: &str, entries: &[Cached]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("file"),
        Column::text("model"),
        Column::text("hook"),
        Column::number("rows"),
        Column::number("width"),
        Column::number("size"),
        Column::text("last used"),
        Column::text("state"),
    ];
    let mut table = Table::new(title, columns);
    for entry in entries {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        let mut row = vec![Cell::text(name.get(..12).unwrap_or(&name))];
        let (size, used) = (
            Cell::text(Size(entry.bytes).to_string()),
            Cell::text(store::rfc3339(entry.used)),
        );
        if let Ok(state) = &entry.state {
            row.extend([
                Cell::text(state.source.model.as_str()),
                Cell::text(state.source.hook.as_str()),
                Cell::count(state.rows),
                Cell::count(state.width),
                size,
                used,
                Cell::text("sound"),
            ]);
        } else {
            row.extend((0..4).map(|_| Cell::Missing("the file cannot be read".to_owned())));
            row.extend([size, used, Cell::text("damaged")]);
        }
        table.push(row)?;
    }
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    table.notes.push(format!("{} files, {}.", entries.len(), Size(total)));
    Ok(table)
}
