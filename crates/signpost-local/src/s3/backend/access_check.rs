//! Checks access: a signer may use all operations, or all except those that list.

use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::s3_error;

use crate::s3::request_adapter::VerifiedSigner;

/// The operations that need `s3:ListBucket` or `s3:ListBucketVersions`.
const LIST_OPERATIONS: [&str; 4] = ["HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions"];

/// The permissions of all signers.
#[derive(Debug)]
pub(crate) struct SignerAccess {
    pub(crate) allow_listing: bool,
}

#[async_trait::async_trait]
impl S3Access for SignerAccess {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let allowed = self.allow_listing || !LIST_OPERATIONS.contains(&context.s3_op().name());
        let is_verified = context.extensions_mut().get::<VerifiedSigner>().is_some() || context.credentials().is_some();
        if is_verified && allowed {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Access Denied"))
    }
}
