//! ScreenshotOne: `GET` or `POST /take`.

use super::super::parameter::Pair;
use super::mapping::Rule::{
    Credential, Form as AsForm, Is, Job, Means, Never, Nothing, Off, Only, Own, Seconds, Words,
};
use super::mapping::{Mapping, Rule};
use super::reply::{ErrorReply, Facts, json_error};
use super::request::{Asked, Form};
use super::service::Dialect;
use crate::message::outcome::{ErrorReason, Flaw, OriginFailure};
use crate::message::problem::Problem;
use crate::policy::signing::{Secret, access_key, mac, verify};
use serde_json::{Value, json};

/// screenshotone.com.
pub(super) struct ScreenshotOne;

impl Dialect for ScreenshotOne {
    fn name(&self) -> &'static str {
        "screenshotone"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        RULES
    }

    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[("width", "1280"), ("height", "1024"), ("format", "jpeg"), ("quality", "100")]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        match mapping.value("response_type").unwrap_or("by_format") {
            "by_format" => {}
            "json" => mapping.form = Form::Link,
            "empty" => mapping.form = Form::Nothing,
            other => {
                let other = other.to_owned();
                mapping.cannot_answer("response_type", &other, "one of by_format, json, empty");
            }
        }
        !["/animate", "/bulk", "/usage"].iter().any(|other| asked.path.ends_with(other))
    }

    fn end(&self, mapping: &mut Mapping) {
        let sides = ["clip_x", "clip_y", "clip_width", "clip_height"].map(|side| mapping.take(side));
        if sides.iter().any(Option::is_some) {
            let clip = sides.map(|side| side.unwrap_or_else(|| "0".into())).join(",");
            mapping.add("clip", "clip_width", clip);
        }
        if let Some(device) = mapping.take("viewport_device") {
            mapping.add("device", "viewport_device", plain_device(&device));
        }
        // The latest of several events is waited for.
        let events: Vec<Pair> = mapping.own.extract_if(.., |(name, _)| name == "wait_until").collect();
        let rank = |word: &str| match word {
            "domcontentloaded" => Some(("domcontentloaded", 0)),
            "load" => Some(("load", 1)),
            "networkidle0" | "networkidle2" => Some(("networkidle", 2)),
            _ => None,
        };
        match events.iter().map(|(_, word)| rank(word.trim())).collect::<Option<Vec<_>>>() {
            Some(known) => {
                if let Some((word, _)) = known.iter().max_by_key(|(_, rank)| *rank) {
                    mapping.add("wait_until", "wait_until", (*word).to_owned());
                }
            }
            None => {
                for (name, word) in events {
                    mapping.cannot(&name, &word, "one of load, domcontentloaded, networkidle0, networkidle2");
                }
            }
        }
    }

    fn link_path(&self, path: &str, pairs: &mut Vec<Pair>) -> String {
        pairs.retain(|(name, _)| name != "response_type");
        path.to_owned()
    }

    fn link(&self, facts: &Facts) -> Value {
        json!({ "screenshot_url": facts.url })
    }

    fn error(&self, problem: &Problem) -> ErrorReply {
        use ErrorReason::{Altered, Busy, Expired, NoKey, Origin, TooMany, UnknownKey, Unsigned};
        let code = match (problem.status.as_u16(), &problem.reason) {
            (_, Some(Origin(OriginFailure::Resolve))) => "name_not_resolved",
            (_, Some(Origin(OriginFailure::Flawed(Flaw::Selector)))) => "selector_not_found",
            (_, Some(Busy | Origin(OriginFailure::Busy) | TooMany)) => "concurrency_limit_reached",
            (_, Some(Unsigned)) => "signature_is_required",
            (_, Some(Altered | Expired)) => "signature_is_not_valid",
            (_, Some(UnknownKey | NoKey)) => "access_key_invalid",
            (400..=499, _) => "request_not_valid",
            _ => "internal_application_error",
        };
        let said = problem.sentence();
        let mut document = json!({ "is_successful": false, "error_code": code, "error_message": said });
        if !problem.faults.is_empty() {
            document["error_details"] = json!(problem.faults);
        }
        json_error(&document)
    }

    fn signer(&self, _: &str, query: &str) -> Option<String> {
        Link::read(query).map(|link| link.key)
    }

    fn verify(&self, _: &str, query: &str, secret: &Secret) -> bool {
        Link::read(query).is_some_and(|link| link.is_by(secret))
    }

    fn sign(&self, path: &str, query: &str, key: &str, secret: &Secret) -> Option<String> {
        Some(format!("{path}?{}", sign(query, key, secret)))
    }

    fn takes_json(&self) -> bool {
        true
    }
}

const RULES: &[(&str, Rule)] = &[
    ("url", Is("url")),
    ("html", Is("html")),
    ("markdown", Is("markdown")),
    ("response_type", AsForm),
    (
        "format",
        Words(
            "format",
            &[("png", "png"), ("jpeg", "jpeg"), ("jpg", "jpeg"), ("webp", "webp"), ("avif", "avif")],
        ),
    ),
    ("image_quality", Is("quality")),
    ("image_width", Is("image_width")),
    ("image_height", Is("image_height")),
    ("omit_background", Is("omit_background")),
    ("full_page", Is("full_page")),
    ("full_page_max_height", Is("full_page_max_height")),
    ("full_page_scroll", Nothing),
    ("full_page_scroll_delay", Nothing),
    ("full_page_scroll_by", Nothing),
    ("full_page_algorithm", Nothing),
    ("capture_beyond_viewport", Nothing),
    ("selector", Is("selector")),
    ("selector_algorithm", Nothing),
    ("selector_scroll_into_view", Nothing),
    ("error_on_selector_not_found", Nothing),
    ("scroll_into_view", Never),
    ("scroll_into_view_adjust_top", Off),
    ("clip_x", Own),
    ("clip_y", Own),
    ("clip_width", Own),
    ("clip_height", Own),
    ("viewport_device", Own),
    ("viewport_width", Is("width")),
    ("viewport_height", Is("height")),
    ("device_scale_factor", Is("scale")),
    ("viewport_mobile", Is("mobile")),
    ("viewport_has_touch", Is("touch")),
    ("viewport_landscape", Is("landscape")),
    ("geolocation_latitude", Is("geolocation_latitude")),
    ("geolocation_longitude", Is("geolocation_longitude")),
    ("geolocation_accuracy", Is("geolocation_accuracy")),
    ("ip_country_code", Is("country")),
    ("proxy", Never),
    ("servers_region", Nothing),
    ("dark_mode", Is("dark_mode")),
    ("reduced_motion", Is("reduced_motion")),
    ("media_type", Is("media_type")),
    ("scripts", Is("js")),
    ("scripts_wait_until", Never),
    ("styles", Is("css")),
    ("hide_selectors", Is("hide_selectors")),
    ("click", Never),
    ("error_on_click_selector_not_found", Nothing),
    ("block_ads", Is("block_ads")),
    ("block_trackers", Is("block_trackers")),
    ("block_cookie_banners", Is("block_cookie_banners")),
    ("block_chats", Is("block_chats")),
    ("block_banners_by_heuristics", Off),
    ("block_annoyances", Off),
    ("block_socials", Off),
    ("block_requests", Is("block_requests")),
    ("block_resources", Is("block_resources")),
    ("cache", Is("cache")),
    ("cache_ttl", Is("ttl")),
    ("cache_key", Is("cache_key")),
    ("user_agent", Is("user_agent")),
    ("authorization", Is("authorization")),
    ("headers", Is("headers")),
    ("cookies", Is("cookies")),
    ("time_zone", Is("time_zone")),
    ("bypass_csp", Nothing),
    ("delay", Seconds("delay")),
    ("timeout", Nothing),
    ("navigation_timeout", Nothing),
    ("wait_until", Own),
    ("wait_for_selector", Is("wait_for_selector")),
    ("wait_for_selector_algorithm", Only("at_least_one")),
    ("fail_if_content_contains", Is("fail_on_content")),
    ("fail_if_content_missing", Never),
    ("fail_if_request_failed", Never),
    ("ignore_host_errors", Means("fail_on_status", "none")),
    ("request_gpu_rendering", Nothing),
    ("fail_if_gpu_rendering_fails", Off),
    ("include_shadow_dom", Nothing),
    ("attachment_name", Never),
    ("metadata_image_size", Off),
    ("metadata_fonts", Off),
    ("metadata_content", Off),
    ("metadata_page_title", Off),
    ("metadata_open_graph", Off),
    ("metadata_icon", Off),
    ("metadata_http_response_status_code", Off),
    ("metadata_http_response_headers", Off),
    ("vision_prompt", Never),
    ("vision_max_tokens", Never),
    ("openai_api_key", Never),
    ("async", Job),
    ("webhook_url", Job),
    ("webhook_sign", Nothing),
    ("webhook_errors", Nothing),
    ("external_identifier", Nothing),
    ("store", Job),
    ("storage_bucket", Nothing),
    ("storage_path", Nothing),
    ("storage_endpoint", Nothing),
    ("storage_access_key_id", Nothing),
    ("storage_secret_access_key", Nothing),
    ("storage_acl", Nothing),
    ("storage_class", Nothing),
    ("storage_return_location", Nothing),
    ("access_key", Credential),
    ("signature", Credential),
];

/// `iPhone 15 Pro`, `iphone_15_pro` as our own devices are spelled.
pub(super) fn plain_device(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '_'], "-")
}

/// A signed query, not yet verified: `…&signature=HEX`, HMAC-SHA256 of the query as it stands, without `signature`;
/// `access_key` names the key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    /// `access_key`.
    key: String,
    signature: String,
    signed: String,
}

impl Link {
    /// The link in `query`, if it has a signature.
    fn read(query: &str) -> Option<Self> {
        let is_signature = |pair: &&str| pair.starts_with("signature=");
        let mut signatures = query.split('&').filter(is_signature);
        let signature = signatures.next()?.strip_prefix("signature=")?.to_owned();
        if signatures.next().is_some() {
            return None;
        }
        let signed: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
        Some(Link { key: access_key(query)?, signature, signed: signed.join("&") })
    }

    /// Whether it is signed with `secret`.
    fn is_by(&self, secret: &Secret) -> bool {
        self.signature.len() == 64 && verify(secret, self.signed.as_bytes(), &self.signature)
    }
}

/// `query` for the key `key`, signed.
fn sign(query: &str, key: &str, secret: &Secret) -> String {
    let mut query = query.to_owned();
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str("access_key=");
    query.extend(form_urlencoded::byte_serialize(key.as_bytes()));
    let signature = hex::encode(mac(secret, query.as_bytes()));
    format!("{query}&signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the service's own documentation (screenshotone.com/docs/signed-requests).
    const QUERY: &str = "access_key=0Ij4LFMtFnGUrA&url=https://apple.com";
    const SIGNATURE: &str = "70bea3e52efc43834129ecbea236f38bf9bb4a7cd7c2e1951017435defd4dbaf";

    #[test]
    fn the_services_own_example_is_verified() {
        let secret = Secret::new("m9ajW9br9hTw2A".into());
        let by = |query: &str| Link::read(query).map(|link| (link.key.clone(), link.is_by(&secret)));
        let good = Some(("0Ij4LFMtFnGUrA".to_owned(), true));
        assert_eq!(by(&format!("{QUERY}&signature={SIGNATURE}")), good);
        assert_eq!(by(&format!("signature={SIGNATURE}&{QUERY}")), good);
        for altered in [
            format!("{QUERY}&width=5&signature={SIGNATURE}"),
            format!("{QUERY}&&signature={SIGNATURE}"),
            format!("{QUERY}&signature={SIGNATURE}&url=https://b.example"),
            format!("url=https://apple.com&access_key=0Ij4LFMtFnGUrA&signature={SIGNATURE}"),
            format!("{QUERY}&signature="),
        ] {
            assert_eq!(by(&altered).map(|(_, good)| good), Some(false), "{altered}");
        }
        // The same octets as others spell them: the service takes one spelling.
        let spelled = crate::policy::signing::base64url(&mac(&secret, QUERY.as_bytes()));
        assert_eq!(by(&format!("{QUERY}&signature={spelled}")).map(|(_, good)| good), Some(false));
        for unsigned in [
            QUERY.to_owned(),
            format!("{QUERY}&signature={SIGNATURE}&signature={SIGNATURE}"),
            format!("{QUERY}&access_key=other&signature={SIGNATURE}"),
        ] {
            assert_eq!(by(&unsigned), None);
        }
        assert_eq!(
            sign("url=https://a.example", "k&", &secret).split("&signature=").next(),
            Some("url=https://a.example&access_key=k%26")
        );
        assert!(
            Link::read(&sign("url=x", "k", &secret))
                .is_some_and(|link| link.key == "k" && link.is_by(&secret))
        );
    }
}
