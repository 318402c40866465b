use crate::geometry::{check, labels};
use report::svg::{Bar, Step, Waterfall};

fn step(label: &str, value: f64) -> Step {
    Step {
        label: label.into(),
        bar: Bar {
            value,
            lo: Some(value - 0.04),
            hi: Some(value + 0.03),
        },
    }
}

fn waterfall() -> Waterfall {
    Waterfall {
        title: "Why btk falls short".into(),
        note: "95 % intervals over letters".into(),
        axis: "mediated share".into(),
        from: step("leace-1", 0.93),
        steps: vec![
            step("splitting", 0.11),
            step("absorption", 0.24),
            step("threshold", 0.02),
            step("dark matter", 0.3),
            step("diffuse", 0.05),
            step("write", -0.06),
        ],
        to: step("one latent per letter", 0.27),
        digits: 2,
    }
}

#[test]
fn waterfalls() {
    let svg = waterfall().to_svg();
    check(&svg);
    for words in [
        ">0.93</text>",
        ">-0.24</text>",
        ">+0.06</text>",
        ">0.27</text>",
        ">dark matter</text>",
    ] {
        assert!(svg.contains(words), "{words} {svg}");
    }
    assert!(!svg.contains("leave"), "{svg}");
    assert_eq!(svg, waterfall().to_svg());
}

#[test]
fn steps_that_do_not_add_up_are_told() {
    let mut figure = waterfall();
    figure.steps.remove(3);
    let svg = figure.to_svg();
    check(&svg);
    assert!(svg.contains("The steps leave 0.300 out."), "{svg}");
}

#[test]
fn hostile_columns() {
    let mut figure = waterfall();
    figure.steps[0].label = "a very long name of a cause that nobody can read ".repeat(5);
    figure.steps[1].bar.value = f64::NAN;
    figure.steps[2].bar = Bar {
        value: -3.0,
        lo: Some(f64::INFINITY),
        hi: None,
    };
    figure.to.label = "unbroken".repeat(12);
    let svg = figure.to_svg();
    check(&svg);
    assert!(
        svg.contains("Left out: 1 column, not a finite number.") && svg.contains("1 end of an interval"),
        "{svg}"
    );
    assert!(labels(&svg).iter().any(|label| label.text.ends_with('…')), "{svg}");
    let mut many = waterfall();
    many.steps = (0..30).map(|i| step(&format!("cause {i}"), 0.022)).collect();
    check(&many.to_svg());
    let mut below = waterfall();
    (below.from, below.to) = (step("from", -0.2), step("to", -0.86));
    check(&below.to_svg());
}

#[test]
fn nothing_to_show_is_said() {
    check(&Waterfall::default().to_svg());
    let mut none = waterfall();
    none.steps.clear();
    (none.from.bar.value, none.to.bar.value) = (f64::NAN, f64::NAN);
    let svg = none.to_svg();
    check(&svg);
    assert!(svg.contains("no data: none of the 2 columns has a place"), "{svg}");
}
