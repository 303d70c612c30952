//! Reads what a browser sends. Pages choose much of it: names, ids, URLs, and how deep frames are nested.

use serde::Deserialize;
use serde_json::Value;

use crate::message::json;
use crate::origin::chrome::protocol::pipe::CUT;

/// Levels of nesting that are read. Chrome writes at most 300 (`kStackLimit` of its inspector protocol), of which each
/// frame in a frame takes two. serde_json's own limit is 128.
const MAX_DEPTH: usize = 512;

/// Anything the browser sends: a reply has an id, an event a method.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    #[serde(default)]
    pub(crate) result: Value,
    pub(crate) error: Option<Refusal>,
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) params: Value,
    #[serde(rename = "sessionId")]
    pub(crate) session: Option<String>,
}

/// The browser's words for why it did not do what it was told.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: String,
}

/// A message that cannot be read: whose it is, if that much is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<u64>,
    pub(crate) session: Option<String>,
    pub(crate) cause: String,
}

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
enum NoMessage {
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Reads one message. Text that is not Unicode costs a second look, ordinary text does not.
pub(crate) fn read(bytes: &[u8]) -> Result<Message, Unreadable> {
    serde_json::from_slice(bytes).or_else(|_| read_leniently(bytes)).map_err(|cause| {
        let (id, session) = envelope(bytes);
        Unreadable { id, session, cause: cause.to_string() }
    })
}

fn read_leniently(bytes: &[u8]) -> Result<Message, NoMessage> {
    let mut text = String::from_utf8_lossy(bytes).into_owned().into_bytes();
    json::replace_unpaired_surrogates(&mut text);
    if depth(&text) > MAX_DEPTH {
        return Err(NoMessage::TooDeep);
    }
    let mut reader = serde_json::Deserializer::from_slice(&text);
    // Its depth is bounded above.
    reader.disable_recursion_limit();
    let message = Message::deserialize(&mut reader)?;
    reader.end()?;
    Ok(message)
}

/// The deepest level of nesting.
fn depth(bytes: &[u8]) -> usize {
    let (mut at, mut level, mut deepest) = (0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => match end_of_string(bytes, at + 1) {
                Some(end) => at = end,
                None => break,
            },
            b'{' | b'[' => level += 1,
            b'}' | b']' => level = level.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(level);
        at += 1;
    }
    deepest
}

/// `id` and `sessionId` of a message that is whole or cut, and otherwise anything.
fn envelope(bytes: &[u8]) -> (Option<u64>, Option<String>) {
    let (mut id, mut session) = (None, None);
    let (mut at, mut level, mut name, mut is_name) = (0, 0_usize, &b""[..], false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let Some(end) = end_of_string(bytes, at + 1) else { break };
                let text = &bytes[at + 1..end];
                match (level, is_name, name) {
                    (1, true, _) => name = text,
                    (1, false, b"sessionId") => session = std::str::from_utf8(text).ok().map(str::to_owned),
                    _ => {}
                }
                at = end;
            }
            b'0'..=b'9' if level == 1 && !is_name && name == b"id" && id.is_none() => {
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                id = std::str::from_utf8(&bytes[at..at + digits]).ok().and_then(|digits| digits.parse().ok());
                at += digits - 1;
            }
            b'{' | b'[' => {
                level += 1;
                is_name = level == 1;
            }
            b'}' | b']' => level = level.saturating_sub(1),
            b',' if level == 1 => is_name = true,
            b':' if level == 1 => is_name = false,
            CUT => break,
            _ => {}
        }
        at += 1;
    }
    (id, session.or_else(|| session_at_the_end(bytes)))
}

/// The session of a message that was cut: Chrome writes it last. No string can look like this, as its quotation marks would
/// be escaped.
fn session_at_the_end(bytes: &[u8]) -> Option<String> {
    const NAME: &[u8] = br#","sessionId":""#;
    let cut = bytes.iter().rposition(|&byte| byte == CUT)?;
    let end = bytes[cut..].strip_suffix(br#""}"#)?;
    let name = end.windows(NAME.len()).rposition(|window| window == NAME)?;
    let session = std::str::from_utf8(&end[name + NAME.len()..]).ok()?;
    session.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| session.to_owned())
}

/// Where the string ends whose first byte is at `at`; none if it was cut.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            &CUT => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_text_of_a_page_is_read() {
        for (text, expected) in [
            (&br#"{"id":7,"result":{"name":"plain"}}"#[..], json!({ "name": "plain" })),
            (br#"{"id":7,"result":{"name":"\ud83d"}}"#, json!({ "name": "\u{fffd}" })),
            (br#"{"id":7,"result":{"\udc00":"\ud83d\ude00"}}"#, json!({ "\u{fffd}": "\u{1f600}" })),
            (br#"{"id":7,"result":["\\ud83d","\\\ud83d"]}"#, json!(["\\ud83d", "\\\u{fffd}"])),
            (b"{\"id\":7,\"result\":\"\xff\xc3\"}", json!("\u{fffd}\u{fffd}")),
            (b"{\"id\":7,\"result\":\"\xed\xa0\xbd\\ud83d\"}", json!("\u{fffd}\u{fffd}\u{fffd}\u{fffd}")),
        ] {
            let message = read(text).unwrap();
            assert_eq!((message.id, message.result), (Some(7), expected));
        }
        let event = read(br#"{"method":"M","params":{"n":"\ud83d"},"sessionId":"S"}"#).unwrap();
        assert_eq!((event.method.unwrap(), event.session.unwrap()), ("M".to_owned(), "S".to_owned()));
        let refused = read(br#"{"id":7,"error":{"code":1,"message":"no \udfff"}}"#).unwrap();
        assert_eq!(refused.error.unwrap().message, "no \u{fffd}");
    }

    /// On a thread with the stack of a tokio worker.
    #[test]
    fn nesting_is_read_as_deep_as_chrome_writes_it() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            format!(r#"{{"id":7,"result":{open}"\ud83d"{close},"sessionId":"S"}}"#)
        };
        let reads = move || {
            for levels in [2, 127, 128, 129, 300, MAX_DEPTH] {
                assert_eq!(read(nested(levels).as_bytes()).unwrap().id, Some(7), "{levels}");
            }
            for levels in [MAX_DEPTH + 1, 100_000] {
                let unreadable = read(nested(levels).as_bytes()).unwrap_err();
                assert_eq!((unreadable.id, unreadable.session.as_deref()), (Some(7), Some("S")), "{levels}");
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(reads).unwrap().join().unwrap();
    }

    #[test]
    fn whose_a_message_is_can_be_told_of_any_bytes() {
        for (text, id, session) in [
            (&br#"{"id":12,"result":1e999,"sessionId":"AB"}"#[..], Some(12), Some("AB")),
            (br#"{"sessionId":"AB","result":{"id":3,"sessionId":"no"},"id":12,}"#, Some(12), Some("AB")),
            (br#"{"id" : 12 , "error":{"code":-1}}"#, Some(12), None),
            (br#"{"method":"M","params":{"id":3,"a":["\"id\":4"]},"sessionId":"AB",}"#, None, Some("AB")),
            (br#"{"method":"\ud83d\"","params":1e999,"sessionId":"AB"}"#, None, Some("AB")),
            (br#"{"result":"id","id":}"#, None, None),
            (br#"{"id":99999999999999999999999}"#, None, None),
            // What was cut holds the beginning and the end.
            (b"{\"id\":12,\"result\":{\"data\":\"AAA\0AAA\"},\"sessionId\":\"AB\"}", Some(12), Some("AB")),
            (b"{\"id\":12,\"result\":{\"data\":\"AAA\0AAA\"}}", Some(12), None),
            (b"{\"method\":\"M\",\"params\":{\"a\":[1,\0,2]},\"sessionId\":\"AB\"}", None, Some("AB")),
            (b"{\"method\":\"M\",\"params\":\"\0,\\\"sessionId\\\":\\\"AB\\\"}\"}", None, None),
            (b"{\"method\":\"M\",\"params\":\"\\\0\"},\"sessionId\":\"AB\"}", None, Some("AB")),
            (b"[12]", None, None),
            (b"\"", None, None),
            (b"\0", None, None),
            (b"", None, None),
        ] {
            let unreadable = read(text).unwrap_err();
            let shown = String::from_utf8_lossy(text);
            assert_eq!((unreadable.id, unreadable.session.as_deref()), (id, session), "{shown}");
        }
    }
}
