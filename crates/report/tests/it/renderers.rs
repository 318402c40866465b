use report::{Cell, Column, Format, ReportError, Table, TermOptions, render};
use store::Estimate;

const WIDE: TermOptions = TermOptions { width: None, ascii: false };

fn table() -> Table {
    let mut table = Table::new(
        "Arms",
        vec![Column::text("arm"), Column::number("MS ↑").with_help("share of the letter's effect"), Column::number("words")],
    );
    table.caption = "Held-out words.".into();
    table.notes = vec!["95 % intervals over letters".into()];
    let ms = Estimate::point(0.8123, 26, "share").with_interval(0.76, 0.861);
    table.push(vec![Cell::text("leace"), Cell::estimate(Some(&ms), 2, ""), Cell::count(1140)]).unwrap();
    let none = Cell::estimate(None, 2, "no latent found");
    table.push(vec![Cell::text("sae:k=1 | x_1"), none, Cell::count(0)]).unwrap();
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
        concat!(
            "Arms\n",
            "Held-out words.\n",
            " arm                        MS ↑  words\n",
            "───────────────────────────────────────\n",
            " leace          0.81 [0.76, 0.86]   1140\n",
        ),
    );
}

#[test]
fn terminal_ascii_and_narrow() {
    let narrow = TermOptions { width: Some(30), ascii: true };
    let text = render(&[table()], Format::Term, narrow);
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.len() <= 40), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn markdown() {
    check(Format::Md, WIDE, "");
}

#[test]
fn csv() {
    check(
        Format::Csv,
        WIDE,
        "arm,MS ↑,MS ↑ lo,MS ↑ hi,words\nleace,0.8123,0.76,0.861,1140\nsae:k=1 | x_1,,,,0\n",
    );
}

#[test]
fn latex() {
    check(Format::Latex, WIDE, "");
}

#[test]
fn json() {
    check(Format::Json, WIDE, "");
}
