//! Before a page is there: the screen it is shown on, who is visiting, what of it is loaded.

use std::sync::Arc;

use serde_json::{Value, json};

use super::failure::Failure;
use super::freeze;
use super::tab::{Tab, TabError};
use crate::capture::request::{CaptureRequest, Fault, Look, Page, View, Visitor};
use crate::origin::chrome::network::filter::Filter;
use crate::origin::chrome::network::intercept::Intercept;

/// Sets up everything that `spec` says about the screen and the visitor. A plain capture costs one call.
pub(crate) async fn prepare(
    tab: &mut Tab,
    spec: &CaptureRequest,
    filters: &[Arc<Filter>],
) -> Result<(), Failure> {
    screen(tab, &spec.view).await?;
    if spec.ignore_https_errors {
        // Chrome asks the page's session about the requests of all its frames and dedicated workers.
        tab.call("Security.setIgnoreCertificateErrors", json!({ "ignore": true })).await?;
    }
    if spec.omit_background {
        let clear = json!({ "color": { "r": 0, "g": 0, "b": 0, "a": 0 } });
        tab.call("Emulation.setDefaultBackgroundColorOverride", clear).await?;
    }
    if let Some(media) = media(&spec.look) {
        tab.call("Emulation.setEmulatedMedia", media).await?;
    }
    visitor(tab, &spec.visitor).await?;
    if let Page::Url(url) = &spec.page
        && !spec.visitor.cookies.is_empty()
    {
        // Without a domain they are of this host alone.
        let cookies: Vec<Value> = (spec.visitor.cookies.iter())
            .map(|(name, value)| json!({ "name": name, "value": value, "url": url.as_str(), "path": "/" }))
            .collect();
        told(tab, "Network.setCookies", json!({ "cookies": cookies }), || Fault {
            parameter: "cookies".into(),
            found: "a value that is not shown".into(),
            allowed: "cookies that browsers can keep".into(),
        })
        .await?;
    }
    let intercept = Intercept::new(spec, filters.to_vec(), &tab.frame);
    let script = spec.freeze.map(freeze::script);
    tab.watch(intercept, script).await?;
    Ok(())
}

async fn screen(tab: &mut Tab, view: &View) -> Result<(), TabError> {
    let metrics = json!({
        "width": view.width, "height": view.height, "deviceScaleFactor": view.scale, "mobile": view.mobile,
        "screenWidth": view.width, "screenHeight": view.height,
    });
    tab.call("Emulation.setDeviceMetricsOverride", metrics).await?;
    if view.touch {
        let touch = json!({ "enabled": true, "maxTouchPoints": 5 });
        tab.call("Emulation.setTouchEmulationEnabled", touch).await?;
    }
    Ok(())
}

fn media(look: &Look) -> Option<Value> {
    let dark = look.dark_mode.map(|dark| if dark { "dark" } else { "light" });
    let motion = look.reduced_motion.map(|reduced| if reduced { "reduce" } else { "no-preference" });
    let features: Vec<Value> = [("prefers-color-scheme", dark), ("prefers-reduced-motion", motion)]
        .into_iter()
        .filter_map(|(name, value)| Some(json!({ "name": name, "value": value? })))
        .collect();
    let any = look.media_type.is_some() || !features.is_empty();
    any.then(|| json!({ "media": look.media_type.unwrap_or_default(), "features": features }))
}

async fn visitor(tab: &mut Tab, visitor: &Visitor) -> Result<(), Failure> {
    let unusable = |parameter: &str, found: &str, allowed: &str| Fault {
        parameter: parameter.into(),
        found: found.into(),
        allowed: allowed.into(),
    };
    if let Some(locale) = &visitor.locale {
        let bad = || unusable("locale", locale, "a locale that the browser knows");
        told(tab, "Emulation.setLocaleOverride", json!({ "locale": locale }), bad).await?;
    }
    if let Some(zone) = &visitor.time_zone {
        let bad = || unusable("time_zone", zone, "a time zone that the browser knows");
        told(tab, "Emulation.setTimezoneOverride", json!({ "timezoneId": zone }), bad).await?;
    }
    if let Some(place) = visitor.geolocation {
        tab.grant("geolocation").await?;
        let place = json!({
            "latitude": place.latitude, "longitude": place.longitude, "accuracy": place.accuracy,
        });
        tab.call("Emulation.setGeolocationOverride", place).await?;
    }
    Ok(())
}

/// A call that the browser refuses if the client's value is bad.
async fn told(
    tab: &mut Tab,
    method: &str,
    params: Value,
    fault: impl FnOnce() -> Fault,
) -> Result<(), Failure> {
    match tab.call(method, params).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal() => Err(Failure::Parameter(fault())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_is_emulated() {
        let look = |dark_mode, reduced_motion, media_type| Look {
            dark_mode,
            reduced_motion,
            media_type,
            ..Look::default()
        };
        assert_eq!(media(&look(None, None, None)), None);
        let dark = json!({ "name": "prefers-color-scheme", "value": "dark" });
        let light = json!({ "name": "prefers-color-scheme", "value": "light" });
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        let moving = json!({ "name": "prefers-reduced-motion", "value": "no-preference" });
        for (look, expected) in [
            (look(Some(true), None, None), json!({ "media": "", "features": [dark] })),
            (look(Some(false), Some(true), None), json!({ "media": "", "features": [light, still] })),
            (look(None, Some(false), Some("print")), json!({ "media": "print", "features": [moving] })),
        ] {
            assert_eq!(media(&look), Some(expected));
        }
    }
}
