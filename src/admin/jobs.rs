//! Batch jobs, as web2img has them: `POST /batch/screenshots` and what is below it.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::answer::{answer, problem, problem_with};
use super::context::Context;
use super::describe::BadRequest;
use crate::jobs::{Arrived, BatchRequest, JobResults, JobStatus, NotAccepted, Progress};
use crate::message::body::Body;

/// Where jobs are; each has its own path below.
pub const BATCH: &str = "/batch/screenshots";
pub(super) const JOBS: &str = "/jobs";
pub(super) const BATCH_JOB: &str = "/batch/screenshots/{id}";
pub(super) const BATCH_RESULTS: &str = "/batch/screenshots/{id}/results";

/// Take many pictures in the background
#[utoipa::path(post, path = BATCH, operation_id = "batch", tag = "Jobs", request_body = BatchRequest, responses(
    (status = 202, description = "Accepted: how the job stands.", body = JobStatus,
        headers(("Location" = String, description = "Where it is asked for."))),
    (status = 400, response = BadRequest),
    (status = 404, description = "No route captures pages."),
    (status = 413, description = "The body is longer than jobs.max_body."),
    (status = 429, description = "All jobs that there is room for are at work.",
        headers(("Retry-After" = u64, description = "Seconds."))),
    (status = 503, description = "The job cannot be written down."),
))]
pub(super) async fn submit(
    State(context): State<Context>,
    arrived: Option<Extension<Arrived>>,
    body: Bytes,
) -> Response<Body> {
    let jobs = &context.jobs;
    let arrived = arrived.as_ref().map(|Extension(arrived)| arrived);
    let job = match jobs.submit(&body, arrived).await {
        Ok(job) => job,
        Err(refused) => return refusal(&refused),
    };
    let mut response = answer(StatusCode::ACCEPTED, jobs.status(&job));
    let path = format!("{}/{}", BATCH, job.id);
    let location = arrived.map_or(path.clone(), |arrived| jobs.location(arrived, &path));
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Jobs that are known.
#[derive(Serialize, ToSchema)]
pub(super) struct JobList {
    /// The newest first.
    jobs: Vec<JobStatus>,
}

/// How every job stands
///
/// On the control plane only: whoever knows the name of a job may see what came of it.
#[utoipa::path(get, path = JOBS, operation_id = "jobs", tag = "Jobs",
    params(("status" = inline(Option<Progress>), Query, description = "Only those that stand so.")), responses(
    (status = 200, description = "Every job that is known.", body = JobList),
    (status = 400, response = BadRequest),
))]
pub(super) async fn list(State(context): State<Context>, RawQuery(query): RawQuery) -> Response<Body> {
    let mut jobs = context.jobs.all();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match Progress::of_name(&value).filter(|_| name == "status") {
            Some(status) => jobs.retain(|job| job.status == status),
            None => {
                let known = Progress::ALL.map(Progress::name).join(", ");
                return problem(StatusCode::BAD_REQUEST, &format!("filter by status: {known}"));
            }
        }
    }
    answer(StatusCode::OK, JobList { jobs })
}

/// How a job stands
#[utoipa::path(get, path = BATCH_JOB, operation_id = "job", tag = "Jobs",
    params(("id" = String, Path, description = "The job.")), responses(
    (status = 200, description = "How it stands.", body = JobStatus),
    (status = 404, description = "No such job, or it is forgotten."),
))]
pub(super) async fn status(State(context): State<Context>, Path(id): Path<String>) -> Response<Body> {
    match context.jobs.find(&id) {
        Some(job) => answer(StatusCode::OK, context.jobs.status(&job)),
        None => no_job(),
    }
}

/// What came of a job
#[utoipa::path(get, path = BATCH_RESULTS, operation_id = "job_results", tag = "Jobs",
    params(("id" = String, Path, description = "The job.")), responses(
    (status = 200, description = "What came of its items so far.", body = JobResults),
    (status = 404, description = "No such job, or it is forgotten."),
))]
pub(super) async fn results(
    State(context): State<Context>,
    Path(id): Path<String>,
    arrived: Option<Extension<Arrived>>,
) -> Response<Body> {
    let is_local = arrived.is_some_and(|Extension(arrived)| arrived.is_local);
    match context.jobs.find(&id) {
        Some(job) => answer(StatusCode::OK, context.jobs.results(&job, is_local)),
        None => no_job(),
    }
}

fn no_job() -> Response<Body> {
    problem(StatusCode::NOT_FOUND, "there is no such job, or it is too long ago")
}

fn refusal(refused: &NotAccepted) -> Response<Body> {
    let why = refused.to_string();
    match refused {
        NotAccepted::Bad(faults) => {
            let more = json!({ "reason": "bad-parameters", "errors": faults });
            problem_with(StatusCode::BAD_REQUEST, &why, more)
        }
        NotAccepted::NoRoute => problem(StatusCode::NOT_FOUND, &why),
        NotAccepted::Full(wait) => {
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, &why);
            let wait = HeaderValue::from(wait.as_secs().clamp(1, 3600));
            response.headers_mut().insert(header::RETRY_AFTER, wait);
            response
        }
        NotAccepted::NotStored => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
