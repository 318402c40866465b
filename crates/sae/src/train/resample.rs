//! Giving dead latents another start.

use rand::RngExt;

use super::trainer::Run;
use super::{adam, seed};

impl Run<'_> {
    /// Points dead latents at encoder inputs of this batch, drawn with probability proportional to the squared loss; their
    /// encoders get a fifth of the live ones' mean norm.
    pub(crate) fn resample(&mut self, step: usize, dead: &[u32]) {
        let d_in = self.params.d_in;
        let losses = self
            .work
            .error
            .chunks_exact(d_in)
            .map(|error| error.iter().map(|&e| f64::from(e).powi(2)).sum::<f64>());
        let mut total = 0.0;
        let cumulative: Vec<f64> = losses
            .map(|loss| {
                total += loss * loss;
                total
            })
            .collect();
        let norms: Vec<f64> = self
            .params
            .w_enc
            .chunks_exact(d_in)
            .map(|row| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt())
            .collect();
        let live = norms.len() - dead.len();
        if live == 0 || total <= 0.0 {
            return;
        }
        let dead_norms: f64 = dead.iter().map(|&latent| norms[latent as usize]).sum();
        let norm = (0.2 * (norms.iter().sum::<f64>() - dead_norms) / live as f64) as f32;
        let mut rng = seed::rng(self.seed, &format!("sae/resample/step={step}"));
        for &latent in dead {
            let latent = latent as usize;
            let draw = rng.random::<f64>() * total;
            let row = cumulative.partition_point(|&sum| sum <= draw).min(cumulative.len() - 1);
            let direction = self.work.input[row * d_in..][..d_in].to_vec();
            let place = latent * d_in..(latent + 1) * d_in;
            self.params.w_dec[place.clone()].copy_from_slice(&direction);
            adam::normalise(&mut self.params.w_dec[place.clone()], d_in);
            for (encoder, decoder) in self.params.w_enc[place.clone()]
                .iter_mut()
                .zip(&self.params.w_dec[place])
            {
                *encoder = norm * decoder;
            }
            self.params.b_enc[latent] = 0.0;
            self.adam.forget(latent);
            self.silent[latent] = 0;
        }
    }
}
