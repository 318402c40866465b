use report::{Cell, Column, Format, ReportError, Table, TermOptions, render};
use store::Estimate;

const WIDE: TermOptions = TermOptions {
    width: None,
    ascii: false,
};

fn table() -> Table {
    let mut table = Table::new(
        "Arms",
        vec![
            Column::text("arm"),
            Column::higher("MS").with_help("share of the letter's effect"),
            Column::number("words"),
        ],
    );
    table.caption = "Held-out words.".into();
    table.notes = vec!["95 % intervals over letters".into()];
    let ms = Estimate::point(0.8123, 26, "share").with_interval(0.76, 0.861);
    table
        .push(vec![
            Cell::text("leace"),
            Cell::estimate(Some(&ms), 2, ""),
            Cell::count(1140),
        ])
        .unwrap();
    let none = Cell::estimate(None, 2, "no latent found");
    table
        .push(vec![Cell::text("sae:k=1 | x_1"), none, Cell::count(0)])
        .unwrap();
    table
}

#[track_caller]
fn check(format: Format, options: TermOptions, expect: &str) {
    let text = render(&[table()], format, options);
    assert_eq!(text, expect, "\n{text}");
}

#[test]
fn terminal() {
    check(
        Format::Term,
        WIDE,
        "\
Arms
Held-out words.
 arm                          MS ↑   words
───────────────────────────────────────────
 leace           0.81 [0.76, 0.86]    1140
 sae:k=1 | x_1                   –       0
───────────────────────────────────────────
–: no latent found
MS ↑: share of the letter's effect
95 % intervals over letters
",
    );
}

#[test]
fn terminal_in_ascii() {
    let text = render(
        &[table()],
        Format::Term,
        TermOptions {
            width: None,
            ascii: true,
        },
    );
    assert!(
        text.contains("\n arm                          MS ^   words\n------"),
        "{text}"
    );
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn terminal_keeps_to_its_width() {
    let mut table = table();
    table
        .push(vec![
            Cell::text("a long name ".repeat(9)),
            Cell::count(1),
            Cell::count(2),
        ])
        .unwrap();
    table.caption = "words ".repeat(40);
    for width in [40, 60, 100] {
        let options = TermOptions {
            width: Some(width),
            ascii: false,
        };
        let text = render(std::slice::from_ref(&table), Format::Term, options);
        assert!(
            text.lines().all(|line| line.chars().count() <= usize::from(width)),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn markdown() {
    check(
        Format::Md,
        WIDE,
        "\
### Arms

Held-out words.

| arm            |              MS ↑ | words |
| -------------- | ----------------: | ----: |
| leace          | 0.81 [0.76, 0.86] |  1140 |
| sae:k=1 \\| x_1 |                 – |     0 |

–: no latent found

MS ↑: share of the letter's effect

95 % intervals over letters
",
    );
}

#[test]
fn csv() {
    check(
        Format::Csv,
        WIDE,
        "arm,MS,MS lo,MS hi,words\nleace,0.8123,0.76,0.861,1140\nsae:k=1 | x_1,,,,0\n",
    );
}

#[test]
fn latex() {
    check(
        Format::Latex,
        WIDE,
        r"% needs \usepackage{booktabs}
\begin{table}[htbp]
\centering
\caption{Arms. Held-out words.}
\begin{tabular}{lrr}
\toprule
arm & MS $\uparrow$ & words \\
\midrule
leace & 0.81 [0.76, 0.86] & 1140 \\
sae:k=1 \textbar{} x\_1 & -- & 0 \\
\bottomrule
\end{tabular}
\par{\footnotesize --: no latent found}
\par{\footnotesize MS $\uparrow$: share of the letter's effect}
\par{\footnotesize 95 \% intervals over letters}
\end{table}
",
    );
}

#[test]
fn json() {
    let text = render(&[table(), table()], Format::Json, WIDE);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expect = serde_json::json!({
        "title": "Arms",
        "caption": "Held-out words.",
        "columns": [
            {"name": "arm", "align": "left", "higher_is_better": null, "help": ""},
            {"name": "MS", "align": "right", "higher_is_better": true, "help": "share of the letter's effect"},
            {"name": "words", "align": "right", "higher_is_better": null, "help": ""},
        ],
        "rows": [
            {"arm": "leace", "MS": {"value": 0.8123, "lo": 0.76, "hi": 0.861}, "words": 1140},
            {"arm": "sae:k=1 | x_1", "MS": {"missing": "no latent found"}, "words": 0},
        ],
        "notes": ["95 % intervals over letters"],
    });
    assert_eq!(value, serde_json::json!({"tables": [expect, expect]}));
}

#[test]
fn csv_quotes_what_needs_it() {
    let mut table = Table::new("t", vec![Column::text("a,b"), Column::text("c")]);
    table
        .push(vec![Cell::text("say \"hi\""), Cell::text("two\nlines")])
        .unwrap();
    table.push(vec![Cell::text("-1"), Cell::text(" x ")]).unwrap();
    let text = render(std::slice::from_ref(&table), Format::Csv, WIDE);
    assert_eq!(text, "\"a,b\",c\n\"say \"\"hi\"\"\",\"two\nlines\"\n-1, x \n");
    let two = render(&[table.clone(), table], Format::Csv, WIDE);
    assert!(two.starts_with("# t\n\"a,b\"") && two.contains("\n\n# t\n"), "{two}");
}

#[test]
fn numbers_that_are_not_finite_are_missing_everywhere() {
    let mut table = Table::new("t", vec![Column::text("a"), Column::number("x"), Column::number("y")]);
    let bad = |x: f64| Cell::Estimate {
        value: x,
        lo: Some(x),
        hi: Some(x),
        digits: 2,
    };
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        table
            .push(vec![Cell::text("row"), Cell::Number { value: x, digits: 2 }, bad(x)])
            .unwrap();
    }
    let open = Cell::Estimate {
        value: 0.5,
        lo: Some(f64::NAN),
        hi: Some(0.6),
        digits: 2,
    };
    table
        .push(vec![Cell::text("row"), Cell::Missing("why".into()), open])
        .unwrap();
    for format in Format::ALL {
        let text = render(std::slice::from_ref(&table), format, WIDE);
        let low = text.to_lowercase();
        assert!(
            !low.contains("nan") && !low.replace("finite", "").contains("inf"),
            "{text}"
        );
    }
    // Two reasons, so the dashes carry letters.
    let text = render(&[table], Format::Md, WIDE);
    assert!(
        text.contains("–(a): not a finite number") && text.contains("–(b): why"),
        "{text}"
    );
}

#[test]
fn tables_without_rows_render() {
    for format in Format::ALL {
        let table = Table::new("Nothing", vec![Column::text("arm"), Column::higher("MS")]);
        let text = render(
            &[table],
            format,
            TermOptions {
                width: Some(80),
                ascii: false,
            },
        );
        assert!(text.contains("arm") && text.ends_with('\n'), "{format}: {text}");
        let _ = render(&[Table::new("", Vec::new())], format, WIDE);
        let _ = render(&[], format, WIDE);
    }
    let table = Table::new("Nothing", vec![Column::text("arm")]);
    assert!(render(&[table], Format::Term, WIDE).contains("(no rows)"));
}

#[test]
fn brackets_do_not_follow_a_latex_line_end() {
    let mut table = Table::new("t", vec![Column::text("a")]);
    table.push(vec![Cell::text("[x]")]).unwrap();
    assert!(render(&[table], Format::Latex, WIDE).contains("\n{}[x] \\\\\n"));
}

#[test]
fn rows_have_one_cell_for_each_column() {
    let mut table = Table::new("t", vec![Column::text("a"), Column::text("b")]);
    let error = table.push(vec![Cell::text("x")]).unwrap_err();
    assert_eq!(
        error,
        ReportError::RowLength {
            table: "t".into(),
            columns: 2,
            cells: 1
        }
    );
}

#[test]
fn formats_have_names() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "xml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown format `xml`\nhint: use one of: term, md, csv, latex, json"
    );
}

#[test]
fn a_narrow_terminal_breaks_before_an_interval_and_not_inside_it() {
    let narrow = TermOptions {
        width: Some(40),
        ascii: false,
    };
    let text = render(&[table()], Format::Term, narrow);
    assert!(text.lines().any(|line| line.contains("[0.76, 0.86]")), "{text}");
    assert!(!text.contains("0.81 ["), "{text}");
    assert!(render(&[table()], Format::Term, WIDE).contains("0.81 [0.76, 0.86]"));
}
