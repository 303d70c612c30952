//! The events of DevTools that are used. Names are those of the protocol.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// One event of a session.
#[derive(Debug)]
pub(crate) struct Event {
    /// Who sent it.
    pub(crate) session: String,
    pub(crate) kind: EventKind,
}

/// Defines events as `"Domain.event" => Variant { parameters }`. A parameter that does not come has its default.
macro_rules! events {
    ($($name:literal => $variant:ident { $($field:ident: $kind:ty),* $(,)? };)*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
            #[serde(rename_all = "camelCase", default)]
            pub(crate) struct $variant { $(pub(crate) $field: $kind),* }
        )*

        /// What happened.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum EventKind {
            $($variant($variant),)*
            /// It came and could not be read. Which one it is may not be known.
            Unreadable,
            /// One that nothing is done about.
            Other,
        }

        impl EventKind {
            /// The event of this name with these parameters.
            pub(crate) fn read(name: &str, params: Value) -> Result<Self, serde_json::Error> {
                let params = if params.is_null() { Value::Object(Map::new()) } else { params };
                match name {
                    $($name => serde_json::from_value(params).map(EventKind::$variant),)*
                    _ => Ok(EventKind::Other),
                }
            }
        }
    };
}

events! {
    "Debugger.paused" => Paused {};
    "Fetch.requestPaused" => RequestPaused {
        request_id: String,
        frame_id: String,
        resource_type: String,
        redirected_request_id: Option<String>,
        request: PausedRequest,
    };
    "Inspector.detached" => InspectorDetached {};
    "Inspector.targetCrashed" => TargetCrashed {};
    "Network.loadingFailed" => LoadingFailed { request_id: String };
    "Network.loadingFinished" => LoadingFinished { request_id: String };
    "Network.requestWillBeSent" => RequestWillBeSent {
        request_id: String,
        frame_id: String,
        loader_id: String,
        r#type: Option<String>,
        request: SentRequest,
    };
    "Network.requestWillBeSentExtraInfo" => RequestWillBeSentExtraInfo { request_id: String };
    "Network.responseReceived" => ResponseReceived { request_id: String, response: ReceivedResponse };
    "Page.frameDetached" => FrameDetached { frame_id: String };
    "Page.frameStartedLoading" => FrameStartedLoading { frame_id: String };
    "Page.frameStoppedLoading" => FrameStoppedLoading { frame_id: String };
    "Page.javascriptDialogOpening" => JavascriptDialogOpening { r#type: DialogType };
    "Page.lifecycleEvent" => LifecycleEvent { frame_id: String, loader_id: String, name: Lifecycle };
    "Target.attachedToTarget" => AttachedToTarget {
        session_id: String,
        target_info: TargetInfo,
        waiting_for_debugger: bool,
    };
    "Target.detachedFromTarget" => DetachedFromTarget { session_id: String };
}

/// A request that waits.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct PausedRequest {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A request that is made.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct SentRequest {
    pub(crate) url: String,
    pub(crate) method: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ReceivedResponse {
    pub(crate) mime_type: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TargetInfo {
    pub(crate) r#type: TargetType,
}

/// What has a session of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetType {
    /// A frame in another process.
    Iframe,
    /// A dedicated worker.
    Worker,
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DialogType {
    /// A page asks whether it may be left.
    Beforeunload,
    #[default]
    #[serde(other)]
    Other,
}

/// How far a document has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Lifecycle {
    /// It begins.
    Init,
    #[serde(rename = "DOMContentLoaded")]
    DomContentLoaded,
    Load,
    NetworkIdle,
    #[default]
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_read_as_far_as_it_is_used() {
        let params = json!({ "name": "firstPaint", "frameId": "F", "timestamp": 1.5 });
        let event = LifecycleEvent { frame_id: "F".into(), ..LifecycleEvent::default() };
        let read = |name: &str, params: &Value| EventKind::read(name, params.clone()).unwrap();
        assert_eq!(read("Page.lifecycleEvent", &params), EventKind::LifecycleEvent(event));
        assert_eq!(read("Page.unheardOf", &params), EventKind::Other);
        for (kind, expected) in
            [("iframe", TargetType::Iframe), ("worker", TargetType::Worker), ("tab", TargetType::Other)]
        {
            let params = json!({ "sessionId": "S", "targetInfo": { "type": kind, "url": "u" } });
            let EventKind::AttachedToTarget(event) = read("Target.attachedToTarget", &params) else {
                panic!("{params}")
            };
            assert_eq!(event.target_info.r#type, expected);
        }
        assert!(EventKind::read("Page.lifecycleEvent", json!({ "frameId": 7 })).is_err());
    }
}
