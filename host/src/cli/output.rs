//! What goes to standard output: aligned lines for people, JSON for programs. Text from elsewhere is made safe for a
//! terminal here, so commands need not think of it.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;
use tidings_domain::text::one_line;
use tidings_domain::time::Timestamp;

/// The longest cell of a table, in characters.
const CELL_CHARS: usize = 120;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub(super) struct OutputError(#[from] io::Error);

impl OutputError {
    /// The reader of the output has closed it.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

type Result = std::result::Result<(), OutputError>;

/// Standard output.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
}

impl Output {
    pub(super) fn stdout(json: bool) -> Output {
        Output { out: BufWriter::new(io::stdout()), json }
    }

    /// Whether `--json` was given.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// One line of text.
    pub(super) fn line(&mut self, text: &str) -> Result {
        Ok(writeln!(self.out, "{}", one_line(text, usize::MAX))?)
    }

    /// One JSON value on a line of its own.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Rows in aligned columns, under their heads. Nothing where there are no rows.
    pub(super) fn table<const N: usize>(&mut self, heads: [&str; N], rows: &[[String; N]]) -> Result {
        Ok(self.out.write_all(align(heads, rows).as_bytes())?)
    }

    pub(super) fn flush(&mut self) -> Result {
        Ok(self.out.flush()?)
    }
}

fn align<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads = heads.map(str::to_uppercase);
    let rows: Vec<[String; N]> =
        std::iter::once(&heads).chain(rows).map(|row| row.each_ref().map(|cell| one_line(cell, CELL_CHARS))).collect();
    let widths: [usize; N] =
        std::array::from_fn(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A point in time for people: `2026-11-24T12:00:00Z`.
pub(super) fn time(at: Timestamp) -> String {
    // Later years have more than four digits, which RFC 3339 does not have.
    const LAST: u64 = 253_402_300_799_000;
    let since_epoch = std::time::Duration::from_millis(at.as_millis().min(LAST));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since_epoch).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_in_them_moves_the_cursor() {
        let rows = [["a".into(), "long value".into()], ["größer".into(), "x\u{1b}[2J\n".into()]];
        assert_eq!(align(["one", "two"], &rows), "ONE     TWO\na       long value\ngrößer  x\\u{1b}[2J\\n\n");
        assert_eq!(align(["one"], &[]), "");
    }

    #[test]
    fn any_time_can_be_written() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_000_999, "2023-11-14T22:13:20Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(Timestamp::from_millis(millis)), text);
        }
    }
}
