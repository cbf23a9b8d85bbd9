//! The location of an object in the bucket, and the rejection of a request for an object without one.

use ulid::Ulid;

use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::mount::Mount;
use crate::operation::{Action, Operation};
use crate::plan::{IdLookup, ObjectLocation};
use crate::policy::{Grant, Policy, StorageKey};
use crate::rejection::Rejection;
use crate::request::ObjectRequest;

/// The location under which `grant` stores the object that `principal` requests, in the mount of its public key.
pub(super) fn locate(
    policy: &Policy,
    principal: &Principal,
    (grant, mount): (Grant<'_>, &Mount),
    request: &ObjectRequest,
) -> Result<ObjectLocation, Rejection> {
    let folder = match grant.storage_key(principal, &request.key, mount)? {
        StorageKey::Key(key) => return Ok(ObjectLocation::Key(key)),
        StorageKey::IdIn(folder) => folder,
    };
    // Reject a folder that is too long before an unusable id is created.
    ObjectKey::new(format!("{folder}{}", Ulid::nil()))?;
    let action = request.operation.action();
    Ok(ObjectLocation::Lookup(Box::new(IdLookup {
        public_key: request.key.clone(),
        create: creates_object(request.operation),
        missing: missing_object(policy, principal, mount, request),
        denied_keys: policy.denied_keys_in(principal, action, mount, &folder),
        denial: policy.denial_for(principal, action),
        folder,
    })))
}

/// Returns true if `operation` can be the first operation on an object.
const fn creates_object(operation: Operation) -> bool {
    match operation {
        Operation::PutObject | Operation::CreateMultipartUpload => true,
        Operation::GetObject
        | Operation::HeadObject
        | Operation::DeleteObject
        | Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => false,
    }
}

/// The rejection of a request for an object that was never stored. It equals the response of S3 for a deleted object.
fn missing_object(policy: &Policy, principal: &Principal, mount: &Mount, request: &ObjectRequest) -> Rejection {
    match request.operation {
        Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => Rejection::NoSuchUpload,
        Operation::GetObject
        | Operation::HeadObject
        | Operation::DeleteObject
        | Operation::PutObject
        | Operation::CreateMultipartUpload => {
            if policy.has_scoped_sessions_for(mount) && !policy.allows(principal, Action::List, request.key.as_str()) {
                Rejection::ExistenceHidden
            } else {
                Rejection::NoSuchKey
            }
        }
    }
}
