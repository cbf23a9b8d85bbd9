//! What `s3s` does not check of a form: the session token of temporary credentials, and their end.

use std::time::SystemTime;

use s3s::dto::{PostObjectInput, PutObjectInput, PutObjectOutput};
use s3s::post_policy::PostPolicyCondition;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::Backend;
use crate::s3::strict::Strict;

const TOKEN: &str = "x-amz-security-token";

/// Refuses a form whose policy does not carry the token of the credentials that signed it.
///
/// `s3s` has compared the form's fields with the policy, so the policy's token is the form's.
pub(super) fn check_token(strict: &Strict, request: &S3Request<PostObjectInput>) -> S3Result<()> {
    let signer = request
        .credentials
        .as_ref()
        .ok_or_else(|| s3_error!(AccessDenied, "Access Denied"))?;
    let conditions = request
        .input
        .policy
        .iter()
        .flat_map(|policy| &policy.conditions);
    let token = conditions
        .into_iter()
        .find_map(|condition| match condition {
            PostPolicyCondition::Eq { field, value } if field == TOKEN => Some(value.as_str()),
            _ => None,
        });
    strict
        .admit_form(&signer.access_key, token, SystemTime::now())
        .map_err(|refusal| {
            refusal.with_body(|body| {
                let code = S3ErrorCode::from_bytes(body.code.as_bytes())
                    .unwrap_or(S3ErrorCode::AccessDenied);
                let mut error = S3Error::with_message(code, body.message.to_owned());
                error.set_status_code(body.status);
                error
            })
        })
}

/// Turns a form into a `PutObject`, by the conversion that `s3s` keeps to its default `post_object`.
pub(super) struct FormSink(pub(super) Backend);

#[async_trait::async_trait]
impl S3 for FormSink {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.0.put(request).await
    }
}
