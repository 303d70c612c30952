//! What a context is told before its page loads anything, so that no page leaves a trace or waits for a person.

use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::{GrantPermissions, SetDownloadBehavior};

/// Refuses downloads and every permission in `context`. Windows are refused to all contexts, by an argument of
/// the browser; dialogs are answered as they come, see [`super::tab`].
pub(crate) async fn deny(devtools: &Devtools, context: &str) -> Result<(), CallError> {
    tokio::try_join!(
        devtools.call(None, SetDownloadBehavior { behavior: "deny", browser_context_id: context.to_owned() }),
        // To grant none is to reject all others, so that nobody is asked.
        devtools
            .call(None, GrantPermissions { permissions: Vec::new(), browser_context_id: context.to_owned() }),
    )?;
    Ok(())
}
