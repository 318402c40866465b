//! Scores of hand-made rows, against numbers worked out by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::{EffectRow, mediated_shares, score};

fn row(draw: u32, editor: char, word: &str, before: f32, after: f32, ceiling: f32) -> EffectRow {
    EffectRow {
        arm: "arm".to_owned(),
        draw,
        mode: "erase".to_owned(),
        editor,
        letter: word.chars().next().unwrap(),
        word: word.to_owned(),
        set: 0,
        donor: None,
        before,
        after,
        ceiling,
        m_before: Some(before),
        m_after: Some(after),
        dose: 0.1,
    }
}

#[test]
fn shares_are_ratios_of_sums() {
    let rows = [
        // Effects 1 and 4 of ceilings 2 and 8, though the ratios are .5 and .5; then one of 0 of 10.
        row(0, 'a', "ant", 3.0, 2.0, 1.0),
        row(0, 'a', "art", 9.0, 5.0, 1.0),
        row(0, 'a', "axe", 9.0, 9.0, -1.0),
        // Damage 1 of 4 on b, 2 of 4 on c, whichever its sign.
        row(0, 'a', "bat", 5.0, 4.0, 1.0),
        row(0, 'a', "cat", 5.0, 7.0, 1.0),
    ];
    let scored = score(&rows).unwrap();
    let a = scored.letters[&'a'];
    assert!((a.ms - 5.0 / 20.0).abs() < 1e-12);
    assert!((a.o_mean - 3.0 / 8.0).abs() < 1e-12);
    assert!((a.o_max - 0.5).abs() < 1e-12);
    assert!((a.m_star - 0.25 * (1.0 - 0.375)).abs() < 1e-12);
    // Distances to the ceiling: 1 + 4 + 10 after, 2 + 8 + 10 before.
    assert!((a.fi - (1.0 - 15.0 / 20.0)).abs() < 1e-12);
    assert!((a.effect - 5.0 / 3.0).abs() < 1e-12);
    // The share alone needs no other letters' words.
    assert!((mediated_shares(&rows)[&'a'] - a.ms).abs() < 1e-12);
    assert!((mediated_shares(&rows[..3])[&'a'] - a.ms).abs() < 1e-12);
    assert_eq!(mediated_shares(&rows[3..]).len(), 0);
}

#[test]
fn words_that_the_ceiling_hardly_touches_do_not_make_the_largest_damage() {
    let rows = [
        row(0, 'a', "ant", 9.0, 5.0, 1.0),
        row(0, 'a', "bat", 9.0, 8.0, 1.0),
        // The ceiling moves c by 1 of 9: a ratio to it would be 3.
        row(0, 'a', "cat", 9.0, 6.0, 8.0),
    ];
    let a = score(&rows).unwrap().letters[&'a'];
    assert!((a.o_max - 1.0 / 8.0).abs() < 1e-12);
    assert!((a.o_mean - 4.0 / 9.0).abs() < 1e-12);
}

#[test]
fn draws_of_a_word_are_averaged_before_words_are_counted() {
    let one = [row(0, 'a', "ant", 4.0, 3.0, 0.0), row(0, 'a', "bat", 4.0, 4.0, 0.0)];
    let two = [
        row(0, 'a', "ant", 4.0, 2.0, 0.0),
        row(1, 'a', "ant", 4.0, 4.0, 0.0),
        row(0, 'a', "bat", 4.0, 5.0, 0.0),
        row(1, 'a', "bat", 4.0, 3.0, 0.0),
    ];
    let (one, two) = (score(&one).unwrap(), score(&two).unwrap());
    assert!((one.letters[&'a'].ms - two.letters[&'a'].ms).abs() < 1e-12);
    assert_eq!(two.sums[0].groups[0].len(), 1);
    // Damage of opposite signs does not cancel between draws.
    assert!((two.letters[&'a'].o_mean - 0.25).abs() < 1e-12);
}

#[test]
fn a_letter_without_a_ceiling_has_no_score() {
    let rows = [row(0, 'a', "ant", 1.0, 0.5, 1.5), row(0, 'a', "bat", 1.0, 0.5, 0.0)];
    let scored = score(&rows).unwrap();
    assert!(scored.letters.is_empty());
    assert_eq!(scored.unidentified, ['a']);
    assert!(score(&[]).is_err());
}
