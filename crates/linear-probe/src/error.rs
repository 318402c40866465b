//! What can make a probe impossible.

/// Why a probe or a score could not be computed. Messages complete "failed to fit the probe: ...".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProbeError {
    /// A slice does not have the length that its shape says.
    #[error("{what} has the wrong length: expected {expected}, found {found}")]
    Length {
        /// Which input.
        what: &'static str,
        /// Length by shape.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A matrix without rows or without columns.
    #[error("the design has no rows or no columns: {n} x {d}")]
    EmptyDesign {
        /// Rows.
        n: usize,
        /// Columns.
        d: usize,
    },
    /// An activation or a score is NaN or infinite.
    #[error("value in row {row}, column {column} is not finite: {value}")]
    NonFinite {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A row index beyond the last row.
    #[error("row {row} does not exist, there are {n}")]
    RowOutOfRange {
        /// The index.
        row: usize,
        /// Number of rows.
        n: usize,
    },
    /// A row is listed twice where each row may appear once.
    #[error("row {row} is listed twice")]
    DuplicateRow {
        /// The index.
        row: usize,
    },
    /// A label beyond the last class.
    #[error("label of row {row} is class {class}, but there are {n_classes} classes")]
    LabelOutOfRange {
        /// Row, counted from 0.
        row: usize,
        /// The label.
        class: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// A class has no rows.
    #[error("class {class} has no rows; hint: drop it from the labels and renumber the others")]
    EmptyClass {
        /// The class.
        class: usize,
    },
    /// A class has all rows, so there is nothing to tell it from.
    #[error("class {class} has all rows; at least two classes are needed")]
    FullClass {
        /// The class.
        class: usize,
    },
    /// A setting outside its range.
    #[error("{name} is out of range: {value}; it must be {range}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value.
        value: f64,
        /// What is allowed, in words.
        range: &'static str,
    },
    /// A covariance matrix could not be factored or inverted.
    #[error("the covariance of the activations is singular; hint: use a positive shrinkage")]
    Singular,
    /// A class does not covary with the activations at all, so it has no direction.
    #[error("class {class} has no covariance with the activations")]
    NoDirection {
        /// The class.
        class: usize,
    },
    /// Bounds of sparse rows that do not ascend from zero.
    #[error("the bounds of the sparse rows do not ascend from 0")]
    RowBounds,
    /// A column index beyond the last column.
    #[error("column {column} does not exist, there are {d}")]
    ColumnOutOfRange {
        /// The index.
        column: usize,
        /// Number of columns.
        d: usize,
    },
    /// A column is listed twice in a sparse row.
    #[error("row {row} lists column {column} twice")]
    DuplicateColumn {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
    },
    /// Training left the finite numbers.
    #[error("the loss is not finite after {updates} updates; hint: use a smaller learning rate")]
    Diverged {
        /// Updates made.
        updates: u64,
    },
}
