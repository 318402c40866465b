//! Hedged decoder rows.

use ablation::planted::hedging::hedging;

use super::{Check, Setting, mean_of, measure};

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const SHARE: &str = "closed form: 1 - eta / 25; tolerance: f32 logits";
    const DAMAGE: &str = "closed form: eta^2, published as .04 / .16 / .49; tolerance: f32 logits";
    let mut checks = Vec::new();
    for eta in [0.2, 0.4, 0.7] {
        let planted = hedging(eta, setting.size(6, 40), setting.seed)?;
        let sets: Vec<Vec<u32>> = (0..26).map(|latent| vec![latent]).collect();
        let scored = measure(&planted.world, |measured| measured.latents(&planted.sae, &sets))?;
        checks.push(Check::near(
            format!("MS of the hedging latent, eta {eta}"),
            planted.ms,
            1e-4,
            mean_of(&scored, |s| s.ms),
            SHARE,
        ));
        checks.push(Check::near(
            format!("O_max, eta {eta}"),
            planted.o_max,
            1e-4,
            mean_of(&scored, |s| s.o_max),
            DAMAGE,
        ));
    }
    Ok(checks)
}
