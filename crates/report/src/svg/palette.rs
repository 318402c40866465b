//! Colours and marks. Okabe and Ito, "Color Universal Design" (2008); their yellow is left out, since it vanishes on white.

pub(super) const INK: &str = "#1a1a1a";
pub(super) const MUTED: &str = "#5a5a5a";
pub(super) const GRID: &str = "#e3e3e3";
pub(super) const NOTHING: &str = "#eeeeee";

/// Fill of a band behind the data: a pale form of the palette's yellow.
pub(super) const BAND: &str = "#fbf4cf";

const SERIES: [&str; 7] = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
];

/// Form of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
}

const MARKS: [Mark; 5] = [Mark::Circle, Mark::Square, Mark::Diamond, Mark::Up, Mark::Down];

/// Colour and mark of the `i`-th series; 35 pairs before the first repeats.
pub(super) fn series(i: usize) -> (&'static str, Mark) {
    (SERIES[i % SERIES.len()], MARKS[i % MARKS.len()])
}

/// Colour of a mark at `t` in 0..1: orange, green, blue and a dark end. The luminance falls all the way, so that the order is
/// seen without colour too, and no end vanishes on white.
pub(super) fn shade(t: f64) -> String {
    const STOPS: [[f64; 3]; 4] = [
        [230.0, 159.0, 0.0],
        [0.0, 158.0, 115.0],
        [0.0, 114.0, 178.0],
        [27.0, 20.0, 70.0],
    ];
    let t = t.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let i = (t as usize).min(STOPS.len() - 2);
    let mix = |c: usize| (STOPS[i][c] + (STOPS[i + 1][c] - STOPS[i][c]) * (t - i as f64)).round() as u8;
    hex([mix(0), mix(1), mix(2)])
}

/// A colour as SVG writes it.
pub(super) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Fill of a cell at `t` in -1..1: white at zero, blue above, vermillion below. The end of the blue side is darker than the
/// palette's, so that the steps of a scale from 0 to 1 can be told apart.
pub(super) fn ramp(t: f64) -> ([u8; 3], &'static str) {
    const ZERO: [f64; 3] = [247.0, 250.0, 252.0];
    const ABOVE: [f64; 3] = [0.0, 84.0, 140.0];
    const BELOW: [f64; 3] = [190.0, 76.0, 0.0];
    let end = if t < 0.0 { BELOW } else { ABOVE };
    let t = t.abs().min(1.0);
    let mix = |i: usize| ZERO[i] + (end[i] - ZERO[i]) * t;
    let rgb = [mix(0), mix(1), mix(2)];
    let luminance = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255.0;
    let ink = if luminance < 0.55 { "#ffffff" } else { INK };
    (rgb.map(|x| x.round() as u8), ink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_in_colour_and_mark() {
        for i in 0..34 {
            let ((colour, mark), (next_colour, next_mark)) = (series(i), series(i + 1));
            assert!(colour != next_colour && mark != next_mark);
        }
    }

    #[test]
    fn shades_get_darker() {
        let luminance = |colour: &str| {
            let part = |i: usize| f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap());
            0.299 * part(1) + 0.587 * part(3) + 0.114 * part(5)
        };
        let all: Vec<f64> = (0..=20).map(|i| luminance(&shade(f64::from(i) / 20.0))).collect();
        assert!(all.windows(2).all(|pair| pair[1] < pair[0]), "{all:?}");
    }

    #[test]
    fn text_on_a_cell_contrasts() {
        assert_eq!(ramp(0.0).1, INK);
        assert_eq!(ramp(1.0).1, "#ffffff");
        assert_eq!(ramp(-1.0).1, "#ffffff");
    }
}
