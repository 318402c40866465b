//! Batch top-k over counted rows.

use super::super::batch::Batch;
use super::super::select::batch_top_k;

/// Latents, magnitudes (the row's number) and weights after keeping `keep` of three rows that are there 2, 3 and 1 times.
fn keep(latents: [[f64; 2]; 3], keep: f64) -> (Vec<[f64; 2]>, Batch, Option<f64>) {
    let mut latents = latents.to_vec();
    let mut batch = Batch {
        magnitudes: vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0],
        weights: vec![2.0, 3.0, 1.0],
    };
    let smallest = batch_top_k(&mut latents, &mut batch, keep, &mut Vec::new());
    (latents, batch, smallest)
}

const LATENTS: [[f64; 2]; 3] = [[5.0, 1.0], [4.0, 0.0], [3.0, 6.0]];

#[test]
fn whole_groups_need_no_split() {
    // 6 once, 5 twice, 4 three times.
    let (latents, batch, smallest) = keep(LATENTS, 6.0);
    assert_eq!(latents, [[5.0, 0.0], [4.0, 0.0], [0.0, 6.0]]);
    assert_eq!(batch.weights, [2.0, 3.0, 1.0]);
    assert_eq!(smallest, Some(4.0));
}

#[test]
fn the_group_at_the_bar_is_split() {
    let (latents, batch, smallest) = keep(LATENTS, 4.0);
    assert_eq!(latents, [[5.0, 0.0], [4.0, 0.0], [0.0, 6.0], [0.0, 0.0]]);
    assert_eq!(batch.weights, [2.0, 1.0, 1.0, 2.0]);
    assert_eq!(batch.magnitudes[6..], [1.0, 1.0]);
    assert_eq!(smallest, Some(4.0));
}

#[test]
fn the_other_latents_of_a_split_row_stay() {
    let (latents, batch, smallest) = keep([[5.0, 6.0], [0.0, 0.0], [0.0, 0.0]], 3.0);
    assert_eq!(latents, [[5.0, 6.0], [0.0, 0.0], [0.0, 0.0], [0.0, 6.0]]);
    assert_eq!(batch.weights, [1.0, 3.0, 1.0, 1.0]);
    assert_eq!(smallest, Some(5.0));
}

#[test]
fn equal_values_go_in_order() {
    let (latents, batch, smallest) = keep([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], 5.0);
    assert_eq!(latents, [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]);
    assert_eq!(batch.weights, [2.0, 1.0, 1.0, 2.0]);
    assert_eq!(smallest, Some(1.0));
}

#[test]
fn few_positive_latents_are_all_kept() {
    let (latents, batch, smallest) = keep(LATENTS, 100.0);
    assert_eq!(latents, LATENTS);
    assert_eq!(batch.weights.len(), 3);
    assert_eq!(smallest, Some(1.0));
    assert_eq!(keep([[0.0; 2]; 3], 1.0).2, None);
}
