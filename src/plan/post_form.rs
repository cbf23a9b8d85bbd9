//! HTML forms that upload an object, as values.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{IdLookup, ObjectLocation};
use crate::key::ObjectKey;
use crate::policy::GrantScope;
use crate::request::Pairs;

/// An HTML form that uploads one object, complete except for the signature
/// ([POST policy](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPolicyPlan<K = ObjectKey> {
    /// The storage key of the object.
    pub key: PostFormKey<K>,
    /// The public key of the object.
    pub public_key: PostFormKey,
    /// The fields that the form must send unchanged.
    pub fields: Pairs,
    /// The other conditions of the policy.
    pub conditions: Vec<PolicyCondition>,
    /// The lifetime of the form, unless the credentials expire first.
    pub expires: Duration,
    /// The permissions that the rule grants.
    pub scope: GrantScope,
}

/// The key of the object that a form uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostFormKey<K = ObjectKey> {
    /// This key.
    Exact(K),
    /// The name of the file, in this folder.
    InFolder(ObjectKey),
}

/// A condition of a POST policy that is not the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyCondition {
    /// The value of a field has a prefix.
    StartsWith {
        /// The field.
        field: &'static str,
        /// The prefix.
        prefix: String,
    },
    /// The length of the file, in bytes.
    ContentLengthRange {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
}

/// A signed form. Its fields are a secret: the form works for everyone who has them.
pub struct SignedPostForm {
    /// The plan that was signed.
    pub plan: PostPolicyPlan,
    /// The URL to post the form to.
    pub url: String,
    /// The hidden fields, which must precede the file.
    pub fields: Pairs,
    /// The remaining lifetime.
    pub expires_in: Duration,
    /// The expiry.
    pub expires_at: SystemTime,
}

impl fmt::Debug for SignedPostForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedPostForm")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl PostPolicyPlan<ObjectLocation> {
    /// The id lookup that is required before signing, if any.
    pub fn id_lookup(&self) -> Option<&IdLookup> {
        match &self.key {
            PostFormKey::Exact(ObjectLocation::Lookup(lookup)) => Some(lookup),
            PostFormKey::Exact(ObjectLocation::Key(_)) | PostFormKey::InFolder(_) => None,
        }
    }

    /// Returns the plan with the storage key that `find` returns for the location.
    pub fn resolve<E>(self, find: impl FnOnce(ObjectLocation) -> Result<ObjectKey, E>) -> Result<PostPolicyPlan, E> {
        Ok(PostPolicyPlan {
            key: match self.key {
                PostFormKey::Exact(location) => PostFormKey::Exact(find(location)?),
                PostFormKey::InFolder(folder) => PostFormKey::InFolder(folder),
            },
            public_key: self.public_key,
            fields: self.fields,
            conditions: self.conditions,
            expires: self.expires,
            scope: self.scope,
        })
    }
}

impl PostFormKey {
    /// The field `key`. S3 replaces `${filename}` with the name of the file.
    pub fn field(&self) -> String {
        match self {
            Self::Exact(key) => key.as_str().to_owned(),
            Self::InFolder(prefix) => format!("{prefix}${{filename}}"),
        }
    }
}
