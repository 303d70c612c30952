//! What an origin says with a representation, and what follows from it.

use std::fmt;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// What an origin says with a representation.
#[derive(Clone, Copy, Default)]
pub(super) struct Fields {
    pub(super) lifetime: Lifetime,
    pub(super) tag: Tag,
    pub(super) modified: bool,
    pub(super) vary: bool,
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) must_understand: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) while_revalidate: Option<u64>,
    pub(super) if_error: Option<u64>,
    /// `X-Secret` is for one client only, or for nobody unvalidated.
    pub(super) secret: Secret,
    /// `Age` on arrival.
    pub(super) age: u64,
    /// A 304 has validators and nothing else.
    pub(super) lean: bool,
    pub(super) chunked: bool,
    /// The origin serves ranges.
    pub(super) ranges: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Lifetime {
    #[default]
    None,
    MaxAge(u64),
    SMaxAge(u64),
    /// `max-age`, `s-maxage`
    Both(u64, u64),
    /// `Expires`, so many seconds after `Date`
    Expires(u64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tag {
    #[default]
    None,
    Strong,
    Weak,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Secret {
    #[default]
    No,
    Private,
    NoCache,
}

/// Only what is said.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}; tag: {:?}", self.directives(), self.tag)?;
        if let Lifetime::Expires(after) = self.lifetime {
            write!(f, ", Expires: {after}")?;
        }
        let flags = [
            (self.modified, "Last-Modified"),
            (self.vary, "Vary"),
            (self.age > 0, "Age"),
            (self.lean, "lean"),
            (self.chunked, "chunked"),
            (self.ranges, "ranges"),
        ];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, name)| write!(f, ", {name}"))?;
        write!(f, "]")
    }
}

impl Fields {
    /// Whether these let a shared cache store the response.
    pub(super) fn storable(&self) -> bool {
        !self.private && (!self.no_store || self.must_understand)
    }

    /// Whether these let others have what was given to credentials.
    pub(super) fn shareable(&self) -> bool {
        self.public || self.must_revalidate || self.shared_lifetime().is_some()
    }

    pub(super) fn shared_lifetime(&self) -> Option<u64> {
        match self.lifetime {
            Lifetime::SMaxAge(shared) | Lifetime::Both(_, shared) => Some(shared),
            _ => None,
        }
    }

    /// Whether these forbid any stale use.
    pub(super) fn never_stale(&self) -> bool {
        self.no_cache || self.must_revalidate || self.proxy_revalidate || self.shared_lifetime().is_some()
    }

    /// `Cache-Control`; empty if there is none.
    pub(super) fn directives(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        let mut flag = |on: bool, name: &str| {
            if on {
                said.push(name.to_owned())
            }
        };
        flag(self.no_cache, "no-cache");
        flag(self.no_store, "no-store");
        flag(self.must_understand, "must-understand");
        flag(self.private, "private");
        flag(self.public, "public");
        flag(self.must_revalidate, "must-revalidate");
        flag(self.proxy_revalidate, "proxy-revalidate");
        flag(self.secret == Secret::Private, "private=\"x-secret\"");
        flag(self.secret == Secret::NoCache, "no-cache=\"x-secret\"");
        match self.lifetime {
            Lifetime::None | Lifetime::Expires(_) => {}
            Lifetime::MaxAge(all) => said.push(format!("max-age={all}")),
            Lifetime::SMaxAge(shared) => said.push(format!("s-maxage={shared}")),
            Lifetime::Both(all, shared) => said.push(format!("max-age={all}, s-maxage={shared}")),
        }
        said.extend(self.while_revalidate.map(|window| format!("stale-while-revalidate={window}")));
        said.extend(self.if_error.map(|window| format!("stale-if-error={window}")));
        said.join(", ")
    }
}

pub(super) fn rarely() -> proptest::bool::Weighted {
    proptest::bool::weighted(0.07)
}

pub(super) fn fields() -> impl Strategy<Value = Fields> {
    let seconds = || select(vec![60u64, 10, 0, 300, 2000]);
    let lifetime = prop_oneof![
        6 => seconds().prop_map(Lifetime::MaxAge),
        2 => Just(Lifetime::None),
        1 => seconds().prop_map(Lifetime::SMaxAge),
        1 => (seconds(), seconds()).prop_map(|(all, shared)| Lifetime::Both(all, shared)),
        2 => seconds().prop_map(Lifetime::Expires),
    ];
    let tag = select(vec![Tag::Strong, Tag::None, Tag::Weak]);
    let window = || option::weighted(0.35, select(vec![30u64, 5, 400]));
    let secret = prop_oneof![8 => Just(Secret::No), 1 => Just(Secret::Private), 1 => Just(Secret::NoCache)];
    let age = prop_oneof![6 => Just(0u64), 1 => Just(20)];
    (
        (lifetime, tag, any::<bool>(), proptest::bool::weighted(0.4), window(), window(), secret, age),
        (rarely(), rarely(), rarely(), rarely(), rarely(), rarely()),
        (any::<bool>(), any::<bool>(), any::<bool>(), rarely()),
    )
        .prop_map(|(values, flags, shape)| {
            let (lifetime, tag, modified, vary, while_revalidate, if_error, secret, age) = values;
            let (no_cache, no_store, private, public, must_revalidate, proxy_revalidate) = flags;
            let (lean, chunked, ranges, must_understand) = shape;
            Fields {
                lifetime,
                tag,
                modified,
                vary,
                no_cache,
                no_store,
                must_understand,
                private,
                public,
                must_revalidate,
                proxy_revalidate,
                while_revalidate,
                if_error,
                secret,
                age,
                lean,
                chunked,
                ranges,
            }
        })
}
