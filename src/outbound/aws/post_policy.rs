//! The signature of a POST policy
//! ([Authenticating requests: browser-based uploads](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html)).

use std::time::SystemTime;

use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use humantime::format_rfc3339_seconds;

use super::presigner::{Presigner, lifetime, whole_seconds};
use super::sigv4::ALGORITHM;
use crate::encoding::ascii_json;
use crate::plan::{PolicyCondition, PostFormKey, PostPolicyPlan, PresignError, SignedPostForm};
use crate::request::Pairs;

impl Presigner {
    /// Signs `plan` at `time` with `credentials`. The form is valid as long as both allow.
    pub fn sign_form(
        &self,
        plan: PostPolicyPlan,
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<SignedPostForm, PresignError> {
        let time = whole_seconds(time);
        let expires_in = lifetime(plan.expires, credentials, time, time)?;
        let expires_at = time + expires_in;
        let daily_signer = self.signer(credentials, time);
        let mut signed: Pairs = vec![
            ("x-amz-algorithm".into(), ALGORITHM.into()),
            (
                "x-amz-credential".into(),
                format!("{}/{}", credentials.access_key_id(), daily_signer.scope()),
            ),
            ("x-amz-date".into(), daily_signer.date_time(time)),
        ];
        if let Some(token) = credentials.session_token() {
            signed.push(("x-amz-security-token".into(), token.to_owned()));
        }
        let policy = BASE64_STANDARD.encode(self.policy(&plan, &signed, expires_at));
        let signature = daily_signer.sign_text(&policy);
        let mut fields = plan.fields.clone();
        fields.push(("key".into(), plan.key.field()));
        fields.append(&mut signed);
        fields.push(("policy".into(), policy));
        fields.push(("x-amz-signature".into(), signature));
        Ok(SignedPostForm {
            plan,
            url: format!("{}/", self.bucket_url),
            fields,
            expires_in,
            expires_at,
        })
    }

    /// Returns the policy, byte for byte as boto3 writes it.
    fn policy(&self, plan: &PostPolicyPlan, signed: &Pairs, expires_at: SystemTime) -> String {
        let equal = |(name, value): &(String, String)| format!("{{{}: {}}}", ascii_json(name), ascii_json(value));
        let mut conditions: Vec<_> = plan.fields.iter().map(equal).collect();
        conditions.extend(plan.conditions.iter().map(condition));
        conditions.push(format!("{{\"bucket\": {}}}", ascii_json(&self.bucket)));
        conditions.push(match &plan.key {
            PostFormKey::Exact(key) => format!("{{\"key\": {}}}", ascii_json(key.as_str())),
            PostFormKey::InFolder(prefix) => starts_with("key", prefix.as_str()),
        });
        conditions.extend(signed.iter().map(equal));
        format!(
            "{{\"expiration\": \"{}\", \"conditions\": [{}]}}",
            format_rfc3339_seconds(expires_at),
            conditions.join(", ")
        )
    }
}

fn condition(condition: &PolicyCondition) -> String {
    match condition {
        PolicyCondition::StartsWith { field, prefix } => starts_with(field, prefix),
        PolicyCondition::ContentLengthRange { min, max } => format!("[\"content-length-range\", {min}, {max}]"),
    }
}

fn starts_with(field: &str, prefix: &str) -> String {
    format!("[\"starts-with\", \"${field}\", {}]", ascii_json(prefix))
}
