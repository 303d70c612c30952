//! The framing of `--remote-debugging-pipe`: JSON messages, each ended by a NUL.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Bytes of the beginning and of the end that are kept of a message that is too large: enough to tell whose it is.
const KEPT: usize = 4096;
/// Stands in a message where the middle was left out. Messages have no such byte, as it ends them.
pub(crate) const CUT: u8 = 0;

/// Reads messages of a bounded size.
pub(crate) struct Messages<R> {
    input: BufReader<R>,
    max_bytes: usize,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(crate) fn new(input: R, max_bytes: usize) -> Self {
        Messages { input: BufReader::with_capacity(64 * 1024, input), max_bytes }
    }

    /// The next message, `None` at the end of the pipe. One that is too large is cut, see [`CUT`]: a page decides how large
    /// a message is, and must not end the connection, which all pages share.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut message, mut end_of_cut) = (Vec::new(), None);
        loop {
            let chunk = self.input.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| byte == 0);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if end_of_cut.is_none() && message.len() + part.len() > self.max_bytes {
                message.truncate(KEPT);
                message.shrink_to_fit();
                end_of_cut = Some(Vec::new());
            }
            match &mut end_of_cut {
                None => message.extend_from_slice(part),
                Some(kept) => {
                    kept.extend_from_slice(part);
                    kept.drain(..kept.len().saturating_sub(KEPT));
                }
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                if let Some(kept) = end_of_cut {
                    message.push(CUT);
                    message.extend(kept);
                }
                return Ok(Some(message));
            }
        }
    }
}

/// Writes messages until the channel or the pipe closes.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
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
        assert_eq!(read(b"", 9).await, (vec![], true));
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_is_cut_and_the_next_one_is_whole() {
        for (len, cut) in [(9, false), (10, true), (70_000, true), (1_000_000, true)] {
            let large = format!("<{}>", "x".repeat(len - 2));
            let (all, ended) = read(format!("{{}}\0{large}\0[1]\0").as_bytes(), 9).await;
            assert!(ended && all.len() == 3 && all[0] == "{}" && all[2] == "[1]", "{len}");
            assert_eq!(all[1].contains('\0'), cut, "{len}");
            assert!(all[1].ends_with('>') && all[1].len() <= 2 * KEPT + 1, "{len}");
        }
        let large = format!("<{}>\0", "x".repeat(1_000_000));
        let (all, _) = read(large.as_bytes(), 500_000).await;
        assert_eq!(all[0], format!("<{}\0{}>", "x".repeat(KEPT - 1), "x".repeat(KEPT - 1)));
    }
}
