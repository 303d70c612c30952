//! Answers on a route in the dialect of another service: the request is answered as on any route,
//! and the response takes the form of that service.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Response, StatusCode, Uri};
use http_body::Body as _;

use super::Proxy;
use super::auth::Leave;
use super::fast_path::plain_request::PlainRequest;
use super::refusal::Refusal;
use super::request::dialect::{behind, replace};
use super::request::parse;
use super::request::reading::{Reading, Wanted};
use super::respond::dialect::{in_its_form, in_its_words, is_problem};
use super::route::Route;
use crate::capture::dialect::{Dialect, Form, imgproxy};
use crate::message::body::Body;
use crate::message::cache_status::Forwarded;
use crate::policy::public_url::{self, PublicUrl, Said, Seen};

impl Proxy {
    /// Answers a request on a route that speaks `dialect`.
    pub(super) async fn answer_in(
        &self,
        dialect: &'static dyn Dialect,
        route: Arc<Route>,
        mut request: Parts,
        body: Body,
        peer: IpAddr,
        admitted: Result<(Leave, Option<PlainRequest>), Refusal>,
    ) -> Response<Body> {
        let head = request.method == Method::HEAD;
        if dialect.has_signed_paths() {
            // The signature is of the path, and of nothing else that could be said.
            let is_plain = matches!(request.method, Method::GET | Method::HEAD) && body.is_end_stream();
            let refusal = match is_plain {
                true if self.is_signed(&route, &request) => None,
                true => Some(Refusal::Signature),
                false => Some(Refusal::Method(request.method.clone())),
            };
            if let Some(refusal) = refusal {
                return in_its_words(dialect, &[], self.responder.refuse(&refusal, Forwarded::default()))
                    .await;
            }
        }
        let at = (Arc::clone(&route), request.uri.clone());
        let base = self.links_begin_with(&route, &request, peer);
        let read = match admitted {
            Ok((leave, plain)) => parse::read(&route, &mut request, body, self.config.max_request_body)
                .await
                .map(|(reading, body)| (Reading { leave, plain, ..reading }, body)),
            Err(refusal) => Err(refusal),
        };
        let (answered, wanted) = match read {
            Ok((mut reading, body)) => {
                let mut wanted = std::mem::take(&mut reading.wanted);
                if !reading.leave.is_everybodys() {
                    // A signed path would give more than the client may, and for ever.
                    wanted.capture = None;
                }
                let now = self.clock.now();
                wanted.link = wanted.link.map(|link| reading.leave.sign(&route, &link, now));
                if wanted.form != Form::Picture {
                    // A HEAD would be answered without what is to be told of the picture.
                    request.method = Method::GET;
                }
                if wanted.form != Form::Picture || dialect.reads_fields() {
                    reading.plain = None;
                }
                (self.answer_read(route, request, reading, body, peer).await, wanted)
            }
            Err(refusal) => (Err(refusal), Wanted::default()),
        };
        let response =
            answered.unwrap_or_else(|refusal| self.responder.refuse(&refusal, Forwarded::default()));
        let mut response = if is_problem(&response) {
            in_its_words(dialect, &wanted.names, response).await
        } else if response.status() == StatusCode::OK {
            let link = self.link(dialect, &at.0, &at.1, &wanted);
            let link = link.map(|link| public_url::link(base.as_ref(), &path_of(&link)));
            in_its_form(dialect, wanted.form, link, response, self.config.max_stored_bytes).await
        } else {
            response
        };
        if head {
            *response.body_mut() = Body::Empty;
        }
        response
    }

    /// Whether `request` for a picture in imgproxy's dialect has its signature.
    fn is_signed(&self, route: &Route, request: &Parts) -> bool {
        let keys = self.config.imgproxy.as_ref();
        keys.is_some_and(|keys| keys.verify(behind(route, request.uri.path())))
    }

    /// The target by which a client finds the picture that it asked for at `target`: a signed one
    /// on a route in imgproxy's dialect over the same stored pictures, for clients of web2img,
    /// which has such; else one in the client's own dialect.
    fn link(&self, dialect: &dyn Dialect, route: &Route, target: &Uri, wanted: &Wanted) -> Option<Uri> {
        let signed = || {
            let (keys, (query, size, format)) = (self.config.imgproxy.as_ref()?, wanted.capture.as_ref()?);
            let signing = self.routes.signing(&route.scope)?;
            let path = keys.sign(&imgproxy::path(query, *size, format));
            let prefix = signing.path.strip_suffix('/').unwrap_or(&signing.path);
            replace(target, &format!("{prefix}{path}")).ok()
        };
        let signed = dialect.links_to_signed_paths().then(signed).flatten();
        signed.or_else(|| wanted.link.clone())
    }

    /// What links in the answer to `request` begin with, so that its client can use them. `None`
    /// where nothing is known.
    fn links_begin_with(&self, route: &Route, request: &Parts, client: IpAddr) -> Option<PublicUrl> {
        let configured = route.public_url.as_ref().or(self.config.public_url.as_ref());
        let seen = Seen {
            said: request.extensions.get::<Said>(),
            secure: request.uri.scheme() == Some(&Scheme::HTTPS),
            authority: request.uri.authority().map(Authority::as_str),
            client,
        };
        public_url::base(configured, &seen)
    }
}

fn path_of(link: &Uri) -> String {
    link.path_and_query().map_or_else(|| "/".to_owned(), PathAndQuery::to_string)
}
