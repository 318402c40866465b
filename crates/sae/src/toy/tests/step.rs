//! The merged step against the naive one, that against finite differences, and the optimiser against its formulas.

use super::super::adam::Adam;
use super::super::batch::{Batch, Sampler};
use super::super::gradient::{Sparsity, Work};
use super::super::params::Params;
use super::super::view::dot;
use super::super::{EncoderStart, Setting, ToyData, stream};
use super::naive;

const D_IN: usize = 21;
const ROWS: usize = 300;

/// Parameters away from their first values, so that biases matter.
fn params(latents: usize, tied: bool) -> Params {
    let mut rng = stream::rng(5, "test weights");
    let mut params = Params::random(latents, D_IN, tied, EncoderStart::Independent, &mut rng);
    let mut moves = vec![0.0; params.values.len()];
    stream::fill_normal(&mut rng, &mut moves);
    for (value, by) in params.values.iter_mut().zip(&moves) {
        *value += 0.1 * by;
    }
    params.normalise_decoder();
    params
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance, "{what}: {got} is not {want}");
}

#[track_caller]
fn check<const N: usize>(setting: Setting, sparsity: Sparsity, tied: bool) {
    let data = ToyData::new(setting, D_IN, 3).unwrap();
    let mut sampler = Sampler::new(setting, stream::rng(3, "test rows"));
    let (mut batch, params) = (Batch::default(), params(N, tied));
    sampler.draw(ROWS, &mut batch);
    let rows = naive::expand(&batch, data.features(), D_IN);
    assert_eq!(rows.len(), ROWS);
    assert!(batch.weights.len() < ROWS, "nothing was merged");
    let mut gradient = Params::zeros(N, D_IN, tied);
    // Whatever is in a gradient is overwritten.
    gradient.values.fill(7.0);
    let outcome = Work::<N>::default().run(&params, data.features(), &mut batch, sparsity, &mut gradient);
    close(outcome.loss, naive::loss(&params, &rows, sparsity), 1e-11, "loss");
    let wanted = naive::gradient(&params, &rows, sparsity);
    for (at, (&got, &want)) in gradient.values.iter().zip(&wanted.values).enumerate() {
        close(got, want, 1e-11, &format!("merged {at}"));
        let moved = |by: f64| {
            let mut moved = params.clone();
            moved.values[at] += by;
            naive::loss(&moved, &rows, sparsity)
        };
        let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        close(want, difference, 1e-6, &format!("naive {at}"));
    }
    for part in gradient.parts_mut() {
        assert!(
            part.is_empty() || part.iter().any(|value| value.abs() > 1e-3),
            "no gradient"
        );
    }
}

#[test]
fn merged_steps_are_naive_steps_and_both_are_derivatives() {
    for tied in [false, true] {
        check::<4>(Setting::Independent, Sparsity::L1(0.03), tied);
        check::<4>(Setting::Hierarchical, Sparsity::L1(0.3), tied);
        check::<4>(Setting::MagnitudeVariance, Sparsity::L1(0.03), tied);
        check::<4>(Setting::PartialCoOccurrence, Sparsity::L1(0.0), tied);
        check::<12>(Setting::BatchTopK, Sparsity::BatchTopK(2), tied);
        check::<12>(Setting::BatchTopK, Sparsity::BatchTopK(1), tied);
    }
}

#[test]
fn adam_clips_and_divides_by_the_running_root_mean_square() {
    let mut params = Params::zeros(2, 3, false);
    let mut adam = Adam::new(&params);
    let mut second = vec![0.0; params.values.len()];
    let mut wanted = params.values.clone();
    for step in 1..=5 {
        let mut gradient = Params::zeros(2, 3, false);
        for (at, value) in gradient.values.iter_mut().enumerate() {
            // The later ones are longer than 1, and some values are exactly 0.
            *value = f64::from(step) * 0.05 * (at % 5) as f64 * if at % 2 == 0 { 1.0 } else { -1.0 };
        }
        let norm = gradient.values.iter().map(|g| g * g).sum::<f64>().sqrt();
        let clip = f64::min(1.0, 1.0 / (norm + 1e-6));
        for ((wanted, second), g) in wanted.iter_mut().zip(&mut second).zip(&gradient.values) {
            let g = g * clip;
            *second = 0.999 * *second + 0.001 * g * g;
            *wanted -= 3e-4 * g / ((*second / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-8);
        }
        adam.step(&mut params, &gradient, 3e-4);
        assert!(step < 5 || norm > 1.0, "nothing was clipped");
    }
    for (&got, &want) in params.values.iter().zip(&wanted) {
        close(got, want, 1e-12, "parameter");
    }
}

#[test]
fn first_weights_are_those_of_kaiming_with_unit_decoder_rows() {
    let random = |tied, start| Params::random(4, 50, tied, start, &mut stream::rng(1, "test weights"));
    let top = |values: &[f64]| values.iter().fold(0f64, |top, value| top.max(value.abs()));
    let params = random(false, EncoderStart::Independent);
    let bound = (6.0f64 / 4.0).sqrt();
    assert!(top(params.encoder()) < bound && top(params.encoder()) > 0.95 * bound);
    assert!(top(params.b_enc()) <= 0.0 && top(params.b_dec()) <= 0.0);
    for row in params.decoder().chunks_exact(50) {
        close(row.iter().map(|value| value * value).sum(), 1.0, 1e-12, "norm");
    }
    for tied in [false, true] {
        let copied = random(tied, EncoderStart::Decoder);
        assert_eq!(copied.encoder(), copied.decoder());
        assert_eq!(copied.decoder(), params.decoder());
    }
}

#[test]
fn projected_gradients_are_tangent_to_the_decoder_rows() {
    let params = params(4, false);
    let mut gradient = Params::random(
        4,
        D_IN,
        false,
        EncoderStart::Independent,
        &mut stream::rng(2, "test weights"),
    );
    let before = gradient.clone();
    gradient.project(&params);
    let rows = params
        .decoder()
        .chunks_exact(D_IN)
        .zip(before.decoder().chunks_exact(D_IN));
    for (got, (row, before)) in gradient.decoder().chunks_exact(D_IN).zip(rows) {
        close(dot(got, row), 0.0, 1e-14, "radial");
        let along = dot(before, row);
        for ((got, before), row) in got.iter().zip(before).zip(row) {
            close(*got, before - along * row, 1e-14, "tangent");
        }
    }
    assert_eq!(gradient.encoder(), before.encoder());
}
