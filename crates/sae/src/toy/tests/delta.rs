//! The closed form.

use super::super::{DecoderNorm, DeltaFamily};

const DELTAS: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0];

fn family(norm: DecoderNorm) -> DeltaFamily {
    DeltaFamily {
        p11: 0.05,
        p10: 0.2,
        norm,
    }
}

#[track_caller]
fn close(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-15, "{got} is not {want}");
}

#[track_caller]
fn close_both(got: [f64; 2], want: [f64; 2]) {
    close(got[0], want[0]);
    close(got[1], want[1]);
}

#[test]
fn every_member_reconstructs_perfectly() {
    for norm in [DecoderNorm::Free, DecoderNorm::Unit] {
        for delta in DELTAS {
            let family = family(norm);
            assert!(family.reconstruction_loss(delta) < 1e-30);
            close_both(family.latents(delta, [0.0, 0.0]), [0.0, 0.0]);
            close_both(family.latents(delta, [1.0, 0.0]), [1.0, 0.0]);
        }
    }
    // Outside the family the first latent is cut off and the parent is written twice.
    assert!(family(DecoderNorm::Free).reconstruction_loss(1.5) > 1e-3);
}

#[test]
fn the_penalty_is_that_of_the_latents() {
    for norm in [DecoderNorm::Free, DecoderNorm::Unit] {
        let family = family(norm);
        for delta in DELTAS {
            let sum = |magnitudes| family.latents(delta, magnitudes).iter().sum::<f64>();
            close(
                family.sparsity_loss(delta),
                0.05 * sum([1.0, 1.0]) + 0.2 * sum([1.0, 0.0]),
            );
        }
    }
    let free = family(DecoderNorm::Free);
    close(free.sparsity_loss(0.0), 2.0 * 0.05 + 0.2);
    close(free.sparsity_loss(1.0), 0.05 + 0.2);
    close(free.saving(), 0.05);
    close(free.sparsity_loss(0.5), 0.05 * 1.5 + 0.2);
    let unit = family(DecoderNorm::Unit);
    close(unit.sparsity_loss(0.0), 2.0 * 0.05 + 0.2);
    close(unit.sparsity_loss(1.0), 0.05 * 2f64.sqrt() + 0.2);
    close(unit.saving(), (2.0 - 2f64.sqrt()) * 0.05);
}

#[test]
fn the_penalty_falls_with_delta() {
    let (free, unit) = (family(DecoderNorm::Free), family(DecoderNorm::Unit));
    for delta in DELTAS {
        close(free.derivative(delta), -0.05);
        for family in [free, unit] {
            assert!(family.derivative(delta) < 0.0);
            let difference = (family.sparsity_loss(delta + 1e-6) - family.sparsity_loss(delta - 1e-6)) / 2e-6;
            assert!((family.derivative(delta) - difference).abs() < 1e-9);
        }
    }
    close(unit.derivative(0.0), -0.05);
    close(unit.derivative(1.0), 0.05 * (0.5f64.sqrt() - 1.0));
    // Without shared firings nothing is saved.
    close(DeltaFamily { p11: 0.0, ..unit }.derivative(0.5), 0.0);
}

#[test]
fn decoder_norms_are_as_named() {
    for delta in DELTAS {
        let norm = |norm| {
            let [parent, child] = family(norm).decoder(delta);
            close_both(parent, [1.0, 0.0]);
            child[0].hypot(child[1])
        };
        close(norm(DecoderNorm::Free), 1f64.hypot(delta));
        close(norm(DecoderNorm::Unit), 1.0);
    }
}

#[test]
fn share_of_the_parent_in_the_child() {
    close(family(DecoderNorm::Unit).absorbed_share(1.0), 0.2);
    close(family(DecoderNorm::Free).absorbed_share(0.25), 0.05);
}
