//! What clients and webhooks are told of a job, and what they ask for, as web2img has both.

use serde::Serialize;
use utoipa::ToSchema;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobProgress)]
pub enum Progress {
    /// Items are left.
    Processing,
    /// Every item was captured.
    Completed,
    /// Some items failed.
    CompletedWithErrors,
    /// Every item failed.
    Failed,
}

impl Progress {
    /// All of them.
    pub const ALL: [Progress; 4] =
        [Progress::Processing, Progress::Completed, Progress::CompletedWithErrors, Progress::Failed];

    /// As clients and metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Progress::Processing => "processing",
            Progress::Completed => "completed",
            Progress::CompletedWithErrors => "completed_with_errors",
            Progress::Failed => "failed",
        }
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How a job stands. The times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobStatus {
    pub(super) job_id: String,
    /// How far it is.
    #[schema(inline)]
    pub status: Progress,
    pub(super) total: usize,
    /// Items that ended, failed ones too.
    pub(super) completed: usize,
    pub(super) failed: usize,
    #[schema(format = DateTime)]
    pub(super) created_at: String,
    #[schema(format = DateTime)]
    pub(super) updated_at: String,
    /// Null once it has ended.
    #[schema(format = DateTime)]
    pub(super) estimated_completion: Option<String>,
}

/// What came of a job, item by item.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct JobResults {
    pub(super) job_id: String,
    #[schema(inline)]
    pub(super) status: Progress,
    pub(super) total: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Seconds.
    pub(super) processing_time: f64,
    #[schema(inline)]
    pub(super) results: Vec<ItemResult>,
}

/// What came of one item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemResult {
    pub(super) id: String,
    #[schema(inline)]
    pub(super) status: ItemState,
    /// The picture, on this proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) cached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
}

/// How far one item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// Not yet captured.
    #[default]
    Pending,
    /// Captured.
    Success,
    /// Failed.
    Error,
}

/// A batch job: what `ask::read` reads.
#[derive(ToSchema)]
#[schema(as = Batch)]
#[allow(dead_code, reason = "it describes what `ask::read` reads, which names every bad parameter")]
pub struct BatchRequest {
    #[schema(inline, min_items = 1)]
    items: Vec<BatchItem>,
    #[schema(inline, nullable = false)]
    config: Option<BatchConfig>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "see BatchRequest")]
struct BatchItem {
    url: String,
    #[schema(nullable = false)]
    width: Option<u32>,
    #[schema(nullable = false)]
    height: Option<u32>,
    #[schema(inline, nullable = false)]
    format: Option<BatchFormat>,
    /// Its name in the results; `item-1` and so on without.
    #[schema(nullable = false)]
    id: Option<String>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "see BatchRequest")]
#[schema(rename_all = "lowercase")]
enum BatchFormat {
    Png,
    Jpeg,
    Webp,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "see BatchRequest")]
struct BatchConfig {
    #[schema(nullable = false, minimum = 1, default = 3)]
    parallel: Option<u32>,
    /// Seconds for each item.
    #[schema(nullable = false, default = 30)]
    timeout: Option<u32>,
    #[schema(nullable = false)]
    webhook: Option<String>,
    /// Authorization of the webhook.
    #[schema(nullable = false)]
    webhook_auth: Option<String>,
    #[schema(nullable = false, default = false)]
    fail_fast: Option<bool>,
    #[schema(nullable = false, default = true)]
    cache: Option<bool>,
}
