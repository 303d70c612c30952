//! A capture request, read into a typed value. Pure. docs/CAPTURE.md explains each parameter.
//!
//! `GET` has the parameters in its query, `POST` in a JSON object of the same names, or in both. What is said to a
//! cache (`ttl`, `force`, ...) is checked and not used. Every other name, every name given twice that is no list,
//! and every value out of bounds is a fault; all faults are found at once.

use super::canonical::Parameters;
use super::given::{self, Given};
use super::limits::Limits;
pub use super::parameters::area::{Area, Clip};
pub use super::parameters::blocking::{Blocking, Category, ResourceKind, UrlPattern};
pub use super::parameters::look::Look;
pub use super::parameters::page::Page;
pub use super::parameters::picture::Format;
pub use super::parameters::rules::{OnTimeout, Rules, StatusRange};
pub use super::parameters::view::{View, pixels};
pub use super::parameters::visitor::{Egress, Geolocation, Visitor};
pub use super::parameters::wait::{Until, Wait};
use super::parameters::{area, blocking, control, look, page, picture, rules, view, visitor, wait};
use super::reader::Reader;
pub(crate) use super::values::{field_value, locale};
pub use crate::message::problem::Fault;

#[cfg(test)]
mod tests;

/// One capture, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureRequest {
    /// What is captured.
    pub page: Page,
    /// The screen it is shown on.
    pub view: View,
    /// Form of the picture.
    pub format: Format,
    /// Quality of a lossy picture, 1 to 100.
    pub quality: u8,
    /// Leave out the white that browsers put behind a page.
    pub omit_background: bool,
    /// The part of the page.
    pub area: Area,
    /// What is waited for.
    pub wait: Wait,
    /// What is changed about the page.
    pub look: Look,
    /// Who the page sees as its visitor.
    pub visitor: Visitor,
    /// What is kept off the page.
    pub block: Blocking,
    /// Where the page's clock stands, in milliseconds since 1970, if it does not run.
    pub freeze: Option<u64>,
    /// The operator's proxy that the page is loaded through.
    pub egress: Option<Egress>,
    /// Take pages whose certificates are not valid.
    pub ignore_https_errors: bool,
    /// What is no picture.
    pub rules: Rules,
}

impl CaptureRequest {
    /// Reads a raw query, and a JSON body if there is one.
    ///
    /// # Errors
    /// Every fault.
    pub fn parse(query: &str, body: Option<&[u8]>, limits: &Limits) -> Result<Self, Vec<Fault>> {
        Self::read(given::reader(&Given::read(query, body), limits))
    }

    /// Reads a request whose canonical form is known.
    ///
    /// # Errors
    /// Every fault.
    pub fn of(parameters: &Parameters, limits: &Limits) -> Result<Self, Vec<Fault>> {
        Self::read(given::canonical_reader(parameters.pairs(), limits))
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, Vec<Fault>> {
        let r = &mut reader;
        let page = page::read(r);
        let (view, device) = view::read(r);
        let (format, quality, omit_background) = picture::read(r);
        let area = area::read(r);
        let wait = wait::read(r);
        let look = look::read(r);
        let visitor = visitor::read(r, device);
        let block = blocking::read(r);
        let freeze = look::read_freeze_time(r);
        let egress = visitor::read_egress(r);
        let ignore_https_errors = visitor::read_ignore_https_errors(r);
        let rules = rules::read(r);
        control::check(r);
        let clip = match &area {
            Area::Clip(clip) => Some((&area::CLIP, clip.width, clip.height)),
            _ => None,
        };
        view::bound_pixels(r, &view, clip);
        match page {
            Some(page) if reader.faults.is_empty() => Ok(CaptureRequest {
                page,
                view,
                format,
                quality,
                omit_background,
                area,
                wait,
                look,
                visitor,
                block,
                freeze,
                egress,
                ignore_https_errors,
                rules,
            }),
            _ => Err(reader.faults),
        }
    }
}
