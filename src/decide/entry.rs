//! Where the object of a request is kept, and what is told where that can't be found.

use ulid::Ulid;

use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::operation::{Action, Operation};
use crate::plan::{Entry, Kept};
use crate::policy::{Grant, Policy, StorageKey};
use crate::rejection::Rejection;
use crate::request::ObjectRequest;

/// Where `grant` keeps what `principal` wants.
pub(super) fn kept(
    policy: &Policy,
    principal: &Principal,
    grant: Grant<'_>,
    wanted: &ObjectRequest,
) -> Result<Kept, Rejection> {
    let folder = match grant.storage_key(principal, &wanted.key)? {
        StorageKey::Key(key) => return Ok(Kept::At(key)),
        StorageKey::IdIn(folder) => folder,
    };
    // Told before an id is made that could not be used.
    ObjectKey::new(format!("{folder}{}", Ulid::nil()))?;
    let action = wanted.operation.action();
    Ok(Kept::By(Box::new(Entry {
        name: wanted.key.clone(),
        make: begins(wanted.operation),
        missing: missing(policy, principal, wanted),
        denied: policy.denied_keys_in(principal, action, &folder),
        refusal: policy.rejection_for(principal, action),
        folder,
    })))
}

/// Whether `operation` may be the first that is ever done to an object.
const fn begins(operation: Operation) -> bool {
    matches!(operation, Operation::PutObject | Operation::CreateMultipartUpload)
}

/// What `principal` is told of an object that was never stored: what S3 tells of one that is no more.
fn missing(policy: &Policy, principal: &Principal, wanted: &ObjectRequest) -> Rejection {
    match wanted.operation {
        Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => Rejection::NoSuchUpload,
        Operation::GetObject
        | Operation::HeadObject
        | Operation::DeleteObject
        | Operation::PutObject
        | Operation::CreateMultipartUpload => {
            if policy.masks_not_found && !policy.allows(principal, Action::List, wanted.key.as_str()) {
                Rejection::NotTold
            } else {
                Rejection::NoSuchKey
            }
        }
    }
}
