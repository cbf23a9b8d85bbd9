//! Responses of dialects.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Number, Value, json};

use super::failure::RequestError;
use super::http::{ApiResponse, LFS_JSON, TEXT, set_header, to_json, with_body, with_json};
use super::problem::lfs_object_problem;
use super::text::rfc3339;
use crate::decide::{LfsOperation, LfsTransfer};
use crate::plan::{Instruction, Lock};
use crate::request::ApiRequest;

/// The headers that Turborepo may send to S3. Without `Authorization`, it does not send its credential there.
const TURBOREPO_HEADERS: HeaderValue =
    HeaderValue::from_static("Content-Type, User-Agent, x-artifact-client-ci, x-artifact-duration");

/// Sends Turborepo the presigned URL, before it sends the artifact.
pub fn turborepo_preflight(instruction: &Instruction) -> ApiResponse {
    let mut response = with_body(StatusCode::NO_CONTENT, TEXT, "");
    response.headers_mut().remove(header::CONTENT_TYPE);
    set_header(&mut response, header::LOCATION, instruction.url.expose());
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, TURBOREPO_HEADERS);
    let methods = HeaderValue::from_static("GET, HEAD, PUT");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    response
}

/// Reports that the cache is enabled.
pub fn turborepo_status() -> ApiResponse {
    with_json(&json!({"status": "enabled"}))
}

/// Accepts events, which have no effect.
pub fn turborepo_events() -> ApiResponse {
    with_json(&json!({}))
}

/// The result for one object of a batch of git-lfs.
pub struct LfsResult {
    /// The id of the object, as in the request.
    pub oid: String,
    /// The size of the object, as in the request.
    pub size: Number,
    /// The action, `None` if the object is stored already, or the reason why there is no action.
    pub outcome: Result<Option<LfsAction>, RequestError>,
}

/// An action of git-lfs.
pub enum LfsAction {
    /// Send this signed request.
    Signed(Box<Instruction>),
    /// Let the transfer agent use the path of the object at this service.
    Path(String),
}

/// Returns the actions of a batch.
pub fn lfs_batch(
    request: &ApiRequest,
    operation: LfsOperation,
    transfer: LfsTransfer,
    results: &[LfsResult],
) -> ApiResponse {
    let transfer = match transfer {
        LfsTransfer::Basic => "basic",
        LfsTransfer::Agent => "signpost",
    };
    let objects: Vec<_> = results
        .iter()
        .map(|result| lfs_object(request, operation, result))
        .collect();
    lfs_json(
        StatusCode::OK,
        &json!({"transfer": transfer, "hash_algo": "sha256", "objects": objects}),
    )
}

fn lfs_object(request: &ApiRequest, operation: LfsOperation, result: &LfsResult) -> Value {
    let mut object = json!({"oid": result.oid, "size": result.size});
    match &result.outcome {
        Ok(None) => {}
        Ok(Some(action)) => {
            let name = match operation {
                LfsOperation::Upload => "upload",
                LfsOperation::Download => "download",
            };
            object["authenticated"] = json!(true);
            object["actions"] = json!({name: lfs_action(request, action)});
        }
        Err(error) => {
            let (code, message) = lfs_object_problem(error);
            object["error"] = json!({"code": code, "message": message});
        }
    }
    object
}

fn lfs_action(request: &ApiRequest, action: &LfsAction) -> Value {
    match action {
        LfsAction::Path(path) => json!({"href": format!("{}{path}", request.base_url)}),
        LfsAction::Signed(instruction) => {
            // git-lfs sends the length itself.
            let headers = instruction
                .plan
                .headers
                .iter()
                .filter(|(name, _)| name != "content-length");
            let headers: Map<_, _> = headers.map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({
                "href": instruction.url.expose(),
                "header": headers,
                "expires_in": instruction.expires_in.as_secs(),
            })
        }
    }
}

/// A lock in the response to a request that creates or removes one.
pub enum NewLock {
    /// The lock has been created.
    Created,
    /// There is a lock on the file already.
    Exists,
    /// The lock has been removed.
    Removed,
}

/// Returns the lock that a request has created, removed, or found.
pub fn lock(request: &ApiRequest, outcome: &NewLock, lock: &Lock) -> ApiResponse {
    let lock = lock_json(lock);
    match outcome {
        NewLock::Created => lfs_json(StatusCode::CREATED, &json!({"lock": lock})),
        NewLock::Removed => lfs_json(StatusCode::OK, &json!({"lock": lock})),
        NewLock::Exists => {
            let message = "the file is locked already";
            lfs_json(
                StatusCode::CONFLICT,
                &json!({"lock": lock, "message": message, "request_id": request.request_id}),
            )
        }
    }
}

/// Returns a page of locks. `next` is the id of the first lock on the next page.
pub fn locks(locks: &[Lock], next: Option<String>) -> ApiResponse {
    let mut body = json!({"locks": locks_json(locks)});
    add_cursor(&mut body, next);
    lfs_json(StatusCode::OK, &body)
}

/// Returns a page of locks, those of the caller and those of others.
pub fn verified_locks(ours: &[Lock], theirs: &[Lock], next: Option<String>) -> ApiResponse {
    let mut body = json!({"ours": locks_json(ours), "theirs": locks_json(theirs)});
    add_cursor(&mut body, next);
    lfs_json(StatusCode::OK, &body)
}

fn add_cursor(body: &mut Value, next: Option<String>) {
    if let Some(next) = next {
        body["next_cursor"] = json!(next);
    }
}

fn locks_json(locks: &[Lock]) -> Vec<Value> {
    locks.iter().map(lock_json).collect()
}

fn lock_json(lock: &Lock) -> Value {
    json!({
        "id": lock.id.to_string(),
        "path": lock.path,
        "locked_at": rfc3339(lock.locked_at()),
        "owner": {"name": lock.owner},
    })
}

fn lfs_json(status: StatusCode, body: &Value) -> ApiResponse {
    with_body(status, LFS_JSON, to_json(body))
}
