//! Points of one column, moved sideways so that no mark covers another. The same points always get the same places.

use super::canvas::RADIUS;

/// Distance between the centres of two marks, in radii: circles and squares keep apart, tips of diamonds may touch.
const APART: f64 = 2.15;
/// Radius below which marks are not shrunk: their forms could not be told apart.
const SMALLEST: f64 = 2.5;

/// Moves `places` that share their horizontal place by at most `room` to each side, and returns the radius that keeps marks
/// apart. Where even the smallest does not, marks overlap as little as the room allows.
pub(super) fn spread(places: &mut [(f64, f64)], room: f64) -> f64 {
    let columns = columns(places);
    let mut r = RADIUS;
    loop {
        let moved: Vec<Option<Vec<f64>>> = columns
            .iter()
            .map(|column| offsets(places, column, r, room - r, r <= SMALLEST))
            .collect();
        if moved.iter().all(Option::is_some) {
            for (column, offsets) in columns.iter().zip(moved.into_iter().flatten()) {
                for (&i, dx) in column.iter().zip(offsets) {
                    places[i].0 += dx;
                }
            }
            return r;
        }
        r = (r - 0.25).max(SMALLEST);
    }
}

/// Indices of points of equal horizontal place, each column from the top down.
fn columns(places: &[(f64, f64)]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| {
        let ((ax, ay), (bx, by)) = (places[a], places[b]);
        ax.total_cmp(&bx).then(ay.total_cmp(&by)).then(a.cmp(&b))
    });
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match columns.last_mut() {
            Some(column) if (places[column[0]].0 - places[i].0).abs() < 0.01 => column.push(i),
            _ => columns.push(vec![i]),
        }
    }
    columns
}

/// Sideways moves of the points of one column, or `None` where marks of radius `r` would overlap and must not.
fn offsets(places: &[(f64, f64)], column: &[usize], r: f64, room: f64, must: bool) -> Option<Vec<f64>> {
    let gap = APART * r;
    let step = gap / 6.0;
    let most = (room.max(0.0) / step) as i32;
    let mut offsets: Vec<f64> = Vec::with_capacity(column.len());
    for (n, &i) in column.iter().enumerate() {
        let nearest = |dx: f64| {
            let before = column[..n].iter().zip(&offsets);
            let distances = before.map(|(&j, other)| (places[j].1 - places[i].1).hypot(other - dx));
            distances.fold(f64::INFINITY, f64::min)
        };
        // From the middle outwards, right before left.
        let candidates = (0..=most).flat_map(|k| [k, -k]).map(|k| f64::from(k) * step);
        let mut best = (0.0, f64::NEG_INFINITY);
        for dx in candidates {
            let distance = nearest(dx);
            if distance > best.1 + 1e-9 {
                best = (dx, distance);
            }
            if distance >= gap - 1e-9 {
                break;
            }
        }
        if best.1 < gap - 1e-9 && !must {
            return None;
        }
        offsets.push(best.0);
    }
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closest(places: &[(f64, f64)]) -> f64 {
        let pairs = places
            .iter()
            .enumerate()
            .flat_map(|(i, a)| places[..i].iter().map(move |b| (a, b)));
        pairs
            .map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1))
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn no_mark_covers_another() {
        let mut places: Vec<(f64, f64)> = (0..24)
            .map(|i| (100.0 * f64::from(i % 2), f64::from(i) * 1.5))
            .collect();
        let before = places.clone();
        let r = spread(&mut places, 40.0);
        assert!(closest(&places) >= APART * r - 1e-6, "{places:?}");
        assert!(
            places
                .iter()
                .zip(&before)
                .all(|(a, b)| (a.0 - b.0).abs() <= 40.0 && (a.1 - b.1).abs() < 1e-9)
        );
    }

    #[test]
    fn lone_points_stay() {
        let mut places = vec![(0.0, 5.0), (50.0, 5.0), (0.0, 90.0)];
        assert!((spread(&mut places, 20.0) - RADIUS).abs() < 1e-9);
        assert_eq!(places, [(0.0, 5.0), (50.0, 5.0), (0.0, 90.0)]);
    }

    #[test]
    fn a_crowd_without_room_still_ends() {
        let mut places = vec![(10.0, 10.0); 60];
        assert!(spread(&mut places, 12.0) <= SMALLEST);
        assert!(places.iter().all(|(x, _)| (x - 10.0).abs() <= 12.0));
        assert!(spread(&mut [], 12.0) > SMALLEST);
    }
}
