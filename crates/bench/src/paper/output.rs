//! Items on disk: tables in four formats, figures, and a page that shows all of them.

use std::fmt::Write as _;
use std::path::Path;

use report::{Format, Table, TermOptions, render};

use super::items::{Item, Measured, Output};
use super::plan::Member;

/// For files, which have no width.
const PLAIN: TermOptions = TermOptions {
    width: None,
    ascii: false,
};

/// Longest table of the page.
const LONGEST: usize = 60;

/// A made item.
pub(crate) struct Made {
    pub(crate) item: &'static Item,
    pub(crate) output: Output,
}

impl Made {
    pub(crate) fn tables(&self) -> Vec<Table> {
        self.output.tables.iter().map(|(_, table)| table.clone()).collect()
    }
}

/// Writes every table as Markdown, CSV, LaTeX and JSON and every figure as SVG; returns the names of the files.
pub(crate) fn write(out: &Path, made: &Made) -> anyhow::Result<Vec<String>> {
    fs_err::create_dir_all(out)?;
    let mut names = Vec::new();
    let mut put = |name: String, text: &str| -> anyhow::Result<()> {
        store::write_atomic(&out.join(&name), text.as_bytes())?;
        names.push(name);
        Ok(())
    };
    let name_of = |part: &str| match part {
        "" => made.item.name.to_owned(),
        part => format!("{}-{part}", made.item.name),
    };
    for (part, table) in &made.output.tables {
        for (format, extension) in [
            (Format::Md, "md"),
            (Format::Csv, "csv"),
            (Format::Latex, "tex"),
            (Format::Json, "json"),
        ] {
            let text = render(std::slice::from_ref(table), format, PLAIN);
            put(format!("{}.{extension}", name_of(part)), &text)?;
        }
    }
    for (part, svg) in &made.output.figures {
        put(format!("{}.svg", name_of(part)), svg)?;
    }
    Ok(names)
}

/// One page with everything that was made.
pub(crate) fn page(out: &Path, measured: &Measured<'_>, made: &[Made]) -> anyhow::Result<()> {
    let mut text = format!(
        "# \"A is for Absorption\", measured on {}\n\nMade by `bench paper`. Every table is also here as CSV, LaTeX and JSON under the same name.\n\n",
        measured.plan.model_id
    );
    for one in made {
        let _ = writeln!(text, "- [{}](#{})", one.item.title, one.item.name);
    }
    for one in made {
        let published = (one.item.published)();
        let _ = write!(
            text,
            "\n<a id=\"{}\"></a>\n## {}: {}\n\n",
            one.item.name, one.item.name, one.item.title
        );
        if let Some(said) = published.text() {
            let _ = writeln!(text, "Published: {said}\n");
        }
        for (part, _) in &one.output.figures {
            let name = if part.is_empty() {
                one.item.name.to_owned()
            } else {
                format!("{}-{part}", one.item.name)
            };
            let _ = writeln!(text, "![{name}]({name}.svg)\n");
        }
        for (part, table) in &one.output.tables {
            if table.rows().len() > LONGEST {
                let name = if part.is_empty() {
                    one.item.name.to_owned()
                } else {
                    format!("{}-{part}", one.item.name)
                };
                let _ = writeln!(
                    text,
                    "{} rows: [{name}.md]({name}.md), [{name}.csv]({name}.csv)\n",
                    table.rows().len()
                );
                continue;
            }
            text.push_str(&render(std::slice::from_ref(table), Format::Md, PLAIN));
            text.push('\n');
        }
    }
    store::write_atomic(&out.join("README.md"), text.as_bytes())?;
    Ok(())
}

/// The released code's absorption frame of each SAE, one CSV file each.
pub(crate) fn frames(out: &Path, measured: &Measured<'_>) -> anyhow::Result<()> {
    let folder = out.join("frames");
    fs_err::create_dir_all(&folder)?;
    for (member, units) in &measured.saes {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS)?;
        for row in &units.absorption.data.found.frame {
            let json = serde_json::to_value(row)?;
            let cells = COLUMNS.iter().map(|column| match &json[*column] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            writer.write_record(cells)?;
        }
        let bytes = writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?;
        store::write_atomic(&folder.join(format!("{}.csv", file_name(member))), &bytes)?;
    }
    Ok(())
}

/// A file name for an SAE, which no other one has.
pub(crate) fn file_name(member: &Member) -> String {
    let hash = member.input.spec.hash.get(..8).unwrap_or_default();
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || "-._".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!("{}-{hash}", member.input.id.chars().map(keep).collect::<String>())
}

/// Columns of the released code's frame, in its order.
const COLUMNS: [&str; 19] = [
    "letter",
    "token",
    "prompt",
    "sample_portion",
    "num_probe_true_positives",
    "split_feats",
    "split_feat_acts",
    "split_feat_probe_cos",
    "top_ablation_feat",
    "top_ablation_score",
    "top_ablation_feat_probe_cos",
    "second_ablation_feat",
    "second_ablation_score",
    "second_ablation_feat_probe_cos",
    "ablation_scores",
    "ablation_feats",
    "ablation_feat_acts",
    "ablation_feat_probe_cos",
    "is_absorption",
];
