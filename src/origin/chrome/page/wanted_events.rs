//! Which events of a page a tab does something about.

use crate::origin::chrome::protocol::events::{Event, EventKind, Lifecycle};

/// Whether a tab whose main frame is `main_frame` does something about an event of its page.
pub(super) fn is_wanted(event: &Event, main_frame: &str) -> bool {
    match &event.kind {
        EventKind::LifecycleEvent(event) => event.frame_id == main_frame && event.name != Lifecycle::Other,
        EventKind::FrameStartedLoading(event) => event.frame_id == main_frame,
        EventKind::FrameStoppedLoading(event) => event.frame_id == main_frame,
        EventKind::RequestPaused(_) | EventKind::AttachedToTarget(_) | EventKind::DetachedFromTarget(_) => {
            true
        }
        EventKind::JavascriptDialogOpening(_)
        | EventKind::TargetCrashed(_)
        | EventKind::InspectorDetached(_) => true,
        _ => false,
    }
}

/// The same for a frame or worker with a session of its own.
pub(super) fn is_wanted_of_child(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::RequestPaused(_)
            | EventKind::AttachedToTarget(_)
            | EventKind::DetachedFromTarget(_)
            | EventKind::Paused(_)
    )
}
