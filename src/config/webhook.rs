//! Reads `[webhook]`, which takes signed purge requests.

use super::problem::Kind;
use super::section::Section;
use super::words::{days, secs};
use crate::admin::webhook::Config;

const SECRET: &str = "16 to 512 bytes of text";

#[derive(Clone, Copy)]
enum Where {
    Control,
    Data,
    Both,
}

pub(super) fn read(mut s: Section<'_>, has_control: bool) -> Option<Config> {
    let written = s.read_secret("secret", SECRET, |node| {
        let secret = node.text()?;
        if is_secret(secret) { Ok(secret.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    let file = s.file("secret_file", "a file that holds the secret");
    if s.is_given("secret") && s.is_given("secret_file") {
        s.refuse("secret_file", Kind::Conflict, "secret and secret_file", "one of the two");
    }
    let secret = match file {
        None => written,
        Some(file) => match std::fs::read_to_string(&file) {
            Ok(text) if is_secret(text.trim()) => Some(text.trim().to_owned()),
            Ok(_) => {
                let found = format!("a secret of another form in {}", file.display());
                s.refuse("secret_file", Kind::Malformed, found, &format!("a file that holds {SECRET}"));
                None
            }
            Err(error) => {
                let found = format!("{} ({error})", file.display());
                s.refuse("secret_file", Kind::NotFound, found, "a file that holds the secret, as text");
                None
            }
        },
    };
    let places = [("control", Where::Control), ("data", Where::Data), ("both", Where::Both)];
    let place = s.choice("listener", places);
    let window = s.duration("window", secs(300), secs(1)..=days(1));
    let secret = secret?;
    if matches!(place, Where::Control) && !has_control {
        let allowed = "\"data\": the control plane is off (admin.enabled)";
        s.refuse("listener", Kind::Conflict, "\"control\"", allowed);
    }
    let (on_control, on_data) = (!matches!(place, Where::Data), !matches!(place, Where::Control));
    Some(Config { secret, on_control, on_data, window })
}

fn is_secret(secret: &str) -> bool {
    (16..=512).contains(&secret.len())
}
