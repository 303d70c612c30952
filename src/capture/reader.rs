//! Reads the values of a request into their types, and notes everything that is wrong with them.

use std::collections::HashMap;

use super::limits::Limits;
use super::parameter::{Kind, Parameter, Shape};
use super::values;
use crate::message::problem::Fault;

/// Characters of a bad value that are repeated to the client.
pub(super) const MAX_FOUND: usize = 200;
/// Bad parameters that are named. A client has enough with these.
pub(super) const MAX_FAULTS: usize = 32;
/// Members of one list.
pub(super) const MAX_LIST: usize = 32;

/// What was given, and what is wrong with it.
pub(super) struct Reader<'l> {
    given: HashMap<&'static str, Vec<String>>,
    pub(super) faults: Vec<Fault>,
    /// The bounds that the operator set.
    pub(super) limits: &'l Limits,
}

impl<'l> Reader<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Reader { given: HashMap::new(), faults: Vec::new(), limits }
    }

    /// Adds what was given for `parameter`.
    pub(super) fn add(&mut self, parameter: &Parameter, value: &str) {
        if parameter.shape_is_one() && self.is_given(parameter) {
            self.fault(parameter, value, DOUBLE);
        } else {
            self.given.entry(parameter.name).or_default().extend(parameter.split(value).map(str::to_owned));
        }
    }

    pub(super) fn is_given(&self, parameter: &Parameter) -> bool {
        self.given.contains_key(parameter.name)
    }

    /// The value of `parameter` if it was given and `read` makes sense of it; a fault if it does not.
    pub(super) fn take<T>(&mut self, parameter: &Parameter, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.given.get(parameter.name)?.first()?;
        let value = read(text);
        self.known(parameter, value)
    }

    /// `value`; a fault if there is none.
    pub(super) fn known<T>(&mut self, parameter: &Parameter, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let found = self.given.get(parameter.name).and_then(|texts| texts.first()).cloned();
            let allowed = parameter.allowed(self.limits);
            self.fault(parameter, &found.unwrap_or_default(), &allowed);
        }
        value
    }

    pub(super) fn flag(&mut self, parameter: &Parameter) -> Option<bool> {
        self.take(parameter, values::plain_flag)
    }

    /// A whole number within the bounds of `parameter`.
    pub(super) fn integer(&mut self, parameter: &Parameter) -> Option<u32> {
        let Kind::Integer(min, max) = parameter.kind else { return None };
        let max = max.of(self.limits);
        self.take(parameter, |text| text.parse().ok().filter(|&n: &u32| n >= min && f64::from(n) <= max))
    }

    /// A number within the bounds of `parameter`.
    pub(super) fn number(&mut self, parameter: &Parameter) -> Option<f64> {
        let Kind::Number(min, max) = parameter.kind else { return None };
        let max = max.of(self.limits);
        self.take(parameter, |text| text.parse().ok().filter(|n: &f64| (min..=max).contains(n)))
    }

    /// One of the words of `parameter`.
    pub(super) fn choice(&mut self, parameter: &Parameter) -> Option<&'static str> {
        let Kind::Choice(words, others) = parameter.kind else { return None };
        self.take(parameter, |text| values::choice(words, others, text))
    }

    /// Every value of `parameter`, each of which `read` has to make sense of.
    pub(super) fn take_all<T>(&mut self, parameter: &Parameter, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let texts = self.given.get(parameter.name).cloned().unwrap_or_default();
        if texts.len() > MAX_LIST {
            let found = format!("{} values", texts.len());
            self.fault(parameter, &found, &format!("at most {MAX_LIST} values"));
            return Vec::new();
        }
        let allowed = parameter.allowed(self.limits);
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            match read(&text) {
                Some(value) => values.push(value),
                None => self.fault(parameter, &text, &allowed),
            }
        }
        values
    }

    /// What was given for `parameter`, for the text of a fault.
    pub(super) fn found(&self, parameter: &Parameter) -> String {
        self.given.get(parameter.name).map_or_else(|| "the default".to_owned(), |values| values.join(", "))
    }

    /// Notes a fault; values that may be secret are not repeated.
    pub(super) fn fault(&mut self, parameter: &Parameter, found: &str, allowed: &str) {
        let found = if parameter.is_secret() { HIDDEN } else { found };
        let (name, found, allowed) = (parameter.name.to_owned(), found.to_owned(), allowed.to_owned());
        self.note(Fault { parameter: name, found, allowed });
    }

    /// Notes, before all else, that `parameter` was not given.
    pub(super) fn missing(&mut self, parameter: &Parameter, allowed: &str) {
        let (name, found) = (parameter.name.to_owned(), "nothing".to_owned());
        self.faults.insert(0, Fault { parameter: name, found, allowed: allowed.to_owned() });
    }

    pub(super) fn note(&mut self, mut fault: Fault) {
        let cut = |text: &mut String| {
            if let Some((end, _)) = text.char_indices().nth(MAX_FOUND) {
                text.truncate(end);
            }
        };
        cut(&mut fault.parameter);
        cut(&mut fault.found);
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// What is allowed of a parameter that is given again.
pub(super) const DOUBLE: &str = "to be given once";
/// What stands for a secret value.
pub(super) const HIDDEN: &str = "a value that is not shown";

/// The JSON values that are allowed.
pub(super) fn in_json(parameter: &Parameter) -> &'static str {
    match parameter.shape() {
        Shape::One => "a string, a number, true or false",
        Shape::Box => "\"x,y,width,height\", a list of the four numbers, or an object of them",
        Shape::List => "a string, or a list of strings",
        Shape::Pairs(_) => "an object of strings, or a list of strings",
    }
}
