//! What a walk is made of, and how it is drawn. The simplest choice comes first everywhere, so that shrinking leads there.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::fields::{Fields, fields, rarely};

/// Targets of a walk: `/k0`, `/k1`.
pub(super) const KEYS: usize = 2;

/// A whole walk: how each target begins, then what happens.
#[derive(Clone)]
pub(super) struct Walk {
    pub(super) start: Vec<Fields>,
    pub(super) steps: Vec<Step>,
}

/// A line for each step, however it is asked for.
impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.iter().try_for_each(|fields| write!(f, "\nstart: {fields:?}"))?;
        self.steps.iter().enumerate().try_for_each(|(number, step)| write!(f, "\n{number}: {step:?}"))
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A client asks.
    Ask(Ask),
    /// The clock goes on, in seconds.
    Wait(u64),
    /// What is behind a target changes: its representation of this number.
    Change(usize, usize),
    /// The origin says other things with a target from now on.
    Say(usize, Fields),
    /// The origin fails so many times for a target.
    Fail(usize, Outage, u8),
    /// An unsafe method at a target, answered with this status, pointing to another target by `Location`.
    Post(usize, u16, Option<usize>),
    /// A purge of one target, or of everything.
    Purge(Option<usize>),
    /// Two clients at once.
    Pair(Ask, Ask),
    /// While the origin takes its time over the first client's request, only to fail perhaps, something happens, and a second
    /// client asks.
    During(Ask, Meanwhile, Ask, Option<u16>),
}

/// What happens while a request is at the origin; to the target of that request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meanwhile {
    Nothing,
    Change,
    Wait(u64),
    Post,
    Purge,
    PurgeAll,
}

/// A GET or HEAD.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) key: usize,
    /// `X-V`, one of [`VARIANTS`].
    pub(super) variant: usize,
    pub(super) directives: Vec<Directive>,
    pub(super) condition: Condition,
    /// One of [`RANGES`], and whether `If-Range` goes with it.
    pub(super) range: Option<(usize, bool)>,
    pub(super) authorised: bool,
    pub(super) head: bool,
}

/// Values of `X-V`. The first two and the last have the same representation, as an origin may well see it.
pub(super) const VARIANTS: [Option<&str>; 4] = [None, Some("a"), Some("b"), Some("c")];

/// Values of `Range`: parts of any body, of none, several, and what is no range at all.
pub(super) const RANGES: [&str; 9] = [
    "bytes=0-4",
    "bytes=3-",
    "bytes=-5",
    "bytes=1-2,5-6",
    "bytes=9000-",
    "bytes=-0",
    "bytes=0-3,2-8",
    "bytes=5-1",
    "pages=1",
];

/// A request directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    NoCache,
    NoStore,
    OnlyIfCached,
    MaxAge(u64),
    MinFresh(u64),
    MaxStale(Option<u64>),
    Pragma,
}

/// What makes a request conditional. Numbers choose among what clients have seen of the target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    None,
    /// `If-None-Match` with a tag seen before.
    Tag(usize),
    /// The same in its weak form, after one that nobody has.
    WeakTags(usize),
    /// `If-None-Match: *`.
    AnyTag,
    /// `If-None-Match` with a tag that nobody has.
    NoTag,
    /// `If-Modified-Since` with a date seen before.
    Since(usize),
    /// A tag that nobody has, and a date seen before, which is then not to be heeded.
    NoTagSince(usize),
}

/// How an origin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// With this status, and with or without the directives of the target.
    Status(u16, bool),
    /// Not a byte.
    HangUp,
    Reset,
    /// A body that ends early.
    Short,
    /// A 304 about something that nobody has.
    Astray,
}

fn key() -> impl Strategy<Value = usize> {
    // One target has most of the traffic.
    prop_oneof![3 => Just(0), 1 => 0..KEYS]
}

pub(super) fn walk(steps: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Walk> {
    (vec(fields(), KEYS), vec(step(), steps)).prop_map(|(start, steps)| Walk { start, steps })
}

fn step() -> impl Strategy<Value = Step> {
    let meanwhile = prop_oneof![
        Just(Meanwhile::Nothing),
        Just(Meanwhile::Change),
        (1..400u64).prop_map(Meanwhile::Wait),
        Just(Meanwhile::Post),
        Just(Meanwhile::Purge),
        Just(Meanwhile::PurgeAll),
    ];
    let seconds = prop_oneof![3 => 0..15u64, 3 => 0..120u64, 1 => 0..1000u64];
    let status = prop_oneof![2 => select(vec![200, 204, 303]), 1 => select(vec![404, 500])];
    prop_oneof![
        12 => ask().prop_map(Step::Ask),
        5 => seconds.prop_map(Step::Wait),
        3 => (key(), 0..3usize).prop_map(|(key, which)| Step::Change(key, which)),
        2 => (key(), fields()).prop_map(|(key, fields)| Step::Say(key, fields)),
        3 => (key(), outage(), 1..6u8).prop_map(|(key, how, times)| Step::Fail(key, how, times)),
        2 => (key(), status, option::weighted(0.3, key())).prop_map(|(key, s, l)| Step::Post(key, s, l)),
        1 => option::weighted(0.8, key()).prop_map(Step::Purge),
        2 => twins().prop_map(|(one, other)| Step::Pair(one, other)),
        3 => (twins(), meanwhile, option::weighted(0.25, select(vec![500, 503])))
            .prop_map(|((one, other), what, fails)| Step::During(one, what, other, fails)),
    ]
}

/// Two requests for the same target; mostly they differ in nothing else either, so that they collapse.
fn twins() -> impl Strategy<Value = (Ask, Ask)> {
    let alike = ask().prop_map(|one| (one.clone(), one));
    let others = (ask(), ask()).prop_map(|(one, other)| (Ask { key: other.key, ..one }, other));
    prop_oneof![alike, others]
}

fn ask() -> impl Strategy<Value = Ask> {
    let directives = prop_oneof![5 => Just(Vec::new()), 3 => vec(directive(), 1..3)];
    let range = option::weighted(0.12, (0..RANGES.len(), proptest::bool::weighted(0.4)));
    (
        key(),
        prop_oneof![2 => Just(1usize), 1 => 0..VARIANTS.len()],
        directives,
        condition(),
        range,
        rarely(),
        rarely(),
    )
        .prop_map(|(key, variant, directives, condition, range, authorised, head)| Ask {
            key,
            variant,
            directives,
            condition,
            range,
            authorised,
            head,
        })
}

fn directive() -> impl Strategy<Value = Directive> {
    let seconds = || select(vec![0, 5, 30, 200]);
    prop_oneof![
        3 => Just(Directive::NoCache),
        1 => Just(Directive::NoStore),
        1 => Just(Directive::OnlyIfCached),
        2 => seconds().prop_map(Directive::MaxAge),
        2 => seconds().prop_map(Directive::MinFresh),
        2 => option::of(seconds()).prop_map(Directive::MaxStale),
        1 => Just(Directive::Pragma),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let nth = || 0..8usize;
    prop_oneof![
        12 => Just(Condition::None),
        3 => nth().prop_map(Condition::Tag),
        1 => nth().prop_map(Condition::WeakTags),
        1 => Just(Condition::AnyTag),
        1 => Just(Condition::NoTag),
        2 => nth().prop_map(Condition::Since),
        1 => nth().prop_map(Condition::NoTagSince),
    ]
}

fn outage() -> impl Strategy<Value = Outage> {
    prop_oneof![
        4 => (select(vec![500u16, 502, 503, 504]), proptest::bool::weighted(0.2))
            .prop_map(|(status, fields)| Outage::Status(status, fields)),
        1 => any::<bool>().prop_map(|fields| Outage::Status(404, fields)),
        2 => Just(Outage::HangUp),
        1 => Just(Outage::Reset),
        3 => Just(Outage::Short),
        1 => Just(Outage::Astray),
    ]
}
