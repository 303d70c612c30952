//! The commands of DevTools that are sent, with their results. Names are those of the protocol.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The world of our scripts, which pages cannot see.
pub(crate) const WORLD: &str = "tintype";

/// A command, with its parameters as fields.
pub(crate) trait Command: Serialize {
    /// Its name in the protocol.
    const METHOD: &'static str;
    /// Its result.
    type Reply: DeserializeOwned;
}

/// Defines commands: `"Domain.method" => Name { parameters } or { optional parameters } -> Reply`.
macro_rules! commands {
    ($(
        $method:literal => $name:ident { $($field:ident: $kind:ty),* }
        $(or { $($optional:ident: $of:ty),* })? -> $reply:ty;
    )*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind,)*
            $($(
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $optional: Option<$of>,
            )*)?
        }

        impl Command for $name {
            const METHOD: &'static str = $method;
            type Reply = $reply;
        }
    )*};
}

commands! {
    "Browser.getVersion" => GetVersion {} -> BrowserVersion;
    "Browser.grantPermissions" => GrantPermissions { permissions: Vec<&'static str>, browser_context_id: String } -> IgnoredAny;
    "Browser.setDownloadBehavior" => SetDownloadBehavior { behavior: &'static str, browser_context_id: String } -> IgnoredAny;
    "Debugger.disable" => DisableDebugger {} -> IgnoredAny;
    "Debugger.enable" => EnableDebugger {} -> IgnoredAny;
    "Debugger.setInstrumentationBreakpoint" => SetInstrumentationBreakpoint { instrumentation: &'static str } -> IgnoredAny;
    "Emulation.setDefaultBackgroundColorOverride" => SetDefaultBackgroundColorOverride { color: Rgba } -> IgnoredAny;
    "Emulation.setDeviceMetricsOverride" => SetDeviceMetricsOverride { width: u32, height: u32, device_scale_factor: f64, mobile: bool } or { screen_width: u32, screen_height: u32 } -> IgnoredAny;
    "Emulation.setEmulatedMedia" => SetEmulatedMedia { media: &'static str, features: Vec<MediaFeature> } -> IgnoredAny;
    "Emulation.setGeolocationOverride" => SetGeolocationOverride { latitude: f64, longitude: f64, accuracy: f64 } -> IgnoredAny;
    "Emulation.setLocaleOverride" => SetLocaleOverride { locale: String } -> IgnoredAny;
    "Emulation.setScriptExecutionDisabled" => SetScriptExecutionDisabled { value: bool } -> IgnoredAny;
    "Emulation.setTimezoneOverride" => SetTimezoneOverride { timezone_id: String } -> IgnoredAny;
    "Emulation.setTouchEmulationEnabled" => SetTouchEmulationEnabled { enabled: bool, max_touch_points: u32 } -> IgnoredAny;
    "Emulation.setUserAgentOverride" => SetUserAgentOverride { user_agent: String, accept_language: String } or { platform: &'static str, user_agent_metadata: UserAgentMetadata } -> IgnoredAny;
    "Fetch.continueRequest" => ContinueRequest { request_id: String } or { headers: Vec<HeaderEntry> } -> IgnoredAny;
    "Fetch.enable" => EnableFetch { patterns: Vec<RequestPattern> } -> IgnoredAny;
    "Fetch.failRequest" => FailRequest { request_id: String, error_reason: &'static str } -> IgnoredAny;
    "Fetch.fulfillRequest" => FulfillRequest { request_id: String, response_code: u16, response_headers: Vec<HeaderEntry>, body: String } -> IgnoredAny;
    "Inspector.enable" => EnableInspector {} -> IgnoredAny;
    "Network.enable" => EnableNetwork { max_total_buffer_size: u32, max_resource_buffer_size: u32 } -> IgnoredAny;
    "Network.setCookies" => SetCookies { cookies: Vec<Cookie> } -> IgnoredAny;
    "Page.addScriptToEvaluateOnNewDocument" => AddScript { source: String } or { world_name: &'static str, run_immediately: bool } -> IgnoredAny;
    "Page.captureScreenshot" => CaptureScreenshot { format: &'static str } or { quality: u8, optimize_for_speed: bool, capture_beyond_viewport: bool, clip: Viewport } -> Screenshot;
    "Page.createIsolatedWorld" => CreateIsolatedWorld { frame_id: String, world_name: &'static str } -> IsolatedWorld;
    "Page.enable" => EnablePage {} -> IgnoredAny;
    "Page.getFrameTree" => GetFrameTree {} -> FrameTree;
    "Page.handleJavaScriptDialog" => HandleJavaScriptDialog { accept: bool } -> IgnoredAny;
    "Page.navigate" => Navigate { url: String } -> Navigated;
    "Page.setFontFamilies" => SetFontFamilies { font_families: FontFamilies } -> IgnoredAny;
    "Page.setLifecycleEventsEnabled" => SetLifecycleEventsEnabled { enabled: bool } -> IgnoredAny;
    "Page.stopLoading" => StopLoading {} -> IgnoredAny;
    "Runtime.runIfWaitingForDebugger" => RunIfWaitingForDebugger {} -> IgnoredAny;
    "Security.setIgnoreCertificateErrors" => SetIgnoreCertificateErrors { ignore: bool } -> IgnoredAny;
    "Target.attachToTarget" => AttachToTarget { target_id: String, flatten: bool } -> Attached;
    "Target.createBrowserContext" => CreateBrowserContext { dispose_on_detach: bool } or { proxy_server: String, proxy_bypass_list: &'static str } -> BrowserContext;
    "Target.createTarget" => CreateTarget { url: &'static str, browser_context_id: String } -> CreatedTarget;
    "Target.disposeBrowserContext" => DisposeBrowserContext { browser_context_id: String } -> IgnoredAny;
    "Target.setAutoAttach" => SetAutoAttach { auto_attach: bool, wait_for_debugger_on_start: bool, flatten: bool } -> IgnoredAny;
}

/// A colour as Chrome takes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Rgba {
    pub(crate) r: u8,
    pub(crate) g: u8,
    pub(crate) b: u8,
    pub(crate) a: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MediaFeature {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
}

/// What client hints and `navigator.userAgentData` say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserAgentMetadata {
    pub(crate) brands: Vec<BrandVersion>,
    pub(crate) full_version_list: Vec<BrandVersion>,
    pub(crate) full_version: String,
    pub(crate) platform: &'static str,
    pub(crate) platform_version: String,
    pub(crate) architecture: &'static str,
    pub(crate) bitness: &'static str,
    pub(crate) wow64: bool,
    pub(crate) model: String,
    pub(crate) mobile: bool,
    pub(crate) form_factors: [&'static str; 1],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BrandVersion {
    pub(crate) brand: String,
    pub(crate) version: String,
}

/// A field of a request or of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HeaderEntry {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Which requests Chrome asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestPattern {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url_pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_type: Option<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) url: String,
    pub(crate) path: &'static str,
}

/// Cookies are secrets.
impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie").finish_non_exhaustive()
    }
}

/// A part of the page, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Viewport {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) scale: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FontFamilies {
    pub(crate) standard: &'static str,
    pub(crate) serif: &'static str,
    pub(crate) sans_serif: &'static str,
    pub(crate) fixed: &'static str,
    pub(crate) cursive: &'static str,
    pub(crate) fantasy: &'static str,
}

impl FontFamilies {
    /// The generic families as Chrome with a window has them on Linux. Headless shell has others: its `monospace` is
    /// Courier New, which is not what a visitor sees.
    pub(crate) const LINUX: FontFamilies = FontFamilies {
        standard: "Times New Roman",
        serif: "Times New Roman",
        sans_serif: "Arial",
        fixed: "Monospace",
        cursive: "Comic Sans MS",
        fantasy: "Impact",
    };
}

/// Defines results. A member that does not come has its default.
macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(crate) struct $name { $(pub(crate) $field: $kind),* }
    )*};
}

replies! {
    BrowserVersion { product: String, user_agent: String }
    BrowserContext { browser_context_id: String }
    CreatedTarget { target_id: String }
    Attached { session_id: String }
    IsolatedWorld { execution_context_id: i64 }
    Navigated { error_text: String, is_download: bool, loader_id: Option<String> }
    Screenshot { data: String }
    /// A frame of a page.
    Frame { id: String, url: String, unreachable_url: Option<String> }
}

impl Screenshot {
    /// The bytes of the picture; none if there is no picture.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.data).ok().filter(|bytes| !bytes.is_empty())
    }
}

/// The frames of a session in the order of the page, the outermost first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FrameTree(pub(crate) Vec<Frame>);

/// Without recursion: pages choose how deep frames are nested.
impl<'de> Deserialize<'de> for FrameTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reply = Value::deserialize(deserializer)?;
        let (mut frames, mut rest) = (Vec::new(), vec![reply["frameTree"].take()]);
        while let Some(mut tree) = rest.pop() {
            let frame = Frame::deserialize(tree["frame"].take()).unwrap_or_default();
            if !frame.id.is_empty() {
                frames.push(frame);
            }
            if let Value::Array(children) = tree["childFrames"].take() {
                rest.extend(children.into_iter().rev());
            }
        }
        Ok(FrameTree(frames))
    }
}

impl AddScript {
    /// A script of ours in the world of the page.
    pub(crate) fn in_page(source: impl Into<String>) -> Self {
        AddScript { source: source.into(), world_name: None, run_immediately: None }
    }

    /// A script of ours in [`WORLD`].
    pub(crate) fn in_world(source: impl Into<String>) -> Self {
        AddScript { world_name: Some(WORLD), ..AddScript::in_page(source) }
    }

    /// Also in the documents that are there already.
    pub(crate) fn at_once(self) -> Self {
        AddScript { run_immediately: Some(true), ..self }
    }
}

impl CaptureScreenshot {
    /// A PNG of the screen.
    pub(crate) fn exact() -> Self {
        CaptureScreenshot {
            format: "png",
            quality: None,
            optimize_for_speed: None,
            capture_beyond_viewport: None,
            clip: None,
        }
    }

    /// A PNG that costs the browser little time and is encoded anew, see `capture::pixels`.
    pub(crate) fn fast() -> Self {
        CaptureScreenshot { optimize_for_speed: Some(true), ..CaptureScreenshot::exact() }
    }

    /// As the browser encodes it.
    pub(crate) fn lossy(format: &'static str, quality: u8) -> Self {
        CaptureScreenshot { format, quality: Some(quality), ..CaptureScreenshot::exact() }
    }
}

impl EnableNetwork {
    /// Bodies are not asked for, so Chrome keeps none.
    pub(crate) fn unbuffered() -> Self {
        EnableNetwork { max_total_buffer_size: 0, max_resource_buffer_size: 0 }
    }
}

impl SetAutoAttach {
    /// To frames and workers, which wait until they are set up.
    pub(crate) fn waiting() -> Self {
        SetAutoAttach { auto_attach: true, wait_for_debugger_on_start: true, flatten: true }
    }
}

impl CreateIsolatedWorld {
    /// [`WORLD`] in a frame.
    pub(crate) fn of(frame: &str) -> Self {
        CreateIsolatedWorld { frame_id: frame.to_owned(), world_name: WORLD }
    }
}

impl AttachToTarget {
    /// With the session's messages on the same connection.
    pub(crate) fn flat(target: &str) -> Self {
        AttachToTarget { target_id: target.to_owned(), flatten: true }
    }
}

impl CreateTarget {
    /// An empty page.
    pub(crate) fn blank(context: &str) -> Self {
        CreateTarget { url: "about:blank", browser_context_id: context.to_owned() }
    }
}

impl CreateBrowserContext {
    /// A context that ends with the connection; its requests go where the browser sends them.
    pub(crate) fn direct() -> Self {
        CreateBrowserContext { dispose_on_detach: true, proxy_server: None, proxy_bypass_list: None }
    }

    /// One that sends everything through the proxy at `address`, loopback included.
    pub(crate) fn through(address: std::net::SocketAddr) -> Self {
        CreateBrowserContext {
            proxy_server: Some(format!("http://{address}")),
            proxy_bypass_list: Some("<-loopback>"),
            ..CreateBrowserContext::direct()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_are_read_in_the_order_of_the_page() {
        let frame =
            |id: &str, children: Value| json!({ "frame": { "id": id, "url": "u" }, "childFrames": children });
        let tree = frame("A", json!([frame("B", json!([frame("C", json!([]))])), frame("D", json!([]))]));
        for (reply, expected) in [(json!({ "frameTree": tree }), "ABCD"), (json!({}), ""), (Value::Null, "")]
        {
            let FrameTree(frames) = serde_json::from_value(reply).unwrap();
            assert_eq!(frames.into_iter().map(|frame| frame.id).collect::<String>(), expected);
        }
    }

    #[test]
    fn parameters_that_are_not_set_are_not_sent() {
        assert_eq!(serde_json::to_value(GetVersion {}).unwrap(), json!({}));
        let direct = serde_json::to_value(CreateBrowserContext::direct()).unwrap();
        assert_eq!(direct, json!({ "disposeOnDetach": true }));
        let script = serde_json::to_value(AddScript::in_world("x").at_once()).unwrap();
        assert_eq!(script, json!({ "source": "x", "worldName": WORLD, "runImmediately": true }));
    }
}
