//! The session policy of one member under one rule: [`GrantScope`] in the language of IAM.
//!
//! A session can do what both its role and this policy allow, so a URL that it signs can't leave the scope whatever
//! the rest of Signpost does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::operation::Action;
use crate::policy::{GrantScope, KeyRange};

/// The most characters of a session policy
/// ([AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)).
pub const MAX_CHARACTERS: usize = 2048;

/// What the bucket is called in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketArn {
    bucket: String,
    /// What stands before a key.
    objects: String,
}

impl BucketArn {
    /// The bucket or access point of the setting, in the partition of the role.
    pub fn new(bucket: &str, partition: &str) -> Result<Self, &'static str> {
        if !bucket.starts_with("arn:") {
            if bucket.ends_with("-s3alias") {
                return Err("a policy can't name an access point by its alias; set its ARN");
            }
            let bucket = format!("arn:{partition}:s3:::{bucket}");
            let objects = format!("{bucket}/");
            return Ok(Self { bucket, objects });
        }
        let is_access_point = bucket.split(':').nth(2) == Some("s3") && bucket.contains(":accesspoint/");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/-".contains(&byte);
        if !is_access_point || !bucket.bytes().all(plain) {
            return Err("a session for a member can be cut down to a bucket or an access point only");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            objects: format!("{bucket}/object/"),
        })
    }
}

/// The session policy for `scope`, or why there is none.
pub fn render(scope: &GrantScope, bucket: &BucketArn) -> Result<String, String> {
    if scope.pending_uploads {
        let bucket = json_list([literal(&bucket.bucket)]);
        return Ok(format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:ListBucketMultipartUploads"],"Resource":{bucket}}}]}}"#
        ));
    }
    let actions = object_actions(scope);
    let lists = scope.actions.contains(&Action::List);
    if scope.keys.is_empty() || actions.is_empty() && !lists {
        return Err("it lets this caller do nothing that a session could be for".into());
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
    // The version that knows policy variables.
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    match policy.len() {
        ..=MAX_CHARACTERS => Ok(policy),
        characters => Err(format!(
            "its session policy has {characters} characters, and STS takes {MAX_CHARACTERS}; split the rule, or give it \
             fewer or shorter patterns"
        )),
    }
}

fn object_actions(scope: &GrantScope) -> Vec<&'static str> {
    let may = |action| scope.actions.contains(&action);
    let actions = [
        (may(Action::Read), "s3:GetObject"),
        (may(Action::Read) && scope.versions, "s3:GetObjectVersion"),
        (may(Action::Write), "s3:PutObject"),
        (may(Action::Write) && scope.tags, "s3:PutObjectTagging"),
        (may(Action::Write), "s3:AbortMultipartUpload"),
        (may(Action::Write), "s3:ListMultipartUploadParts"),
        (may(Action::Delete), "s3:DeleteObject"),
        (may(Action::Delete) && scope.versions, "s3:DeleteObjectVersion"),
    ];
    actions
        .into_iter()
        .filter_map(|(granted, action)| granted.then_some(action))
        .collect()
}

/// Who may list the prefix of a key is told that the key is missing (404); who may not is told nothing (403). S3 takes
/// the key itself for `s3:prefix` then.
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

/// A text in which IAM sees no wildcard and no variable
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

/// A JSON list without what stands in it twice.
fn json_list(texts: impl IntoIterator<Item = impl Into<String>>) -> String {
    let texts: BTreeSet<String> = texts.into_iter().map(Into::into).collect();
    let texts: Vec<String> = texts.iter().map(|text| json_text(text)).collect();
    format!("[{}]", texts.join(","))
}

/// A JSON string in ASCII, since STS takes no character above U+00FF.
fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                json.push('\\');
                json.push(char);
            }
            ' '..='~' => json.push(char),
            char => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(json, "\\u{unit:04x}").expect("a String takes every write");
                }
            }
        }
    }
    json.push('"');
    json
}
