//! HTTP/1.1 messages read by the letter of RFC 9112, by nothing that the product uses: what one reader takes for a message, another must
//! not take for something else.

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// A whole message, and how many bytes it has.
    Whole(T, usize),
    /// The beginning of one.
    Partial,
    /// Nothing that a strict reader takes.
    Broken(&'static str),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub fields: Fields,
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub fields: Fields,
    pub body: Vec<u8>,
    /// Its content ends where the connection does, so that nobody can tell whether it is whole.
    pub until_close: bool,
}

/// Names in lower case, values without the space around them.
pub type Fields = Vec<(String, Vec<u8>)>;

/// The value of the first field called `name`.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

type Part<T> = Result<Option<T>, &'static str>;

/// The request that `bytes` begin with, behind empty lines.
pub fn request(bytes: &[u8]) -> Read<Request> {
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    read(request_at(bytes, at))
}

/// The request that `bytes` begin with, behind empty lines, without its body: its head is whole and says how long that is.
pub fn request_head(bytes: &[u8]) -> Option<Request> {
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    head_at(bytes, &mut at).ok().flatten().map(|(request, _)| request)
}

/// The response that `bytes` begin with, to a HEAD request if `to_head`; no more bytes come if `ended`. Lines may end in LF alone if
/// `lenient`.
pub fn response(bytes: &[u8], to_head: bool, ended: bool, lenient: bool) -> Read<Response> {
    read(response_at(bytes, to_head, ended, lenient))
}

fn read<T>(part: Part<(T, usize)>) -> Read<T> {
    match part {
        Ok(Some((message, length))) => Read::Whole(message, length),
        Ok(None) => Read::Partial,
        Err(how) => Read::Broken(how),
    }
}

/// How long a request's body is.
enum Body {
    Chunks,
    Exactly(u64),
}

fn request_at(bytes: &[u8], mut at: usize) -> Part<(Request, usize)> {
    let Some((request, body)) = head_at(bytes, &mut at)? else { return Ok(None) };
    let body = match body {
        Body::Chunks => chunks(bytes, &mut at)?,
        Body::Exactly(length) => exactly(bytes, &mut at, length),
    };
    Ok(body.map(|body| (Request { body, ..request }, at)))
}

fn head_at(bytes: &[u8], at: &mut usize) -> Part<(Request, Body)> {
    let Some(start) = line(bytes, at, false)? else { return Ok(None) };
    let mut parts = start.split(|&octet| octet == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("request line");
    };
    if method.is_empty() || !method.iter().copied().all(is_token) {
        return Err("method");
    }
    if target.is_empty() || target.iter().any(|&octet| octet <= b' ' || octet == 0x7f || octet == b'#') {
        return Err("target");
    }
    let old = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err("version"),
    };
    let Some(fields) = fields(bytes, at, false)? else { return Ok(None) };
    let body = match (one(&fields, "transfer-encoding")?, one(&fields, "content-length")?) {
        (Some(_), Some(_)) => return Err("two lengths"),
        (Some(_), None) if old => return Err("coding in HTTP/1.0"),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Body::Chunks,
        (Some(_), None) => return Err("coding"),
        (None, Some(length)) => Body::Exactly(number(length)?),
        (None, None) => Body::Exactly(0),
    };
    let method = String::from_utf8_lossy(method).into_owned();
    Ok(Some((Request { method, target: target.to_vec(), fields, body: Vec::new() }, body)))
}

fn response_at(bytes: &[u8], to_head: bool, ended: bool, lenient: bool) -> Part<(Response, usize)> {
    let mut at = 0;
    let Some(start) = line(bytes, &mut at, lenient)? else { return Ok(None) };
    let old = match start.get(..9) {
        Some(b"HTTP/1.1 ") => false,
        Some(b"HTTP/1.0 ") => true,
        _ => return Err("status line"),
    };
    let (status, reason) = start[9..].split_at_checked(3).ok_or("status")?;
    if !matches!(reason, [] | [b' ', ..]) || !reason.iter().copied().all(is_text) {
        return Err("reason");
    }
    let status = number(status)?;
    if !(100..600).contains(&status) || status == 101 {
        return Err("status");
    }
    let Some(fields) = fields(bytes, &mut at, lenient)? else { return Ok(None) };
    let (coding, length) = (one(&fields, "transfer-encoding")?, lengths(&fields)?);
    if coding.is_some() && (length.is_some() || old) {
        return Err("two lengths, or a coding in HTTP/1.0");
    }
    let (mut until_close, none) = (false, Some(Vec::new()));
    let body = match (coding, length) {
        _ if status < 200 || status == 204 || status == 304 || to_head => none,
        (Some(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => chunks(bytes, &mut at)?,
        (Some(_), _) => return Err("coding"),
        (None, Some(length)) => exactly(bytes, &mut at, length),
        (None, None) => {
            until_close = true;
            let rest = bytes[at..].to_vec();
            at = bytes.len();
            ended.then_some(rest)
        }
    };
    Ok(body.map(|body| (Response { status: status as u16, fields, body, until_close }, at)))
}

/// A line without its end.
fn line<'a>(bytes: &'a [u8], at: &mut usize, lenient: bool) -> Part<&'a [u8]> {
    let rest = &bytes[*at..];
    let Some(end) = rest.iter().position(|&octet| octet == b'\n') else { return Ok(None) };
    *at += end + 1;
    match rest[..end].strip_suffix(b"\r") {
        Some(line) => Ok(Some(line)),
        None if lenient => Ok(Some(&rest[..end])),
        None => Err("line end"),
    }
}

fn fields(bytes: &[u8], at: &mut usize, lenient: bool) -> Part<Fields> {
    let mut all = Vec::new();
    loop {
        let Some(line) = line(bytes, at, lenient)? else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some(all));
        }
        let colon = line.iter().position(|&octet| octet == b':').ok_or("field without colon")?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().copied().all(is_token) || !value.iter().copied().all(is_text) {
            return Err("field");
        }
        all.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.trim_ascii().to_vec()));
    }
}

/// The value of the field called `name`, which may be there once.
fn one<'a>(fields: &'a Fields, name: &str) -> Part<&'a [u8]> {
    let mut values = fields.iter().filter(|(known, _)| known == name);
    match (values.next(), values.next()) {
        (found, None) => Ok(found.map(|(_, value)| value.as_slice())),
        _ => Err("doubled"),
    }
}

/// The one length that all `Content-Length`s of a response name.
fn lengths(fields: &Fields) -> Part<u64> {
    let mut found = None;
    for (_, value) in fields.iter().filter(|(name, _)| name == "content-length") {
        for member in value.split(|&octet| octet == b',') {
            let length = number(member.trim_ascii())?;
            if found.is_some_and(|found| found != length) {
                return Err("lengths that differ");
            }
            found = Some(length);
        }
    }
    Ok(found)
}

fn number(text: &[u8]) -> Result<u64, &'static str> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits).ok_or("number")?;
    text.parse().map_err(|_| "number")
}

fn exactly(bytes: &[u8], at: &mut usize, length: u64) -> Option<Vec<u8>> {
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    let body = bytes.get(*at..end)?.to_vec();
    *at = end;
    Some(body)
}

fn chunks(bytes: &[u8], at: &mut usize) -> Part<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(size) = line(bytes, at, false)? else { return Ok(None) };
        let digits = size.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        let (digits, extension) = size.split_at(digits);
        if !(1..=16).contains(&digits.len()) || !matches!(extension.first(), None | Some(b';' | b' ' | b'\t'))
        {
            return Err("chunk size");
        }
        if !extension.iter().copied().all(is_text) {
            return Err("chunk extension");
        }
        let digits = String::from_utf8_lossy(digits);
        let size = u64::from_str_radix(&digits, 16).map_err(|_| "chunk size")?;
        if size == 0 {
            return Ok(fields(bytes, at, false)?.map(|_| body));
        }
        let Some(mut data) = exactly(bytes, at, size) else { return Ok(None) };
        body.append(&mut data);
        match bytes.get(*at..*at + 2) {
            Some(b"\r\n") => *at += 2,
            Some(_) => return Err("chunk end"),
            None => return Ok(None),
        }
    }
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn is_text(octet: u8) -> bool {
    octet == b'\t' || octet >= b' ' && octet != 0x7f
}
