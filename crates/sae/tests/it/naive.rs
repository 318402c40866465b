//! What an autoencoder computes, by loops in f64 that share nothing with the crate.

/// Numbers that look random and are the same everywhere.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // Xorshift with a multiplication (Vigna).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Between -1 and 1.
    pub(crate) fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| ((self.next() >> 40) as f64 / f64::from(1 << 23) - 1.0) as f32)
            .collect()
    }
}

/// Two linear layers, one row per latent in both.
#[derive(Clone)]
pub(crate) struct Layers {
    pub(crate) d_in: usize,
    pub(crate) d_sae: usize,
    pub(crate) d_out: usize,
    /// `[d_sae, d_in]`.
    pub(crate) encoder: Vec<f32>,
    pub(crate) b_enc: Vec<f32>,
    /// `[d_sae, d_out]`.
    pub(crate) decoder: Vec<f32>,
    pub(crate) b_dec: Vec<f32>,
}

impl Layers {
    pub(crate) fn new(d_in: usize, d_sae: usize, d_out: usize) -> Self {
        let mut noise = Noise::new(7);
        Self {
            d_in,
            d_sae,
            d_out,
            encoder: noise.values(d_in * d_sae),
            b_enc: noise.values(d_sae),
            decoder: noise.values(d_sae * d_out),
            b_dec: noise.values(d_out),
        }
    }

    /// `[d_in, d_sae]`.
    pub(crate) fn encoder_t(&self) -> Vec<f32> {
        transposed(&self.encoder, self.d_in)
    }

    /// `[d_out, d_sae]`.
    pub(crate) fn decoder_t(&self) -> Vec<f32> {
        transposed(&self.decoder, self.d_out)
    }

    /// Rows of activations.
    pub(crate) fn rows(&self, count: usize) -> Vec<f32> {
        Noise::new(99).values(count * self.d_in)
    }

    /// `h W_enc + b_enc`.
    pub(crate) fn pre(&self, h: &[f64]) -> Vec<f64> {
        let rows = self.encoder.chunks(self.d_in);
        rows.zip(&self.b_enc)
            .map(|(row, &bias)| dot(h, row) + f64::from(bias))
            .collect()
    }

    /// `z W_dec + b_dec`.
    pub(crate) fn decode(&self, z: &[f64]) -> Vec<f64> {
        let mut out: Vec<f64> = self.b_dec.iter().map(|&bias| f64::from(bias)).collect();
        for (z, row) in z.iter().zip(self.decoder.chunks(self.d_out)) {
            for (out, &weight) in out.iter_mut().zip(row) {
                *out += z * f64::from(weight);
            }
        }
        out
    }

    /// Euclidean norms of the decoder rows.
    pub(crate) fn norms(&self) -> Vec<f64> {
        let square = |row: &[f32]| row.iter().map(|&weight| f64::from(weight).powi(2)).sum::<f64>();
        self.decoder.chunks(self.d_out).map(|row| square(row).sqrt()).collect()
    }

    /// The rows less the decoder bias.
    pub(crate) fn centred(&self, x: &[f64]) -> Vec<f64> {
        x.iter()
            .zip(&self.b_dec)
            .map(|(x, &bias)| x - f64::from(bias))
            .collect()
    }
}

pub(crate) fn dot(h: &[f64], row: &[f32]) -> f64 {
    h.iter().zip(row).map(|(h, &weight)| h * f64::from(weight)).sum()
}

pub(crate) fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let rows = matrix.len() / width;
    (0..matrix.len())
        .map(|at| matrix[at % rows * width + at / rows])
        .collect()
}

pub(crate) fn relu(pre: &[f64]) -> Vec<f64> {
    pre.iter().map(|value| value.max(0.0)).collect()
}

/// The `k` largest, those of them that are positive.
pub(crate) fn top_k(pre: &[f64], k: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..pre.len()).collect();
    order.sort_by(|&a, &b| pre[b].total_cmp(&pre[a]));
    let mut out = vec![0.0; pre.len()];
    for &at in &order[..k] {
        out[at] = pre[at].max(0.0);
    }
    out
}

/// The `k` of largest magnitude.
pub(crate) fn top_k_signed(pre: &[f64], k: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..pre.len()).collect();
    order.sort_by(|&a, &b| pre[b].abs().total_cmp(&pre[a].abs()));
    let mut out = vec![0.0; pre.len()];
    for &at in &order[..k] {
        out[at] = pre[at];
    }
    out
}

pub(crate) fn jump(pre: &[f64], thresholds: &[f64]) -> Vec<f64> {
    let pairs = pre.iter().zip(thresholds);
    pairs
        .map(|(&pre, &threshold)| if pre > threshold { pre.max(0.0) } else { 0.0 })
        .collect()
}

/// Largest distance of `got` from `want`, in parts of the largest value wanted.
#[track_caller]
pub(crate) fn close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let top = want.iter().fold(1e-6, |top: f64, value| top.max(value.abs()));
    for (at, (&got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(got) - want).abs() <= tolerance * top,
            "at {at}: {got} is not {want} (scale {top})"
        );
    }
}

/// Latents and output of `sae` for rows, against a forward pass of one row.
#[track_caller]
pub(crate) fn check(sae: &sae::Sae, x: &[f32], forward: impl Fn(&[f64]) -> (Vec<f64>, Vec<f64>)) {
    let (mut latents, mut outputs) = (Vec::new(), Vec::new());
    for row in x.chunks(sae.d_in()) {
        let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let (z, y) = forward(&row);
        latents.extend(z);
        outputs.extend(y);
    }
    assert!(
        latents.iter().any(|&z| z != 0.0) && latents.contains(&0.0),
        "nothing is selected"
    );
    close(&sae.encode_dense(x), &latents, 1e-5);
    close(&sae.reconstruct(x), &outputs, 1e-5);
}
