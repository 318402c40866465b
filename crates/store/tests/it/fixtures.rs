use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Draft, Env, Estimate, FinishedRows, LetterRow, Stage, Timing, Warning, Writer};
use store::{ModelSpec, SaeSpec, SiteSpec, Spec, TableRow};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) word: String,
    pub(crate) letter: char,
    pub(crate) arm: u16,
    pub(crate) effect: f32,
    pub(crate) damage: Option<f32>,
}

pub(crate) fn spec() -> Spec {
    Spec {
        task: "first-letter".into(),
        metric_version: 1,
        model: ModelSpec {
            id: "google/gemma-2-2b".into(),
            family: "gemma2".into(),
            hash: "aa".into(),
            tokenizer_hash: "bb".into(),
            revision: None,
        },
        site: SiteSpec {
            hook: "blocks.12.hook_resid_post".into(),
        },
        sae: Some(SaeSpec {
            id: "layer_12/width_16k/average_l0_82".into(),
            hash: "cc".into(),
            architecture: "jumprelu".into(),
            hook: "blocks.12.hook_resid_post".into(),
            width: 16_384,
            revision: None,
        }),
        arms: vec!["leace".into(), "sae:k=1".into()],
        letters: ('a'..='e').collect(),
        words_hash: "dd".into(),
        prompts_hash: "ee".into(),
        seed: 7,
        dtype: "f32".into(),
        device: "flex".into(),
        limit: None,
        settings: BTreeMap::from([
            ("dose".into(), json!(1.0)),
            ("icl".into(), json!({"sets": 3, "examples": 10})),
        ]),
    }
}

pub(crate) fn draft(spec: Spec) -> Draft {
    let env = Env {
        tool_version: "0.1.0".into(),
        git_commit: None,
        target: "x86_64-unknown-linux-gnu".into(),
        device: "cpu".into(),
        cpu: "some processor".into(),
        threads: 2,
        features: vec![],
    };
    let timing = Timing {
        started: "2026-11-20T09:30:00Z".into(),
        wall_s: 1.25,
        stages: vec![Stage {
            name: "capture".into(),
            seconds: 0.7,
            count: 1,
            tokens: 0,
            flops: 2.5e9,
            bytes: 4096,
        }],
        tokens: 1000,
        peak_rss_bytes: None,
        peak_owned_bytes: None,
        peak_mapped_bytes: Some(7),
    };
    // A value whose shortest text is read back one unit off by a reader that does not round correctly.
    let ms = Estimate::point(0.1 + 0.2, 5, "share")
        .with_interval(0.25, 1.0 / 3.0)
        .higher_is_better();
    let mut draft = Draft::finished(spec, env, timing);
    draft.summary.insert("leace/ms".into(), ms.clone());
    draft.letters.push(LetterRow {
        letter: 'a',
        arm: "leace".into(),
        values: BTreeMap::from([("ms".into(), ms.clone())]),
    });
    draft.tables.insert(
        "layers".into(),
        vec![TableRow {
            at: BTreeMap::from([("layer".into(), "12".into())]),
            values: BTreeMap::from([("effect".into(), ms)]),
        }],
    );
    draft.warnings.push(Warning::NoWordsForLetter { letters: vec!['x'] });
    draft
}

pub(crate) fn rows(n: u16) -> Vec<Row> {
    let row = |i: u16| Row {
        word: format!("word,\"{i}\""),
        letter: 'w',
        arm: i,
        effect: f32::from(i) / 3.0 - 1e-7,
        damage: i.is_multiple_of(2).then(|| 1.0 / (f32::from(i) + 1.0)),
    };
    (0..n).map(row).collect()
}

pub(crate) fn open(dir: &Path) -> Writer {
    Writer::open(dir, Duration::ZERO).unwrap()
}

pub(crate) fn finished_rows(writer: &Writer, spec: &Spec, rows: &[Row]) -> FinishedRows {
    let mut table = writer.rows(spec).unwrap();
    for row in rows {
        table.write(row).unwrap();
    }
    table.finish().unwrap()
}

/// Names of the files in `dir`, the lock left out.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(name)
        .filter(|name| name != ".vernier.lock")
        .collect();
    names.sort();
    names
}

/// The only file of `dir` that ends with `ending`.
pub(crate) fn only(dir: &Path, ending: &str) -> std::path::PathBuf {
    let names: Vec<_> = names(dir).into_iter().filter(|name| name.ends_with(ending)).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    dir.join(&names[0])
}
