//! Uploads under a generated key: `POST /{prefix}/`.

use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::authorize::presign;
use super::caller::CallerContext;
use super::rejected_request::RejectedRequest;
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{ObjectLocation, PresignPlan};
use crate::rejection::Rejection;
use crate::request::{ApiRequest, BodyLength, ObjectRequest, Pairs, ResponseFormat, bad_value};

/// The maximum length of `?ext=`.
const MAX_EXTENSION: usize = 16;

/// The plan of an upload below `prefix`, and the format of the response. The response is never a redirect, because the
/// client needs the key.
pub(super) fn decide(
    caller: &CallerContext<'_>,
    prefix: Option<&ObjectKey>,
) -> Result<(PresignPlan<ObjectLocation>, ResponseFormat), RejectedRequest> {
    let request = caller.request;
    if !request.body.is_empty() {
        let problem = "is not stored: send the POST without a body, then PUT the file to the URL in the response";
        return Err(bad_value("body", problem).into());
    }
    let prefix = prefix.map_or("", ObjectKey::as_str);
    let extension = extension(&request.query)?;
    let id = generate_id(request, caller.now);
    let key = ObjectKey::new(format!("{prefix}{id}{extension}")).map_err(Rejection::from)?;
    let query = request.query.iter().filter(|(name, _)| name != "ext");
    let upload = ApiRequest {
        query: query.cloned().collect(),
        ..request.clone()
    };
    let format = ResponseFormat::with_key(request);
    let object_request = ObjectRequest::with_headers(&upload, Operation::PutObject, key, format, BodyLength::Unknown)?;
    Ok((presign(caller, object_request)?, format))
}

/// An id that sorts by time ([ULID](https://github.com/ulid/spec)). Only a client that knows the ids of the request can
/// predict it.
pub(super) fn generate_id(request: &ApiRequest, now: SystemTime) -> Ulid {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let digest = Sha256::new()
        .chain_update(&request.request_id)
        .chain_update([0])
        .chain_update(&request.invocation)
        .chain_update(since_epoch.as_nanos().to_be_bytes())
        .finalize();
    let random = digest
        .iter()
        .take(10)
        .fold(0, |random, byte| random << 8 | u128::from(*byte));
    Ulid::from_parts(u64::try_from(since_epoch.as_millis()).unwrap_or_default(), random)
}

/// `.mp4` for `?ext=mp4`.
fn extension(query: &Pairs) -> Result<String, Rejection> {
    let mut values = query.iter().filter(|(name, _)| name == "ext");
    let Some((name, extension)) = values.next() else {
        return Ok(String::new());
    };
    if values.next().is_some() {
        return Err(Rejection::RepeatedParameter { name: name.clone() });
    }
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !extension.split('.').all(is_word) || extension.len() > MAX_EXTENSION {
        let problem = format!("must have up to {MAX_EXTENSION} letters and digits, such as mp4 or tar.gz");
        return Err(bad_value(name, &problem));
    }
    Ok(format!(".{extension}"))
}
