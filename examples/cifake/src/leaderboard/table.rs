//! Tables of any page.

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its heading.
    pub(super) name: String,
    /// Whether its cells stand at the right.
    pub(super) is_number: bool,
}

/// The content of a row's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Untrusted words, which a page escapes.
    Text(String),
    /// Text that this program made of numbers.
    Number(String),
    /// A command or a hash, untrusted as well.
    Code(String),
}

/// Rows under headings; every row has a cell a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows: a column of words, then columns of numbers.
    pub(super) fn of_numbers<S: Into<String>>(
        first: &str,
        others: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut table = Self::of_words([first]);
        let number = |name: S| Column { name: name.into(), is_number: true };
        table.columns.extend(others.into_iter().map(number));
        table
    }

    /// A table without rows: columns of words.
    pub(super) fn of_words<const N: usize>(names: [&str; N]) -> Self {
        let column = |name: &str| Column { name: name.to_owned(), is_number: false };
        Self { columns: names.map(column).into(), rows: Vec::new() }
    }

    /// Adds a row of a name and numbers.
    pub(super) fn add(&mut self, name: &str, numbers: impl IntoIterator<Item = String>) {
        let name = Cell::Text(name.to_owned());
        let numbers = numbers.into_iter().map(Cell::Number);
        self.add_cells(std::iter::once(name).chain(numbers).collect());
    }

    /// Adds a row.
    pub(super) fn add_cells(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell a column");
        self.rows.push(cells);
    }
}
