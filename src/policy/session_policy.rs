//! The session policy of one user under one rule: a [`GrantScope`] in the language of IAM.
//!
//! IAM allows a session only what both its role and this policy allow. A URL that it signs cannot leave the scope, even if
//! other code of Signpost has an error.

use std::collections::BTreeSet;

use super::grant_scope::GrantScope;
use super::pattern::KeyRange;
use crate::encoding::ascii_json;
use crate::operation::{Action, Operation};

/// The maximum number of characters of a session policy
/// ([AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)).
pub const MAX_CHARACTERS: usize = 2048;

/// The ARN of the bucket in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketArn {
    bucket: String,
    /// The prefix of the ARN of an object.
    objects: String,
}

impl BucketArn {
    /// Returns the ARN of a bucket or access point in this partition.
    pub fn new(bucket: &str, partition: &str) -> Result<Self, &'static str> {
        if !bucket.starts_with("arn:") {
            if bucket.ends_with("-s3alias") {
                return Err("a policy cannot name an access point by its alias; set its ARN");
            }
            let bucket = format!("arn:{partition}:s3:::{bucket}");
            let objects = format!("{bucket}/");
            return Ok(Self { bucket, objects });
        }
        let is_access_point = bucket.split(':').nth(2) == Some("s3") && bucket.contains(":accesspoint/");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/-".contains(&byte);
        if !is_access_point || !bucket.bytes().all(plain) {
            return Err("mode scoped requires the name of a bucket or the ARN of an access point");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            objects: format!("{bucket}/object/"),
        })
    }
}

/// The reason why a scope has no session policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionPolicyError {
    /// The scope contains no key, or no action on keys.
    #[error("it allows no action that requires a session")]
    NoAction,
    /// The policy is longer than [`MAX_CHARACTERS`].
    #[error(
        "its session policy has {0} characters, but STS allows {MAX_CHARACTERS}; split the rule, or use fewer or shorter \
         patterns"
    )]
    TooLong(usize),
}

/// Returns the session policy for `scope`, or the reason why there is none.
pub fn render(scope: &GrantScope, bucket: &BucketArn) -> Result<String, SessionPolicyError> {
    if scope.pending_uploads {
        let bucket = json_list([literal(&bucket.bucket)]);
        return Ok(format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:ListBucketMultipartUploads"],"Resource":{bucket}}}]}}"#
        ));
    }
    let actions = object_actions(scope);
    let lists = scope.actions.contains(&Action::List);
    if scope.keys.is_empty() || actions.is_empty() && !lists {
        return Err(SessionPolicyError::NoAction);
    }
    let mut statements = Vec::with_capacity(2);
    if !actions.is_empty() {
        let resources = scope.keys.iter().map(|keys| literal(&bucket.objects) + &matching(keys));
        statements.push(format!(
            r#"{{"Effect":"Allow","Action":{},"Resource":{}}}"#,
            json_list(actions),
            json_list(resources)
        ));
    }
    if lists {
        statements.push(listing(scope, bucket));
    }
    // Policy variables require this version.
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    match policy.len() {
        ..=MAX_CHARACTERS => Ok(policy),
        characters => Err(SessionPolicyError::TooLong(characters)),
    }
}

/// Returns the number of characters of the session policy for `scope`, which can exceed [`MAX_CHARACTERS`]. Returns `None` if the
/// scope requires no session.
pub fn characters(scope: &GrantScope, bucket: &BucketArn) -> Option<usize> {
    match render(scope, bucket) {
        Ok(policy) => Some(policy.len()),
        Err(SessionPolicyError::TooLong(characters)) => Some(characters),
        Err(SessionPolicyError::NoAction) => None,
    }
}

fn object_actions(scope: &GrantScope) -> Vec<&'static str> {
    let may = |action| scope.actions.contains(&action);
    let operations = Operation::ALL.into_iter().filter(|operation| may(operation.action()));
    // These actions belong to options of an operation, not to an operation.
    let options = [
        (may(Action::Read) && scope.versions, "s3:GetObjectVersion"),
        (may(Action::Write) && scope.tags, "s3:PutObjectTagging"),
        (may(Action::Delete) && scope.versions, "s3:DeleteObjectVersion"),
    ];
    operations
        .map(Operation::iam_action)
        .chain(
            options
                .into_iter()
                .filter_map(|(granted, action)| granted.then_some(action)),
        )
        .collect()
}

/// Returns the statement that allows listing. S3 responds with 404 to a missing key only if the caller may list its prefix,
/// and with 403 otherwise. This assumes that S3 uses the key itself as `s3:prefix` in that check, which AWS does not document.
fn listing(scope: &GrantScope, bucket: &BucketArn) -> String {
    let bucket_arn = json_list([literal(&bucket.bucket)]);
    let statement = format!(r#""Effect":"Allow","Action":["s3:ListBucket"],"Resource":{bucket_arn}"#);
    if scope.keys.contains(&KeyRange::Below(String::new())) {
        return format!("{{{statement}}}");
    }
    let prefixes = json_list(scope.keys.iter().map(matching));
    format!(r#"{{{statement},"Condition":{{"StringLike":{{"s3:prefix":{prefixes}}}}}}}"#)
}

fn matching(keys: &KeyRange) -> String {
    match keys {
        KeyRange::Exactly(key) => literal(key),
        KeyRange::Below(prefix) => literal(prefix) + "*",
    }
}

/// Escapes a text, so that IAM finds no wildcard and no variable in it
/// ([special characters](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html)).
fn literal(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len() + 1), |mut literal, char| {
            match char {
                '*' | '?' | '$' => {
                    literal.push_str("${");
                    literal.push(char);
                    literal.push('}');
                }
                char => literal.push(char),
            }
            literal
        })
}

/// Returns a JSON list without duplicates.
fn json_list(texts: impl IntoIterator<Item = impl Into<String>>) -> String {
    let texts: BTreeSet<String> = texts.into_iter().map(Into::into).collect();
    let texts: Vec<String> = texts.iter().map(|text| ascii_json(text)).collect();
    format!("[{}]", texts.join(","))
}
