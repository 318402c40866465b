/// A box that a text takes, by a guess at its width that is on the narrow side.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?
        .1
        .split_once('"')
        .map(|(value, _)| value)
}

fn number(tag: &str, name: &str) -> f64 {
    attribute(tag, name).unwrap().parse().unwrap()
}

/// Every text that is not turned.
pub(crate) fn labels(svg: &str) -> Vec<Label> {
    let mut labels = Vec::new();
    for piece in svg.split("<text").skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        let text = rest.split_once("</text>").unwrap().0.to_owned();
        if tag.contains("transform=") {
            continue;
        }
        let (x, y, size) = (number(tag, "x"), number(tag, "y"), number(tag, "font-size"));
        let width = text.chars().count() as f64 * size * 0.52;
        let left = match attribute(tag, "text-anchor") {
            Some("middle") => x - width / 2.0,
            Some("end") => x - width,
            _ => x,
        };
        labels.push(Label {
            text,
            left,
            right: left + width,
            top: y - size * 0.8,
            bottom: y,
        });
    }
    labels
}

/// The tags called `name`.
fn tags<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("<{name} ");
    svg.match_indices(&begin)
        .map(|(at, _)| &svg[at..at + svg[at..].find('>').unwrap()])
        .collect()
}

/// Every corner, end and centre of what is drawn.
fn places(svg: &str) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = marks(svg);
    for tag in tags(svg, "line") {
        places.push((number(tag, "x1"), number(tag, "y1")));
        places.push((number(tag, "x2"), number(tag, "y2")));
    }
    for tag in tags(svg, "rect").into_iter().skip(1) {
        let (x, y) = (number(tag, "x"), number(tag, "y"));
        places.extend([(x, y), (x + number(tag, "width"), y + number(tag, "height"))]);
    }
    for tag in tags(svg, "polygon").into_iter().chain(tags(svg, "polyline")) {
        let pairs = attribute(tag, "points").unwrap().split(' ');
        places.extend(pairs.map(|pair| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
        }));
    }
    places
}

/// Centres of the round marks.
pub(crate) fn marks(svg: &str) -> Vec<(f64, f64)> {
    let circles = tags(svg, "circle");
    circles
        .into_iter()
        .map(|tag| (number(tag, "cx"), number(tag, "cy")))
        .collect()
}

/// Tags are closed in the order of their opening, and every `&` begins a reference.
#[track_caller]
fn check_xml(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once('<') {
        for (at, _) in before.match_indices('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            assert!(known.iter().any(|name| before[at..].starts_with(name)), "{before}");
        }
        assert!(
            !before.contains('>') && !before.chars().any(|c| c.is_control() && c != '\n'),
            "{before}"
        );
        let (tag, after) = after.split_once('>').unwrap();
        assert!(tag.matches('"').count() % 2 == 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = after;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
}

/// Well-formed, finite, everything inside the figure, and no two texts in one place.
#[track_caller]
pub(crate) fn check(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
    check_xml(svg);
    for alien in [" id=", "<style", "<script", "href", "url("] {
        assert!(!svg.contains(alien), "{alien}");
    }
    let head = &svg[..svg.find('>').unwrap()];
    let (width, height) = (number(head, "width"), number(head, "height"));
    for (x, y) in places(svg) {
        assert!(
            (0.0..=width).contains(&x) && (0.0..=height).contains(&y),
            "{x} {y} in {width} x {height}"
        );
    }
    let labels = labels(svg);
    for (i, a) in labels.iter().enumerate() {
        assert!(
            a.left >= 0.0 && a.right <= width && a.top >= 0.0 && a.bottom <= height,
            "{a:?} in {width} x {height}"
        );
        for b in &labels[..i] {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}
