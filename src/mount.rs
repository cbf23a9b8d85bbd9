//! Mounts: the buckets behind the service, and the public keys whose objects each bucket stores.
//!
//! A mount defines where an object is stored. The rules define who may access it. The *plain key* of an object is the
//! public key under which it is stored without `rewrite`: [`Mount::at`], and then the storage key without
//! [`Mount::prefix`].
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`address`]: the parts of the address of a bucket.
//! 2. `mounts`: the mounts of one service.

pub mod address;
mod mounts;

pub use mounts::Mounts;

/// One bucket, and the public keys whose objects it stores. The default is the mount of every public key, for a bucket
/// whose name is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mount {
    /// The prefix of the public keys. It ends in `/`, or it is empty for the bucket of the setting `SIGNPOST_BUCKET`.
    pub at: String,
    /// The name of the bucket, or the ARN of an access point.
    pub bucket: String,
    /// The prefix of the storage keys. It is empty, or it ends in `/`.
    pub prefix: String,
    /// The region. By default, the region of the service.
    pub region: Option<String>,
    /// The origin of the store. By default, the endpoint of the service.
    pub endpoint: Option<String>,
    /// True if URLs contain the bucket in the path.
    pub path_style: Option<bool>,
    /// The credentials that sign.
    pub credentials: MountCredentials,
}

/// The credentials that sign URLs of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum MountCredentials {
    /// Those of the service, according to its signing mode.
    #[default]
    Service,
    /// Those of the machine of a local server whose own bucket is in its embedded S3. No rules file sets this.
    Machine,
    /// Sessions of a role.
    Role {
        /// The ARN of the role.
        arn: String,
        /// The external id that the trust policy of the role requires.
        external_id: Option<String>,
    },
    /// The access key in the setting `SIGNPOST_CREDENTIALS_NAME`.
    Static {
        /// The name of the setting, without `SIGNPOST_CREDENTIALS_`.
        name: String,
    },
}

impl Mount {
    /// Returns the mount of the bucket of the setting `SIGNPOST_BUCKET`.
    pub fn root(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            ..Self::default()
        }
    }

    /// Returns true for the bucket of the setting `SIGNPOST_BUCKET`.
    pub const fn is_root(&self) -> bool {
        self.at.is_empty()
    }

    /// Returns the part of a public key or plain key of this mount that follows [`Mount::at`].
    pub fn relative<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.at).unwrap_or(key)
    }

    /// Returns the storage key, or the prefix of storage keys, for a plain key of this mount.
    pub fn storage_key(&self, plain_key: &str) -> String {
        format!("{}{}", self.prefix, self.relative(plain_key))
    }

    /// Returns the plain key for a storage key. `None` if the mount has no such storage key.
    pub fn plain_key(&self, storage_key: &str) -> Option<String> {
        let relative = storage_key.strip_prefix(&self.prefix)?;
        Some(format!("{}{relative}", self.at))
    }

    /// Returns true if signed URLs of this mount have only the permissions of a session, if the signing mode limits sessions
    /// to the permissions of a rule. An access key has no sessions.
    pub const fn has_sessions(&self) -> bool {
        !matches!(
            self.credentials,
            MountCredentials::Static { .. } | MountCredentials::Machine
        )
    }

    /// Returns the mount as a local server emulates it: with a bucket in the store and with the credentials of the service.
    #[must_use]
    pub fn emulated(&self) -> Self {
        Self {
            at: self.at.clone(),
            bucket: self.bucket.rsplit(['/', ':']).next().unwrap_or_default().to_owned(),
            prefix: self.prefix.clone(),
            ..Self::default()
        }
    }

    /// Returns true if two mounts with the same name of the bucket may contain some of the same objects. Their endpoints prove
    /// nothing, because a store can have several.
    fn may_share_objects_with(&self, other: &Self) -> bool {
        self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix)
    }

    /// Returns a text that only mounts with the same location have. The location of an object does not depend on
    /// credentials.
    pub fn location(&self) -> String {
        let Self {
            at,
            bucket,
            prefix,
            endpoint,
            ..
        } = self;
        format!("{at}\n{bucket}\n{prefix}\n{}", endpoint.as_deref().unwrap_or_default())
    }
}
