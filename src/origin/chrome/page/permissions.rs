//! What a context is told before its page loads anything, so that no page leaves a trace or waits for a person.

use serde_json::json;

use crate::origin::chrome::protocol::client::{CallError, Devtools};

/// Refuses downloads and every permission in `context`. Windows are refused to all contexts, by an argument of
/// the browser; dialogs are answered as they come, see [`super::tab`].
pub(crate) async fn deny(devtools: &Devtools, context: &str) -> Result<(), CallError> {
    let downloads = json!({ "behavior": "deny", "browserContextId": context });
    // To grant none is to reject all others, so that nobody is asked.
    let permissions = json!({ "permissions": [], "browserContextId": context });
    tokio::try_join!(
        devtools.call(None, "Browser.setDownloadBehavior", downloads),
        devtools.call(None, "Browser.grantPermissions", permissions),
    )?;
    Ok(())
}
