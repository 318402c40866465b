//! A table for a paper: `booktabs` rules, everything escaped, no other package needed.

use std::fmt::Write as _;

use crate::plain::Plain;
use crate::table::{Align, Table};

pub(crate) fn render(table: &Table) -> String {
    let plain = Plain::of(table);
    let sides = table.columns().iter().map(|column| match column.align {
        Align::Left => 'l',
        Align::Right => 'r',
    });
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.map(escape).collect::<Vec<_>>().join(" & ");
        // After `\\` a bracket would be read as an amount of space.
        let guard = if cells.starts_with('[') { "{}" } else { "" };
        format!("{guard}{cells} \\\\\n")
    };

    let title = escape(&table.title);
    let caption = if table.caption.is_empty() {
        title
    } else {
        format!("{title}. {}", escape(&table.caption))
    };
    let mut out =
        format!("% needs \\usepackage{{booktabs}}\n\\begin{{table}}[htbp]\n\\centering\n\\caption{{{caption}}}\n");
    let _ = write!(out, "\\begin{{tabular}}{{{}}}\n\\toprule\n", sides.collect::<String>());
    out += &line(&mut table.columns().iter().map(|column| column.name.as_str()));
    out += "\\midrule\n";
    for row in &plain.rows {
        out += &line(&mut row.iter().map(String::as_str));
    }
    out += "\\bottomrule\n\\end{tabular}\n";
    for note in &plain.notes {
        let _ = writeln!(out, "\\par{{\\footnotesize {}}}", escape(note));
    }
    out + "\\end{table}\n"
}

/// Text that LaTeX prints as it stands. Signs that its default fonts lack become commands.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '|' => out.push_str("\\textbar{}"),
            '<' => out.push_str("$<$"),
            '>' => out.push_str("$>$"),
            '"' => out.push_str("''"),
            '\n' | '\r' => out.push(' '),
            '\u{2013}' => out.push_str("--"),
            '\u{2014}' => out.push_str("---"),
            '↑' => out.push_str("$\\uparrow$"),
            '↓' => out.push_str("$\\downarrow$"),
            '→' => out.push_str("$\\to$"),
            '±' => out.push_str("$\\pm$"),
            '×' => out.push_str("$\\times$"),
            '≤' => out.push_str("$\\leq$"),
            '≥' => out.push_str("$\\geq$"),
            '\u{2212}' => out.push_str("$-$"),
            '…' => out.push_str("\\dots{}"),
            // A hyphen at the start of a number is a minus sign; inside words it stays what it is.
            '-' if matches!(before, ' ' | '[' | '(') => out.push_str("$-$"),
            c => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(escape(text), expect);
    }

    #[test]
    fn every_special_character_is_escaped() {
        check("a&b%c$d#e_f{g}", "a\\&b\\%c\\$d\\#e\\_f\\{g\\}");
        check(
            "\\~^|",
            "\\textbackslash{}\\textasciitilde{}\\textasciicircum{}\\textbar{}",
        );
        check("p < 0.1", "p $<$ 0.1");
        check("MS ↑", "MS $\\uparrow$");
        check("a\nb", "a b");
    }

    #[test]
    fn minus_signs_and_hyphens_differ() {
        check("-0.10 [-0.20, 0.01]", "$-$0.10 [$-$0.20, 0.01]");
        check("gemma-2-2b", "gemma-2-2b");
        check("\u{2013}", "--");
    }
}
