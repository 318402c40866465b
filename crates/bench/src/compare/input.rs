//! Records from files and folders, and which is compared with which.
//!
//! Deliberately absent: any choice between several records that fit equally well. Such records are left out with a note that
//! names them; naming their files settles it.

use std::path::{Path, PathBuf};

use store::{Record, Store};

use crate::failure;
use crate::run::unit::one_latent;

/// Stands for a record that has no SAE.
const DIRECTIONS_ARM: &str = "leace-1";

/// A finished record and its file.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) record: Record,
}

/// One argument of the command line.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) given: PathBuf,
    pub(crate) is_folder: bool,
    pub(crate) records: Vec<Loaded>,
    /// Records of the folder that failed or cannot be read, each with the reason.
    pub(crate) unusable: Vec<String>,
}

/// Two records that are compared.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) reference: Subject<'a>,
    pub(crate) compared: Subject<'a>,
}

/// One side of a pair.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) loaded: &'a Loaded,
    /// Name in tables.
    pub(crate) name: String,
    /// The arm that is compared.
    pub(crate) arm: String,
}

/// The records of every argument.
pub(crate) fn open(paths: &[PathBuf]) -> anyhow::Result<Vec<Side>> {
    paths.iter().map(|path| side(path)).collect()
}

fn side(given: &Path) -> anyhow::Result<Side> {
    let mut side = Side {
        given: given.to_owned(),
        is_folder: given.is_dir(),
        records: Vec::new(),
        unusable: Vec::new(),
    };
    if !given.exists() {
        return Err(failure::input(format!(
            "there is no file or folder `{}`\nhint: name a record (a `.json` file) or a folder of records, such as the `--out` folder of `bench run`",
            given.display()
        )));
    }
    if !side.is_folder {
        let record = Store::read_record(given)?;
        if !record.status.is_finished() {
            return Err(failure::input(format!(
                "`{}` has status `failed`: {}\nhint: run the unit again; a failed unit has no measurements",
                given.display(),
                record.error.as_deref().unwrap_or("no reason was written")
            )));
        }
        side.records.push(Loaded {
            path: given.to_owned(),
            record,
        });
        return Ok(side);
    }
    for entry in Store::open(given).list()? {
        match entry.record {
            Ok(record) if record.status.is_finished() => side.records.push(Loaded {
                path: entry.path,
                record,
            }),
            Ok(record) => side.unusable.push(format!(
                "`{}` has status `failed`: {}",
                entry.path.display(),
                record.error.as_deref().unwrap_or("no reason was written")
            )),
            Err(error) => side.unusable.push(error.to_string()),
        }
    }
    if side.records.is_empty() {
        return Err(failure::nothing_selected(format!(
            "there is no finished record in `{}`\nhint: name the folder that holds the records itself; folders inside it are not searched",
            given.display()
        )));
    }
    Ok(side)
}

/// How records of two folders find each other, the closest way first.
const WAYS: [fn(&Record) -> String; 4] = [
    |record| record.key.to_string(),
    |record| {
        let spec = &record.spec;
        format!("{} {} {} {}", spec.model.id, spec.site.hook, id(record), spec.seed)
    },
    |record| format!("{} {}", record.spec.site.hook, id(record)),
    id,
];

fn id(record: &Record) -> String {
    record
        .spec
        .sae
        .as_ref()
        .map_or_else(|| "(directions)".to_owned(), |sae| sae.id.clone())
}

/// Pairs of the two sides, and the reference's and the other's records that have no partner.
pub(crate) fn pairs<'a>(
    reference: &'a Side,
    compared: &'a Side,
) -> (Vec<(&'a Loaded, &'a Loaded)>, [Vec<&'a Loaded>; 2]) {
    if !reference.is_folder && !compared.is_folder {
        return (
            vec![(&reference.records[0], &compared.records[0])],
            [Vec::new(), Vec::new()],
        );
    }
    let mut left: Vec<&Loaded> = reference.records.iter().collect();
    let mut right: Vec<&Loaded> = compared.records.iter().collect();
    let mut pairs = Vec::new();
    for way in WAYS {
        let alone = |all: &[&Loaded], name: &str| all.iter().filter(|l| way(&l.record) == name).count() == 1;
        let found: Vec<(&Loaded, &Loaded)> = left
            .iter()
            .filter_map(|&a| {
                let name = way(&a.record);
                let b = right.iter().copied().find(|b| way(&b.record) == name)?;
                (alone(&left, &name) && alone(&right, &name)).then_some((a, b))
            })
            .collect();
        left.retain(|a| !found.iter().any(|(x, _)| std::ptr::eq(*x, *a)));
        right.retain(|b| !found.iter().any(|(_, y)| std::ptr::eq(*y, *b)));
        pairs.extend(found);
    }
    // In the order of the reference folder, whatever way they were found.
    pairs.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    (pairs, [left, right])
}

/// The two records with their arms and with names that tell them apart.
pub(crate) fn named<'a>(
    sides: (&Side, &Side),
    pair: (&'a Loaded, &'a Loaded),
    arm: Option<&str>,
) -> anyhow::Result<Pair<'a>> {
    let arms = [arm_of(pair.0, arm)?, arm_of(pair.1, arm)?];
    let plain = |loaded: &Loaded, arm: &str| match &loaded.record.spec.sae {
        Some(sae) => sae.id.clone(),
        None => arm.to_owned(),
    };
    let short = [plain(pair.0, &arms[0]), plain(pair.1, &arms[1])];
    let mut names = short.clone();
    if names[0] == names[1] {
        let same_key = pair.0.record.key == pair.1.record.key;
        for (name, (side, loaded)) in names.iter_mut().zip([(sides.0, pair.0), (sides.1, pair.1)]) {
            *name = match (side.is_folder, same_key) {
                (true, _) => format!("{name} ({})", side.given.display()),
                (false, false) => format!("{name} ({})", loaded.record.key.short()),
                (false, true) => format!("{name} ({})", parent(&loaded.path)),
            };
        }
    }
    // One record against itself: no name tells them apart, and a place that is the same on both sides is only in the way.
    let [a, b] = if names[0] == names[1] { short } else { names };
    let [arm_a, arm_b] = arms;
    Ok(Pair {
        reference: Subject {
            loaded: pair.0,
            name: a,
            arm: arm_a,
        },
        compared: Subject {
            loaded: pair.1,
            name: b,
            arm: arm_b,
        },
    })
}

fn parent(path: &Path) -> String {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.display().to_string(),
        _ => ".".to_owned(),
    }
}

/// The arm that stands for a record: the one that was asked for, or the headline of its kind.
fn arm_of(loaded: &Loaded, asked: Option<&str>) -> anyhow::Result<String> {
    let record = &loaded.record;
    let headline = match &record.spec.sae {
        Some(_) => one_latent("probe"),
        None => DIRECTIONS_ARM.to_owned(),
    };
    let has = |arm: &str| record.letters.iter().any(|row| row.arm == arm);
    match asked {
        Some(arm) if has(arm) => Ok(arm.to_owned()),
        // `--arm` names the arm of SAEs; what they are held against stays.
        Some(_) if record.spec.sae.is_none() && has(&headline) => Ok(headline),
        None if has(&headline) => Ok(headline),
        _ => {
            let mut arms: Vec<&str> = record.letters.iter().map(|row| row.arm.as_str()).collect();
            arms.sort_unstable();
            arms.dedup();
            let (arm, file) = (asked.unwrap_or(&headline), loaded.path.display());
            let held = if arms.is_empty() {
                "none".to_owned()
            } else {
                arms.join(", ")
            };
            let message = format!("`{file}` has no arm `{arm}`\nhint: choose one of its arms with `--arm`: {held}");
            Err(match asked {
                Some(_) => failure::usage(message),
                None => failure::input(message),
            })
        }
    }
}
