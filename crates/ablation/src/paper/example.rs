//! One absorbed word, latent by latent (Figures 6 and 7).

use linear_probe::LogisticProbe;
use serde::{Deserialize, Serialize};

use crate::absorption::chanin::FrameRow;
use crate::attribution::{LatentEffect, Subjects, latent_effects};
use crate::error::Result;
use crate::paper::detection::KSparseLetter;
use crate::paper::measure::{Settings, Words, positive};

/// Words shown beside the absorbed one.
const NEIGHBOURS: usize = 6;

/// An absorbed word and its latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The word.
    pub word: String,
    /// Its letter.
    pub letter: char,
    /// The letter's first main latent.
    pub main: u32,
    /// The latent that supports the letter on this word.
    pub absorber: u32,
    /// Cosine of each one's decoder row with the letter's probe: main, absorber.
    pub cosines: [f64; 2],
    /// Exact effect of each active latent, strongest first, with the projection control.
    pub effects: Vec<LatentEffect>,
    /// Activations of both latents on words of the letter, the absorbed one among them.
    pub neighbours: Vec<Neighbour>,
}

/// Activations of the example's latents on one word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The word.
    pub word: String,
    /// Of the main latent.
    pub main: f64,
    /// Of the absorbing latent.
    pub absorber: f64,
}

/// The absorbed word of largest lead, if any is absorbed.
///
/// # Errors
/// The model refuses a run.
pub fn example(
    subjects: Subjects<'_>,
    words: Words<'_>,
    probe: &LogisticProbe,
    ksparse: &[KSparseLetter],
    frame: &[FrameRow],
    settings: &Settings,
) -> Result<Option<Example>> {
    let lead = |row: &&FrameRow| row.top_ablation_score.abs() - row.second_ablation_score.abs();
    let Some(best) = frame
        .iter()
        .filter(|row| row.is_absorption)
        .max_by(|a, b| lead(a).total_cmp(&lead(b)))
    else {
        return Ok(None);
    };
    let at = words.text.iter().zip(words.class).position(|(text, &class)| {
        *text == best.token && char::from(b'a' + words.alphabet[class] as u8) == best.letter
    });
    let Some(row) = at else { return Ok(None) };
    let class = words.class[row];
    let Some(&main) = ksparse[class].main.first() else {
        return Ok(None);
    };
    let absorber = best.top_ablation_feat;
    let mut effects = latent_effects(
        subjects.stage,
        (subjects.capture, subjects.latents),
        subjects.sae,
        (&[row], &[words.alphabet[class]]),
        &[probe.direction(class)],
        positive(subjects, settings),
    )?;
    effects.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
    // Words on which the main latent fires, evenly from the letter's list, and the absorbed one last.
    let firing: Vec<usize> = (0..words.text.len())
        .filter(|&other| words.class[other] == class && subjects.latents.get(other, main) > 0.0)
        .collect();
    let step = firing.len().div_ceil(NEIGHBOURS).max(1);
    let neighbours = firing.iter().copied().step_by(step).chain([row]).map(|row| Neighbour {
        word: words.text[row].clone(),
        main: f64::from(subjects.latents.get(row, main)),
        absorber: f64::from(subjects.latents.get(row, absorber)),
    });
    let cosine = |latent: u32| {
        let decoder = subjects.sae.decoder_row(latent as usize);
        let direction = probe.direction(class);
        let dot: f64 = decoder.iter().zip(direction).map(|(&w, p)| f64::from(w) * p).sum();
        let square: f64 = decoder.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
        dot / (square.sqrt() * crate::editor::norm(direction)).max(f64::MIN_POSITIVE)
    };
    Ok(Some(Example {
        word: best.token.clone(),
        letter: best.letter,
        main,
        absorber,
        cosines: [cosine(main), cosine(absorber)],
        neighbours: neighbours.collect(),
        effects,
    }))
}
