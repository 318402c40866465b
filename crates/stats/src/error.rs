//! What can make a statistic undefined.

/// Why a statistic has no value. Messages complete "failed to compute the statistic: ...".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// The unit of inference is the letter, and there are too few of them.
    #[error("too few letters for an interval or a test: {found}, at least {needed} are needed")]
    TooFewLetters {
        /// Letters given.
        found: usize,
        /// Letters needed.
        needed: usize,
    },
    /// A list that must hold something is empty.
    #[error("the list of values is empty")]
    Empty,
    /// Two lists that describe the same letters differ in length.
    #[error("lists of the same letters differ in length: expected {expected}, found {found}")]
    LengthMismatch {
        /// Length of the first list.
        expected: usize,
        /// Length of the list that differs.
        found: usize,
    },
    /// An input is NaN or infinite.
    #[error("value at position {position} is not finite: {value}")]
    NonFinite {
        /// Index into the input, counted from 0.
        position: usize,
        /// The value.
        value: f64,
    },
    /// All letters have the same value, so t is undefined.
    #[error("all letters have the same value, so their standard error is zero: {value}")]
    ZeroVariance {
        /// The common value.
        value: f64,
    },
    /// A confidence level or a quantile outside its range.
    #[error("level must lie strictly between 0 and 1: {level}")]
    InvalidLevel {
        /// The level.
        level: f64,
    },
    /// A table of scores with too few rows or columns for variance components.
    #[error(
        "too few scores for a reliability: {items} items x {replicates} replicates, \
         at least {needed_items} x {needed_replicates} are needed"
    )]
    TooSmallTable {
        /// Rows given.
        items: usize,
        /// Columns given.
        replicates: usize,
        /// Rows needed.
        needed_items: usize,
        /// Columns needed.
        needed_replicates: usize,
    },
    /// The rows of a table of scores differ in length.
    #[error("item {item} has {found} replicates, the first item has {expected}")]
    RaggedTable {
        /// Index of the row, counted from 0.
        item: usize,
        /// Length of the first row.
        expected: usize,
        /// Length of this row.
        found: usize,
    },
    /// All scores of a table are equal, so no share of their variance exists.
    #[error("all scores of the table have the same value: {value}")]
    ConstantTable {
        /// The common value.
        value: f64,
    },
    /// A parameter of a design or of a simulation outside its range.
    #[error("{name} is out of range: {value}")]
    OutOfRange {
        /// What the parameter is called.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A p-value outside `[0, 1]`.
    #[error("p-value at position {position} is not between 0 and 1: {value}")]
    InvalidProbability {
        /// Index into the input, counted from 0.
        position: usize,
        /// The value.
        value: f64,
    },
    /// Zero replicates or draws were asked for.
    #[error("at least one draw is needed")]
    NoDraws,
    /// A letter has no row in one of its row groups.
    #[error("letter {letter} has no rows in group {group}")]
    EmptyGroup {
        /// Index of the letter in the input.
        letter: usize,
        /// Index of the row group.
        group: usize,
    },
    /// The statistic of a letter is undefined on the data as observed.
    #[error("the statistic of letter {letter} is undefined, for example a zero denominator")]
    UndefinedLetter {
        /// Index of the letter in the input.
        letter: usize,
    },
    /// A covariate is constant within letters, or a combination of the covariates before it.
    #[error("covariate {column} is constant within letters or a combination of the covariates before it")]
    Collinear {
        /// Index of the covariate.
        column: usize,
    },
    /// An iterative fit did not settle.
    #[error("the fit did not converge in {steps} steps")]
    NotConverged {
        /// Steps taken.
        steps: usize,
    },
    /// Too many bootstrap replicates have an undefined statistic.
    #[error("{undefined} of {replicates} bootstrap replicates are undefined, more than a tenth")]
    TooManyUndefined {
        /// Replicates without a value.
        undefined: usize,
        /// Replicates drawn.
        replicates: usize,
    },
}

/// Refuses the first value that is NaN or infinite.
pub(crate) fn require_finite(values: &[f64]) -> Result<(), StatsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(StatsError::NonFinite {
            position,
            value: values[position],
        }),
        None => Ok(()),
    }
}

/// Refuses a parameter unless `holds`; NaN must make `holds` false.
pub(crate) fn require(holds: bool, name: &'static str, value: f64) -> Result<(), StatsError> {
    if holds {
        Ok(())
    } else {
        Err(StatsError::OutOfRange { name, value })
    }
}
