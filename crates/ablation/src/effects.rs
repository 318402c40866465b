//! What an answer's 26 letter logits say about the right letter.

/// Logits of the 26 answers, in the order of the alphabet.
pub type LetterLogits = [f32; 26];

/// Letter log-odds `lam = L_y - logsumexp(other letters) + ln 25`, in nats (0 at chance).
#[must_use]
pub fn log_odds(logits: &LetterLogits, letter: usize) -> f64 {
    let others = || {
        logits
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != letter)
            .map(|(_, &l)| f64::from(l))
    };
    let top = others().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = others().map(|l| (l - top).exp()).sum();
    f64::from(logits[letter]) - top - sum.ln() + 25f64.ln()
}

/// Mean logit difference `m = L_y - mean(other letters)`, in logits (Chanin et al. 2024, section 4).
#[must_use]
pub fn logit_difference(logits: &LetterLogits, letter: usize) -> f64 {
    let total: f64 = logits.iter().map(|&l| f64::from(l)).sum();
    let right = f64::from(logits[letter]);
    right - (total - right) / 25.0
}

/// Logit difference to the best other letter, `m_max = L_y - max(other letters)`, in logits (Chanin et al. 2025, appendix A.10).
#[must_use]
pub fn logit_difference_max(logits: &LetterLogits, letter: usize) -> f64 {
    f64::from(logits[letter]) - f64::from(logits[best_other(logits, letter)])
}

/// The most likely letter beside `letter`.
#[must_use]
pub fn best_other(logits: &LetterLogits, letter: usize) -> usize {
    (0..26)
        .filter(|&other| other != letter)
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .unwrap_or_default()
}

/// `L_to - L_from`, in logits: how far the answer moved from one letter to another.
#[must_use]
pub fn pair_difference(logits: &LetterLogits, from: usize, to: usize) -> f64 {
    f64::from(logits[to]) - f64::from(logits[from])
}

/// The most likely letter.
#[must_use]
pub fn top_letter(logits: &LetterLogits) -> usize {
    (0..26)
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_zero_and_a_constant_changes_nothing() {
        let flat = [3.5; 26];
        assert!(log_odds(&flat, 7).abs() < 1e-12);
        assert!(logit_difference(&flat, 7).abs() < 1e-12);
        let mut some = [0.0; 26];
        for (i, l) in some.iter_mut().enumerate() {
            *l = (i as f32 * 1.7).sin() * 4.0;
        }
        let shifted = some.map(|l| l + 8.0);
        assert!((log_odds(&some, 3) - log_odds(&shifted, 3)).abs() < 1e-5);
        assert!((logit_difference(&some, 3) - logit_difference(&shifted, 3)).abs() < 1e-5);
    }

    #[test]
    fn log_odds_are_those_of_the_softmax() {
        let mut logits = [0.0; 26];
        logits[4] = 2.0;
        let p = 2f64.exp() / (2f64.exp() + 25.0);
        assert!((log_odds(&logits, 4) - (p / (1.0 - p)).ln() - 25f64.ln()).abs() < 1e-9);
        assert_eq!(top_letter(&logits), 4);
        assert!((pair_difference(&logits, 4, 0) + 2.0).abs() < 1e-9);
    }
}
