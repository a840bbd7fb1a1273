//! Standard input and files as lines of JSON. A line that is too long is passed over without being held in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputLine {
    Whole(Vec<u8>),
    /// The line has more than the allowed bytes.
    TooLong,
}

/// The next line of at most `max` bytes; none at the end.
pub(super) fn next_line(input: &mut impl BufRead, max: usize) -> io::Result<Option<InputLine>> {
    let mut line = Vec::new();
    let end = input.by_ref().take(max as u64 + 1).read_until(b'\n', &mut line)?;
    if end == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > max {
        input.skip_until(b'\n')?;
        return Ok(Some(InputLine::TooLong));
    }
    Ok(Some(InputLine::Whole(line)))
}

/// A file, or standard input for `-`.
pub(super) fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// All values of a file of JSON Lines, each with its line number. Empty lines are skipped.
pub(super) fn json_lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<(usize, T)>> {
    let mut values = Vec::new();
    for (n, line) in open(path)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&line).with_context(|| format!("{}, line {}", path.display(), n + 1))?;
        values.push((n + 1, value));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_up_to_their_bound_and_the_next_is_whole() {
        let mut input = &b"abc\n\nabcd\nabcde and more\nx"[..];
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 4).expect("memory can be read") {
            lines.push(line);
        }
        let whole = |text: &str| InputLine::Whole(text.into());
        assert_eq!(lines, [whole("abc"), whole(""), whole("abcd"), InputLine::TooLong, whole("x")]);
    }
}
