//! The framing of `--remote-debugging-pipe`: JSON messages, each ended by a NUL.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Reads messages of a bounded size.
pub(super) struct Messages<R> {
    input: BufReader<R>,
    max_bytes: usize,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(super) fn new(input: R, max_bytes: usize) -> Self {
        Messages { input: BufReader::with_capacity(64 * 1024, input), max_bytes }
    }

    /// The next whole message, `None` at the end of the pipe.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        loop {
            let chunk = self.input.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| byte == 0);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if message.len() + part.len() > self.max_bytes {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "message larger than the limit"));
            }
            message.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(message));
            }
        }
    }
}

/// Writes messages until the channel or the pipe closes.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut output: W,
    mut messages: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(mut message) = messages.recv().await {
        message.push(0);
        output.write_all(&message).await?;
        output.flush().await?;
    }
    output.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &[u8], max_bytes: usize) -> (Vec<String>, bool) {
        let mut messages = Messages::new(input, max_bytes);
        let mut all = Vec::new();
        loop {
            match messages.next().await {
                Ok(Some(message)) => all.push(String::from_utf8(message).unwrap()),
                Ok(None) => return (all, true),
                Err(_) => return (all, false),
            }
        }
    }

    #[tokio::test]
    async fn messages_end_with_a_nul() {
        assert_eq!(read(b"{}\0[1]\0", 9).await, (vec!["{}".into(), "[1]".into()], true));
        assert_eq!(read(b"{}\0[1", 9).await, (vec!["{}".into()], true), "a torn message is none");
        assert_eq!(read(b"{}\0[12345678]\0", 9).await, (vec!["{}".into()], false), "too large");
        assert_eq!(read(b"", 9).await, (vec![], true));
    }
}
