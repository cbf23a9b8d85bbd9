//! Which operations the signer may use: all, or all but those that list.

use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::s3_error;

/// The operations that need `s3:ListBucket` or `s3:ListBucketVersions`.
const LISTING: [&str; 4] = ["HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions"];

/// The permissions of every signer.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) may_list: bool,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let allowed = self.may_list || !LISTING.contains(&context.s3_op().name());
        if context.credentials().is_some() && allowed {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Access Denied"))
    }
}
