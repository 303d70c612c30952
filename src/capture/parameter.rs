//! What a capture parameter is. One definition gives its spelling in the cache key, the forms in which
//! it is read, the text of an error, its entry in openapi.json and its row in docs/CAPTURE.md.
//!
//! The definitions are in [`parameters`](super::parameters), each group beside the part of a
//! [`CaptureRequest`](super::request::CaptureRequest) that it is read into.

use super::limits::Limits;

/// A name and its value, decoded.
pub(super) type Pair = (String, String);

/// One parameter of a capture request.
#[derive(Debug)]
pub struct Parameter {
    /// The canonical name.
    pub name: &'static str,
    pub(super) class: Class,
    pub(super) kind: Kind,
    pub(super) absent: Absent,
    /// Unambiguous names that other services have for it. A name that means seconds at one service and
    /// milliseconds at another belongs into that service's dialect.
    pub(super) aliases: &'static [(&'static str, Alias)],
    allowed: Option<&'static str>,
    default: Option<&'static str>,
    doc: &'static str,
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It affects the capture: part of the key and of the request.
    Capture,
    /// It affects the rendition: part of the key and of the request only where the origin makes it.
    Rendition,
    /// As [`Capture`](Class::Capture), but secret: its hash is in the key.
    Private,
    /// Part of the key, and not of the request.
    KeyOnly,
    /// Said to the cache. The origin sees it only if it is malformed, to refuse it with all else.
    Cache,
    /// Identifies the client, or is about the delivery. It never goes further.
    Delivery,
}

/// The type of a value, with its bounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Flag,
    /// A whole number.
    Integer(u32, Bound),
    Number(f64, Bound),
    /// Milliseconds, or a number with a unit.
    Delay,
    /// Seconds, or a time with units.
    Lifetime,
    /// One of these words, and what else they are called.
    Choice(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// A word, in any case.
    Word,
    Url,
    /// A whole document. Its hash is in the key.
    Document,
    /// `x,y,width,height`.
    Box,
    /// A text without the blanks around it.
    Text,
    /// A text that is never shown.
    Secret,
    /// A text as it is.
    Opaque,
    /// Texts as they are, in this order. Their hashes are in the key.
    Texts,
    /// Words in any order, with commas between them.
    Words,
    /// Kinds of resources in any order, with commas between them.
    Resources,
    /// Texts in any order.
    TextSet,
    /// Names and values with this between them, in any order. Never shown.
    Pairs(&'static str),
}

/// The largest value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Fixed(u32),
    /// A setting of the engine, by its name in proxy.toml.
    Setting(&'static str, fn(&Limits) -> f64),
}

/// Which value means the same as none, and is left out of the key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent {
    Nothing,
    Is(&'static str),
    /// That value, unless a device has one of its own.
    UnlessDevice(&'static str),
    /// That value, unless a device or a mobile page has one of its own.
    UnlessMobile(&'static str),
    /// All values where the picture is lossless, else that one.
    UnlessLossy(&'static str),
    /// All values where the page is not captured in full.
    UnlessFullPage,
}

/// What another name of a parameter means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alias {
    /// The same.
    Same,
    /// A flag that stands for this value.
    Means(&'static str),
    /// A flag that says the opposite.
    Not,
    /// `WIDTHxHEIGHT`.
    Viewport,
    /// `dark`, `light` or `no-preference`.
    ColorScheme,
    /// So many seconds each.
    Times(u32),
}

/// How many values a parameter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    /// One, in JSON also an object or a list of four numbers.
    Box,
    List,
    /// A list, in JSON also an object.
    Pairs(&'static str),
}

impl Parameter {
    pub(super) const fn new(name: &'static str, class: Class, kind: Kind, doc: &'static str) -> Self {
        Parameter {
            name,
            class,
            kind,
            absent: Absent::Nothing,
            aliases: &[],
            allowed: None,
            default: None,
            doc,
        }
    }

    pub(super) const fn capture(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, Class::Capture, kind, doc)
    }

    pub(super) const fn private(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, Class::Private, kind, doc)
    }

    /// The value that means the same as none, in canonical spelling.
    pub(super) const fn absent(mut self, absent: Absent) -> Self {
        self.absent = absent;
        self
    }

    pub(super) const fn aliases(mut self, aliases: &'static [(&'static str, Alias)]) -> Self {
        self.aliases = aliases;
        self
    }

    /// What an error says of the values that are allowed, where the kind does not tell.
    pub(super) const fn allowed_is(mut self, allowed: &'static str) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// What docs/CAPTURE.md says of the default, where `absent` does not tell.
    pub(super) const fn default_is(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Its one line of documentation.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// The default in the words of docs/CAPTURE.md.
    pub fn default_text(&self) -> String {
        match (self.default, self.absent_value()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(value)) => format!("`{value}`"),
            (None, None) => "–".to_owned(),
        }
    }

    /// The canonical spelling of the default, if it has one.
    pub(super) fn absent_value(&self) -> Option<&'static str> {
        match self.absent {
            Absent::Is(value)
            | Absent::UnlessDevice(value)
            | Absent::UnlessMobile(value)
            | Absent::UnlessLossy(value) => Some(value),
            Absent::Nothing | Absent::UnlessFullPage => None,
        }
    }

    /// The values that are allowed, for the text of an error.
    pub(super) fn allowed(&self, limits: &Limits) -> String {
        if let Some(allowed) = self.allowed {
            return allowed.to_owned();
        }
        match self.kind {
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer(min, max) => format!("a whole number from {min} to {}", max.of(limits)),
            Kind::Number(min, max) => format!("a number from {min} to {}", max.of(limits)),
            Kind::Delay => {
                format!("a time from 0 to {}ms, such as 500, 500ms or 1.5s", limits.max_delay.as_millis())
            }
            Kind::Lifetime => "seconds, or a time such as 90s or 1h".to_owned(),
            Kind::Choice(words, _) => match words {
                [words @ .., last] => format!("{} or {last}", words.join(", ")),
                [] => String::new(),
            },
            Kind::Document => format!("a document of 1 to {} bytes", limits.max_html),
            Kind::Box => format!("x,y,width,height: whole numbers up to {}", limits.max_full_page_height),
            Kind::Texts => format!("a text of at most {} bytes", limits.max_text),
            _ => "a text".to_owned(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        match self.kind {
            Kind::Box => Shape::Box,
            Kind::Texts | Kind::Words | Kind::Resources | Kind::TextSet => Shape::List,
            Kind::Pairs(between) => Shape::Pairs(between),
            _ => Shape::One,
        }
    }

    /// Whether a request may have it once only.
    pub(super) fn shape_is_one(&self) -> bool {
        matches!(self.shape(), Shape::One | Shape::Box)
    }

    /// Whether its value is never repeated.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Pairs(_))
    }

    /// Whether the order of its values counts.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.kind, Kind::Texts | Kind::Document)
    }

    /// Whether a hash stands for its value in the key.
    pub(super) fn is_hashed(&self) -> bool {
        self.class == Class::Private || self.is_ordered()
    }

    /// Whether `value` says nothing. Blanks are nothing but in a script and its like.
    pub(super) fn is_empty(&self, value: &str) -> bool {
        match self.kind {
            Kind::Texts | Kind::Document | Kind::Opaque => value.is_empty(),
            _ => value.trim().is_empty(),
        }
    }

    /// Whether the service behind a dialect tells requests apart by each of its values, or by none.
    pub(super) fn is_list_or_control(&self) -> bool {
        matches!(self.shape(), Shape::List | Shape::Pairs(_))
            || self.is_ordered()
            || matches!(self.class, Class::Cache | Class::Delivery)
    }

    /// The single values of a list that is written as one text.
    pub(super) fn split<'v>(&self, value: &'v str) -> Box<dyn Iterator<Item = &'v str> + 'v> {
        match self.kind {
            Kind::Words | Kind::Resources => Box::new(value.split(',').map(str::trim)),
            // As a Cookie field has them.
            Kind::Pairs("=") => Box::new(value.split(';').map(str::trim)),
            _ => Box::new(std::iter::once(value)),
        }
    }
}

impl Bound {
    pub(super) fn of(self, limits: &Limits) -> f64 {
        match self {
            Bound::Fixed(most) => f64::from(most),
            Bound::Setting(_, read) => read(limits),
        }
    }
}

/// Parameters with one table in docs/CAPTURE.md.
#[derive(Debug)]
pub struct Group {
    /// Its name in the markers of the table.
    pub name: &'static str,
    /// In the order of the table.
    pub parameters: &'static [&'static Parameter],
}
