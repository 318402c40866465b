//! What can be wrong with a table or a request for one.

/// An error of this crate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The format has no such name.
    #[error("unknown format `{0}`\nhint: use one of: term, md, csv, latex, json")]
    UnknownFormat(String),
    /// The row does not fit the table.
    #[error("table `{table}` has {columns} columns, the row has {cells} cells")]
    RowLength {
        /// Title of the table.
        table: String,
        /// Its columns.
        columns: usize,
        /// Cells of the row.
        cells: usize,
    },
}
