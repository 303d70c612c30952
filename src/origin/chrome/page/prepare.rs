//! Before a page is there: the screen it is shown on, who is visiting, what of it is loaded.

use std::sync::Arc;

use super::failure::Failure;
use super::freeze;
use super::tab::{Tab, TabError};
use crate::capture::request::{CaptureRequest, Fault, Geolocation, Look, Page, View, Visitor};
use crate::origin::chrome::network::filter::Filter;
use crate::origin::chrome::network::intercept::Intercept;
use crate::origin::chrome::protocol::commands::{
    Command, Cookie, MediaFeature, Rgba, SetCookies, SetDefaultBackgroundColorOverride,
    SetDeviceMetricsOverride, SetEmulatedMedia, SetGeolocationOverride, SetIgnoreCertificateErrors,
    SetLocaleOverride, SetTimezoneOverride, SetTouchEmulationEnabled,
};

/// Sets up everything that `spec` says about the screen and the visitor. A plain capture costs one call.
pub(crate) async fn prepare(
    tab: &mut Tab,
    spec: &CaptureRequest,
    filters: &[Arc<Filter>],
) -> Result<(), Failure> {
    screen(tab, &spec.view).await?;
    if spec.ignore_https_errors {
        // Chrome asks the page's session about the requests of all its frames and dedicated workers.
        tab.call(SetIgnoreCertificateErrors { ignore: true }).await?;
    }
    if spec.omit_background {
        let clear = Rgba { r: 0, g: 0, b: 0, a: 0 };
        tab.call(SetDefaultBackgroundColorOverride { color: clear }).await?;
    }
    if let Some(media) = media(&spec.look) {
        tab.call(media).await?;
    }
    visitor(tab, &spec.visitor).await?;
    if let Page::Url(url) = &spec.page
        && !spec.visitor.cookies.is_empty()
    {
        // Without a domain they are of this host alone.
        let cookies = spec.visitor.cookies.iter().map(|(name, value)| Cookie {
            name: name.clone(),
            value: value.clone(),
            url: url.to_string(),
            path: "/",
        });
        told(tab, SetCookies { cookies: cookies.collect() }, || Fault {
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
    let metrics = SetDeviceMetricsOverride {
        width: view.width,
        height: view.height,
        device_scale_factor: view.scale,
        mobile: view.mobile,
        screen_width: Some(view.width),
        screen_height: Some(view.height),
    };
    tab.call(metrics).await?;
    if view.touch {
        tab.call(SetTouchEmulationEnabled { enabled: true, max_touch_points: 5 }).await?;
    }
    Ok(())
}

fn media(look: &Look) -> Option<SetEmulatedMedia> {
    let dark = look.dark_mode.map(|dark| if dark { "dark" } else { "light" });
    let motion = look.reduced_motion.map(|reduced| if reduced { "reduce" } else { "no-preference" });
    let features: Vec<MediaFeature> = [("prefers-color-scheme", dark), ("prefers-reduced-motion", motion)]
        .into_iter()
        .filter_map(|(name, value)| Some(MediaFeature { name, value: value? }))
        .collect();
    let any = look.media_type.is_some() || !features.is_empty();
    any.then(|| SetEmulatedMedia { media: look.media_type.unwrap_or_default(), features })
}

async fn visitor(tab: &mut Tab, visitor: &Visitor) -> Result<(), Failure> {
    let unusable = |parameter: &str, found: &str, allowed: &str| Fault {
        parameter: parameter.into(),
        found: found.into(),
        allowed: allowed.into(),
    };
    if let Some(locale) = &visitor.locale {
        let bad = || unusable("locale", locale, "a locale that the browser knows");
        told(tab, SetLocaleOverride { locale: locale.clone() }, bad).await?;
    }
    if let Some(zone) = &visitor.time_zone {
        let bad = || unusable("time_zone", zone, "a time zone that the browser knows");
        told(tab, SetTimezoneOverride { timezone_id: zone.clone() }, bad).await?;
    }
    if let Some(place) = visitor.geolocation {
        tab.grant("geolocation").await?;
        let Geolocation { latitude, longitude, accuracy } = place;
        tab.call(SetGeolocationOverride { latitude, longitude, accuracy }).await?;
    }
    Ok(())
}

/// A call that the browser refuses if the client's value is bad.
async fn told(tab: &mut Tab, command: impl Command, fault: impl FnOnce() -> Fault) -> Result<(), Failure> {
    match tab.call(command).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal() => Err(Failure::Parameter(fault())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            assert_eq!(serde_json::to_value(media(&look)).unwrap(), expected);
        }
    }
}
