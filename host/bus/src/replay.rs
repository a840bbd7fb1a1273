//! The replay source: a file or a stream of JSON Lines, one envelope a line. A line that is too long is refused and
//! skipped
//! without being held in memory.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tidings_domain::message::{Frame, Refusal};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;

use crate::endpoint::{Endpoint, EndpointState};
use crate::source::{Origin, Source, SourceEnd, SourceError, SourceSink};

/// Reads envelopes from lines until there are no more.
pub struct ReplaySource {
    lines: Box<dyn AsyncBufRead + Send + Unpin>,
    endpoint: Arc<Endpoint>,
}

impl ReplaySource {
    /// A file; it is opened here.
    pub async fn open(path: &Path) -> Result<ReplaySource, SourceError> {
        let file = tokio::fs::File::open(path).await;
        let file = file.map_err(|source| SourceError::Open { path: path.to_owned(), source })?;
        Ok(ReplaySource::new(path.display().to_string(), BufReader::new(file)))
    }

    /// Standard input.
    pub fn stdin() -> ReplaySource {
        ReplaySource::new("stdin", BufReader::new(tokio::io::stdin()))
    }

    /// Any reader of lines. `name` appears in status and errors.
    pub fn new(name: impl Into<String>, lines: impl AsyncBufRead + Send + Unpin + 'static) -> ReplaySource {
        ReplaySource { lines: Box::new(lines), endpoint: Endpoint::new(name) }
    }

    async fn read(&mut self, sink: &SourceSink) -> Result<SourceEnd, SourceError> {
        let origin = Origin { endpoint: Arc::clone(&self.endpoint), connection: 1 };
        let mut lines = 0;
        loop {
            // A reader that is never pending must not keep the thread, or a stop would not be noticed.
            tokio::task::consume_budget().await;
            let line = next_line(&mut self.lines).await;
            let line = line.map_err(|source| SourceError::Read { name: self.endpoint.name().to_owned(), source })?;
            let offered = match line {
                Line::End => return Ok(SourceEnd::Exhausted { lines }),
                Line::Blank => continue,
                Line::Whole(body) => sink.offer(&origin, Frame { topic: None, body }).await,
                Line::TooLong => {
                    self.endpoint.refuse(Refusal::TooLarge);
                    Ok(())
                }
            };
            lines += 1;
            if offered.is_err() {
                return Ok(SourceEnd::Stopped);
            }
        }
    }
}

#[async_trait]
impl Source for ReplaySource {
    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        vec![Arc::clone(&self.endpoint)]
    }

    async fn run(mut self: Box<Self>, sink: SourceSink, stop: CancellationToken) -> Result<SourceEnd, SourceError> {
        self.endpoint.enter(EndpointState::Subscribed);
        let end = stop.run_until_cancelled(self.read(&sink)).await.unwrap_or(Ok(SourceEnd::Stopped));
        if let Err(error) = &end {
            self.endpoint.trouble(&error.to_string());
        }
        self.endpoint.enter(EndpointState::Ended);
        end
    }
}

enum Line {
    Whole(Vec<u8>),
    Blank,
    TooLong,
    End,
}

async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Line> {
    let (mut line, mut too_long) = (Vec::new(), false);
    loop {
        let chunk = input.fill_buf().await?;
        if chunk.is_empty() && line.is_empty() && !too_long {
            return Ok(Line::End);
        }
        let newline = chunk.iter().position(|byte| *byte == b'\n');
        let text = &chunk[..newline.unwrap_or(chunk.len())];
        // One more than the bound is kept: it may be the carriage return before the newline.
        too_long |= line.len() + text.len() > tidings_domain::limits::MESSAGE_BYTES + 1;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(text);
        }
        let (used, last) = (text.len() + usize::from(newline.is_some()), newline.is_some() || chunk.is_empty());
        input.consume(used);
        if last {
            return Ok(if too_long { Line::TooLong } else { finish(line) });
        }
    }
}

fn finish(mut line: Vec<u8>) -> Line {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.iter().all(u8::is_ascii_whitespace) { Line::Blank } else { Line::Whole(line) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::source::buffer;

    /// Runs a source over `input`; returns its end, the bodies it handed over and the number it refused as too large.
    async fn replay(input: Vec<u8>, chunk: usize) -> (SourceEnd, Vec<Vec<u8>>, u64) {
        let source = ReplaySource::new("test", BufReader::with_capacity(chunk, std::io::Cursor::new(input)));
        let endpoint = source.endpoints().remove(0);
        let (sink, mut queue) = buffer();
        let end = Box::new(source).run(sink, CancellationToken::new()).await.unwrap();
        let mut bodies = Vec::new();
        while let Some(received) = queue.recv().await {
            assert_eq!(received.frame.topic, None);
            bodies.push(received.frame.body);
        }
        let status = endpoint.status();
        assert_eq!((status.state, status.messages), (EndpointState::Ended, bodies.len() as u64));
        let refused = status.refused.iter().find(|c| c.reason == Refusal::TooLarge).map_or(0, |c| c.count);
        (end, bodies, refused)
    }

    #[tokio::test]
    async fn every_line_is_a_body_and_the_end_says_how_many() {
        let cases: [(&[u8], &[&[u8]]); 6] = [
            (b"", &[]),
            (b"{}", &[b"{}"]),
            (b"{}\n", &[b"{}"]),
            (b"{\"a\":1}\r\n\r\n  \n{\"b\":2}\n", &[b"{\"a\":1}", b"{\"b\":2}"]),
            (b"not json\n\xff\xfe\n", &[b"not json", b"\xff\xfe"]),
            (b"{}\n{}", &[b"{}", b"{}"]),
        ];
        for (input, bodies) in cases {
            for chunk in [1, 3, 8192] {
                let (end, got, refused) = replay(input.to_vec(), chunk).await;
                assert_eq!((end, refused), (SourceEnd::Exhausted { lines: bodies.len() as u64 }, 0));
                assert_eq!(got, bodies);
            }
        }
    }

    #[tokio::test]
    async fn row_8_a_line_too_long_is_refused_and_the_next_one_read() {
        for (newline, excess, fits) in [("\n", 0, true), ("\r\n", 0, true), ("\n", 1, false), ("\n", 5_000_000, false)]
        {
            let mut input = vec![b'x'; tidings_domain::limits::MESSAGE_BYTES + excess];
            input.extend_from_slice(newline.as_bytes());
            input.extend_from_slice(b"{}\n");
            let (end, bodies, refused) = replay(input, 8192).await;
            assert_eq!(end, SourceEnd::Exhausted { lines: 2 });
            assert_eq!((bodies.len(), refused), if fits { (2, 0) } else { (1, 1) }, "{excess} too many");
            assert_eq!(bodies.last().unwrap(), b"{}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_and_a_missing_one_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{}\n{}\n{}\n").unwrap();
        let (sink, queue) = buffer();
        let source = ReplaySource::open(file.path()).await.unwrap();
        let end = Box::new(source).run(sink, CancellationToken::new()).await.unwrap();
        assert_eq!((end, queue.len()), (SourceEnd::Exhausted { lines: 3 }, 3));

        let missing = ReplaySource::open(Path::new("/nonexistent/messages.jsonl")).await.err().unwrap();
        assert_eq!(missing.to_string(), "cannot open /nonexistent/messages.jsonl");
    }

    #[tokio::test]
    async fn stopping_ends_a_replay_that_waits_for_input_or_for_space() {
        let (silent, _kept_open) = tokio::io::duplex(64);
        let endless = tokio::io::repeat(b'\n');
        let full = std::io::Cursor::new(b"{}\n".repeat(crate::limits::BUS_BUFFER + 10));
        let sources: [Box<dyn AsyncBufRead + Send + Unpin>; 3] =
            [Box::new(BufReader::new(silent)), Box::new(BufReader::new(endless)), Box::new(full)];
        for input in sources {
            let (sink, _queue) = buffer();
            let stop = CancellationToken::new();
            let running = tokio::spawn(Box::new(ReplaySource::new("test", input)).run(sink, stop.clone()));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            assert!(!running.is_finished());
            stop.cancel();
            assert_eq!(running.await.unwrap().unwrap(), SourceEnd::Stopped);
        }
    }
}
