//! One word in one SAE: what is active, what it does, and what stands for the letter.

use std::collections::BTreeSet;

use ablation::absorption::{Absorber, full_absorption};
use ablation::select::single_effects;
use ablation::{Capture, Captured, Stage};
use report::{Cell, Column, Table};
use tasks::Letter;

use super::word::Query;
use super::{Setup, Subject};

/// An active latent, or the main latent where it is silent.
struct Row {
    latent: u32,
    activation: f64,
    cosine: f64,
    share: f64,
    effect: f64,
    /// Train words of the letter on which it fires.
    on: usize,
    /// Train words on which it fires.
    fires: usize,
    main: bool,
    absorber: bool,
    split: bool,
}

/// Everything that is measured.
pub(super) struct Latents {
    /// Strongest effect of either sign first.
    rows: Vec<Row>,
    active: usize,
    absorber: Option<Absorber>,
    /// Whether the main latent is.
    silent: bool,
    /// Of the vector on the unit probe direction.
    projection: f64,
    /// Of the decoder bias.
    bias: f64,
    /// Of what the SAE does not reconstruct.
    error: f64,
    /// Train words of the letter.
    words: usize,
}

impl Latents {
    pub(super) fn new(
        setup: &Setup<'_>,
        stage: &Stage<'_>,
        captured: &Capture,
        query: Query,
        subject: &Subject<'_>,
    ) -> anyhow::Result<Self> {
        let Query { word, class, .. } = query;
        let letter = setup.plan.vocabulary.words[word].letter.index();
        let (sae, train, x) = (subject.sae, &setup.site.train, captured.site(0));
        let direction = setup.direction(class);
        let projected = |v: &[f32]| v.iter().zip(&direction).map(|(&v, d)| f64::from(v) * d).sum::<f64>();
        let projection = projected(x);
        let cosines = subject.cosines(&direction);
        let encoded = sae.encode(x);
        let clean = stage.clean_logits(captured)?;
        let effects = single_effects(
            &Captured {
                stage,
                capture: captured,
            },
            &subject.side,
            &encoded,
            &[letter],
            &clean,
        )?;
        let main = subject.main(class);
        let own = &subject.own[class];
        let absorber = full_absorption(&encoded, 0, own, &cosines, projection);
        let splits: BTreeSet<u32> = own.iter().copied().filter(|&latent| latent != main).collect();

        let (index, value) = encoded.row(0);
        let silent = index.binary_search(&main).is_err();
        let entries = index
            .iter()
            .copied()
            .zip(value.iter().copied())
            .chain(silent.then_some((main, 0.0)));
        let row = |(latent, activation): (u32, f32)| {
            let (on, fires) = subject.fires(&train.y, latent, class);
            Row {
                latent,
                activation: f64::from(activation),
                cosine: cosines[latent as usize],
                share: f64::from(activation) * projected(&sae.decoder_row(latent as usize)) / projection,
                // A silent latent has nothing to remove.
                effect: effects.iter().find(|e| e.latent == latent).map_or(0.0, |e| e.effect),
                on,
                fires,
                main: latent == main,
                absorber: absorber.is_some_and(|a| a.latent == latent),
                split: splits.contains(&latent),
            }
        };
        let mut rows: Vec<Row> = entries.map(row).collect();
        rows.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()).then(a.latent.cmp(&b.latent)));
        Ok(Self {
            rows,
            active: index.len(),
            absorber,
            silent,
            projection,
            bias: projected(sae.decoder_bias()),
            error: projected(&sae.error_term(x, &encoded)),
            words: train.y.iter().filter(|&&y| y == class).count(),
        })
    }

    /// The table: the `limit` strongest latents and those that are main or absorber, then what the
    /// others, the bias and the error carry. `explained`: whether it says what its columns mean.
    pub(super) fn table(
        &self,
        setup: &Setup<'_>,
        query: Query,
        subject: &Subject<'_>,
        explained: bool,
        limit: usize,
    ) -> anyhow::Result<Table> {
        let word = &setup.plan.vocabulary.words[query.word];
        let mut columns = heads(word.letter);
        if !explained {
            for column in &mut columns {
                column.help.clear();
            }
        }
        let mut table = Table::new(format!("{}: latents at `{}`", subject.id, word.text), columns);
        let is_shown = |rank: usize, row: &Row| rank < limit || row.main || row.absorber;
        let ranked = || self.rows.iter().enumerate();
        let mut shown: Vec<&Row> = ranked()
            .filter(|(rank, row)| is_shown(*rank, row))
            .map(|(_, row)| row)
            .collect();
        shown.sort_by(|a, b| b.effect.total_cmp(&a.effect).then(a.latent.cmp(&b.latent)));
        for row in &shown {
            table.push(self.cells(row))?;
        }
        let left: f64 = ranked()
            .filter(|(rank, row)| !is_shown(*rank, row))
            .map(|(_, row)| row.share)
            .sum();
        let count = self.rows.len() - shown.len();
        let weaker = (count > 0).then(|| (format!("{count} weaker"), left));
        let carried = [
            ("bias".to_owned(), self.bias / self.projection),
            ("error".to_owned(), self.error / self.projection),
        ];
        for (name, share) in weaker.into_iter().chain(carried) {
            let blank = || Cell::Missing(String::new());
            let share = Cell::Number {
                value: share,
                digits: 2,
            };
            let tail = [blank(), blank(), blank(), blank(), Cell::text("")];
            table.push(
                [Cell::text(name), blank(), blank(), share]
                    .into_iter()
                    .chain(tail)
                    .collect(),
            )?;
        }
        let probe = &subject.probes[query.class];
        table.notes.push(format!(
            "Letter {}: {}.",
            word.letter.upper(),
            self.verdict(probe.latent)
        ));
        table.notes.push(format!(
            "Active latents: {}. As a classifier of train words the main latent has F1 {:.2}, above activation {:.2}.",
            self.active, probe.f1, probe.threshold
        ));
        if self.projection <= 0.0 {
            table.notes.push(
                "The vector's projection on the probe is not positive: shares have the opposite sign, and nothing counts as absorbed."
                    .to_owned(),
            );
        }
        Ok(table)
    }

    fn verdict(&self, main: u32) -> String {
        match (self.absorber, self.silent) {
            (Some(a), _) => format!(
                "absorbed: main latent {main} is silent and latent {} alone carries {:.0} % of the probe's projection",
                a.latent,
                100.0 * a.share
            ),
            (None, true) => format!(
                "main latent {main} is silent, and no other latent alone carries enough of the projection to count as its absorber"
            ),
            (None, false) => format!("not absorbed: main latent {main} fires"),
        }
    }

    fn cells(&self, row: &Row) -> Vec<Cell> {
        let number = |value: f64, digits: usize| Cell::Number { value, digits };
        let precision = if row.fires == 0 {
            Cell::Missing("it fires on no train word".to_owned())
        } else {
            number(row.on as f64 / row.fires as f64, 2)
        };
        let main = match (row.main, self.silent) {
            (true, true) => Some("main, silent"),
            (true, false) => Some("main"),
            _ => None,
        };
        let marks = [main, row.absorber.then_some("absorber"), row.split.then_some("split")];
        vec![
            Cell::text(row.latent.to_string()),
            number(row.activation, 2),
            number(row.cosine, 2),
            number(row.share, 2),
            number(row.effect, 2),
            precision,
            number(row.on as f64 / self.words.max(1) as f64, 2),
            Cell::count(row.fires as u64),
            Cell::text(marks.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        ]
    }
}

fn heads(letter: Letter) -> Vec<Column> {
    let upper = letter.upper();
    vec![
        Column::number("latent"),
        Column::number("activation"),
        Column::number("cosine").with_help(format!("of its decoder row with the logistic probe of {upper}")),
        Column::number("share").with_help("of the vector's projection on that probe; with bias and error they add up to 1, so that one above 1 has others against it"),
        Column::number("effect").with_help("exact: fall of the letter log-odds when it alone is removed, nats"),
        Column::number("precision").with_help(format!("share of the train words on which it fires that begin with {upper}")),
        Column::number("recall").with_help(format!("share of the train words with {upper} on which it fires")),
        Column::number("fires").with_help("train words on which it fires"),
        Column::text("mark").with_help(
            "main: the letter's best one-latent classifier; absorber: carries the letter where main is silent; split: another precise latent of the letter",
        ),
    ]
}
