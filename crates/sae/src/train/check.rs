//! Settings are checked before anything is read.

use super::config::{DeadLatents, TrainConfig};
use super::objective::Objective;
use crate::SaeError;

impl TrainConfig {
    /// Checks the settings alone and against `rows` rows of data.
    pub(crate) fn check(&self, rows: usize) -> Result<(), SaeError> {
        let positive = |value: f32| value > 0.0 && value.is_finite();
        require(self.d_sae > 0, "d_sae", self.d_sae, "it has to be positive")?;
        require(
            self.batch_size > 0,
            "batch_size",
            self.batch_size,
            "it has to be positive",
        )?;
        require(self.steps > 0, "steps", self.steps, "it has to be positive")?;
        require(
            positive(self.learning_rate),
            "learning_rate",
            self.learning_rate,
            "it has to be positive",
        )?;
        require(
            positive(self.encoder_init_norm),
            "encoder_init_norm",
            self.encoder_init_norm,
            "it has to be positive",
        )?;
        let decays = [self.betas.0, self.betas.1];
        require(
            decays.iter().all(|beta| (0.0..1.0).contains(beta)),
            "betas",
            format!("{decays:?}"),
            "both have to be in [0, 1)",
        )?;
        require(
            self.gradient_clip.is_none_or(positive),
            "gradient_clip",
            format!("{:?}", self.gradient_clip),
            "it has to be positive",
        )?;
        let (ramp, steps) = (self.warmup_steps + self.decay_steps, self.steps);
        require(
            ramp <= steps,
            "decay_steps",
            self.decay_steps,
            &format!("warm-up and decay have to fit into {steps} steps"),
        )?;
        require(
            self.held_out_rows > 0,
            "held_out_rows",
            self.held_out_rows,
            "it has to be positive",
        )?;
        let enough = self.held_out_rows.saturating_add(self.batch_size);
        require(
            enough <= rows,
            "held_out_rows",
            self.held_out_rows,
            &format!("with a batch it has to fit into the {rows} rows of data"),
        )?;
        if let DeadLatents::Resample { every } = self.dead_latents {
            require(every > 0, "dead_latents.every", every, "it has to be positive")?;
        }
        self.check_objective()
    }

    fn check_objective(&self) -> Result<(), SaeError> {
        if let Some(k) = self.objective.k() {
            require(
                (1..=self.d_sae).contains(&k),
                "objective.k",
                k,
                "it has to be between 1 and the width",
            )?;
        }
        match &self.objective {
            Objective::Standard {
                l1_coefficient: coefficient,
                ..
            }
            | Objective::JumpRelu {
                l0_coefficient: coefficient,
                ..
            } => {
                let fine = *coefficient >= 0.0 && coefficient.is_finite();
                require(
                    fine,
                    "objective.coefficient",
                    coefficient,
                    "it has to be zero or positive",
                )?;
            }
            Objective::BatchTopK { threshold_rate, .. } | Objective::MatryoshkaBatchTopK { threshold_rate, .. } => {
                let fine = *threshold_rate > 0.0 && *threshold_rate <= 1.0;
                require(
                    fine,
                    "objective.threshold_rate",
                    threshold_rate,
                    "it has to be in (0, 1]",
                )?;
            }
            Objective::TopK { .. } => {}
        }
        if let Objective::JumpRelu {
            bandwidth,
            initial_threshold,
            ..
        } = self.objective
        {
            let fine =
                bandwidth > 0.0 && initial_threshold > 0.0 && bandwidth.is_finite() && initial_threshold.is_finite();
            require(
                fine,
                "objective.bandwidth",
                bandwidth,
                "it and the initial threshold have to be positive",
            )?;
        }
        if let Objective::MatryoshkaBatchTopK { widths, .. } = &self.objective {
            let fine = widths.is_sorted_by(|a, b| a < b)
                && widths.first().is_some_and(|&first| first > 0)
                && widths.last() == Some(&self.d_sae);
            require(
                fine,
                "objective.widths",
                format!("{widths:?}"),
                "positive, ascending, and the last is the width",
            )?;
        }
        Ok(())
    }
}

fn require(holds: bool, field: &'static str, value: impl std::fmt::Display, reason: &str) -> Result<(), SaeError> {
    if holds {
        return Ok(());
    }
    Err(SaeError::Train {
        field,
        value: value.to_string(),
        reason: reason.to_owned(),
    })
}
