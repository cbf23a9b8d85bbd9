//! Events of a Lambda function URL, payload format 2.0.

use http::{HeaderMap, header};

use super::event::FrontEvent;
use super::key_path::{KeyPath, required};
use crate::key::PathEncoding;
use crate::response::ServiceFailure;

/// Returns true if this is the domain name of a function URL.
pub(super) fn is_domain_name(domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| domain.contains(".lambda-url.") && domain.ends_with(".on.aws"))
}

/// Returns the path of the key. A function URL passes on the path as the client sent it.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
    let path = required(event.raw_path.as_ref())?;
    Ok(KeyPath::below_base(
        path,
        PathEncoding::Percent,
        String::new(),
        base_path,
    ))
}

/// The headers that `CloudFront` adds when it signs its requests to a function URL
/// ([origin access control](https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html)).
const CLOUDFRONT_HEADERS: [&str; 6] = [
    "authorization",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-source-account",
    "x-amz-source-arn",
];

/// Removes the headers of a request that `CloudFront` has signed, because they are not the client's. Returns true if there
/// are any. A client that forges them only loses its own credential.
pub(super) fn remove_cloudfront_signature(headers: &mut HeaderMap) -> bool {
    let is_signed = is_signed_by_cloudfront(headers);
    if is_signed {
        for name in CLOUDFRONT_HEADERS {
            headers.remove(name);
        }
    }
    is_signed
}

/// Returns true if all headers of `CloudFront` are present, and name the same account.
fn is_signed_by_cloudfront(headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let is_signature = text(header::AUTHORIZATION.as_str()).is_some_and(|value| value.starts_with("AWS4-"));
    let account = text("x-amz-source-account").unwrap_or_default();
    let distribution = text("x-amz-source-arn").unwrap_or_default();
    let is_distribution = match distribution.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "cloudfront", _, owner, resource] => owner == account && resource.starts_with("distribution/"),
        _ => false,
    };
    is_signature && is_distribution && CLOUDFRONT_HEADERS.iter().all(|name| text(name).is_some())
}
