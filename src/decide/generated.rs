//! Uploads under a key of our making: `POST /{prefix}/`.

use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::{Caller, Refused, instruct};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{Kept, PresignPlan};
use crate::rejection::Rejection;
use crate::request::{ApiRequest, BodyLength, Form, ObjectRequest, Pairs, bad_value};

/// The longest `?ext=`.
const MAX_EXTENSION: usize = 16;

/// The plan of an upload below `prefix`, and the form in which to tell it: never a redirect, since the client must
/// learn the key.
pub(super) fn upload(
    caller: &Caller<'_>,
    request: &ApiRequest,
    prefix: Option<&ObjectKey>,
    now: SystemTime,
) -> Result<(PresignPlan<Kept>, Form), Refused> {
    if !request.body.is_empty() {
        let problem = "is not stored: ask without one, and PUT the file to the URL of the answer";
        return Err(bad_value("body", problem).into());
    }
    let prefix = prefix.map_or("", ObjectKey::as_str);
    let extension = extension(&request.query)?;
    let key = ObjectKey::new(format!("{prefix}{}{extension}", fresh(request, now))).map_err(Rejection::from)?;
    let query = request.query.iter().filter(|(name, _)| name != "ext");
    let asked = ApiRequest {
        query: query.cloned().collect(),
        ..request.clone()
    };
    let form = Form::with_key(request);
    let wanted = ObjectRequest::of_object(&asked, Operation::PutObject, key, form, BodyLength::Untold)?;
    Ok((instruct(caller, wanted)?, form))
}

/// An identifier that sorts by time and that nobody can foretell who does not know the ids of the request
/// ([ULID](https://github.com/ulid/spec)).
pub(super) fn fresh(request: &ApiRequest, now: SystemTime) -> Ulid {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let digest = Sha256::new()
        .chain_update(&request.request_id)
        .chain_update([0])
        .chain_update(&request.invocation)
        .chain_update(since.as_nanos().to_be_bytes())
        .finalize();
    let random = digest
        .iter()
        .take(10)
        .fold(0, |random, byte| random << 8 | u128::from(*byte));
    Ulid::from_parts(u64::try_from(since.as_millis()).unwrap_or_default(), random)
}

/// `.mp4` for `?ext=mp4`.
fn extension(query: &Pairs) -> Result<String, Rejection> {
    let mut asked = query.iter().filter(|(name, _)| name == "ext");
    let Some((name, extension)) = asked.next() else {
        return Ok(String::new());
    };
    if asked.next().is_some() {
        return Err(Rejection::ConflictingParameter { name: name.clone() });
    }
    let parts = || extension.split('.');
    let plain = parts().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !plain || extension.len() > MAX_EXTENSION {
        let problem = format!("must be up to {MAX_EXTENSION} letters and digits, such as mp4 or tar.gz");
        return Err(bad_value(name, &problem));
    }
    Ok(format!(".{extension}"))
}
