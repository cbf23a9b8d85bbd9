//! The endpoints and credentials of mounts. Those of a `[[mount]]` are prepared when a request first uses it.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::config::{AccessKey, ConfigError, SecretSetting, Settings};
use crate::mount::{Mount, MountCredentials};
use crate::outbound::aws::{
    CredentialSource, Presigner, SecretSource, SessionTarget, SignerCredentials, SigningCredentials,
};
use crate::outbound::https_client::HttpsClient;
use crate::plan::PresignError;
use crate::policy::Policy;
use crate::service::active_secret::RefreshedSecret;

/// The buckets of all mounts.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    /// The bucket of the setting `SIGNPOST_BUCKET`.
    root: Option<Arc<Bucket>>,
    mounted: Arc<MountedBuckets>,
}

/// A bucket with everything that a signature for it requires.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The public keys of the mount.
    at: String,
    pub(super) presigner: Presigner,
    credentials: BucketCredentials,
}

/// The credentials that sign the URLs of one bucket.
#[derive(Debug)]
enum BucketCredentials {
    Signing(SigningCredentials),
    /// An access key that is stored outside the function.
    Stored(Box<RefreshedSecret<CredentialSource>>),
}

/// The buckets that requests have used.
struct MountedBuckets {
    settings: Settings,
    /// The credentials of the function itself.
    base: CredentialSource,
    /// The credentials of mounts without their own.
    signing: SigningCredentials,
    /// The credentials of the machine of a local server.
    machine: Option<CredentialSource>,
    https: HttpsClient,
    buckets: Mutex<HashMap<Arc<Mount>, Arc<Bucket>>>,
}

impl Buckets {
    /// Prepares the bucket of the settings. An error stops the start-up.
    pub(crate) async fn new(
        settings: &Settings,
        base: CredentialSource,
        machine: Option<CredentialSource>,
        https: &HttpsClient,
    ) -> Result<Self, ConfigError> {
        let signing = SigningCredentials::new(settings, base.clone(), https.clone())?;
        let root = match &settings.bucket {
            None => None,
            Some(_) => Some(Arc::new(Bucket {
                at: String::new(),
                presigner: Presigner::resolve(settings).await?,
                credentials: BucketCredentials::Signing(signing.clone()),
            })),
        };
        Ok(Self {
            root,
            mounted: Arc::new(MountedBuckets {
                settings: settings.clone(),
                base,
                signing,
                machine,
                https: https.clone(),
                buckets: Mutex::default(),
            }),
        })
    }

    /// Opens the connection that the first session of the signer role requires.
    pub(super) async fn connect(&self) {
        self.mounted.signing.connect().await;
    }

    /// Assumes the signer role, if a mount uses it. A mount with its own role assumes it for its first request.
    pub(super) async fn prepare(&self, policy: &Policy, now: SystemTime) -> Result<(), PresignError> {
        let mut mounts = policy.mounts.iter();
        if mounts.any(|mount| mount.credentials == MountCredentials::Service) {
            self.mounted.signing.prepare(policy, now).await?;
        }
        Ok(())
    }

    /// Returns the bucket of a mount of `policy`.
    pub(super) async fn get(&self, policy: &Policy, mount: &Arc<Mount>) -> Result<Arc<Bucket>, PresignError> {
        match &self.root {
            Some(root) if mount.is_root() => Ok(Arc::clone(root)),
            Some(_) | None => self.mounted.get(policy, mount).await,
        }
    }
}

impl MountedBuckets {
    /// The future is boxed, so that the futures of requests without mounts stay small.
    fn get<'a>(
        &'a self,
        policy: &'a Policy,
        mount: &'a Arc<Mount>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<Bucket>, PresignError>> + Send + 'a>> {
        Box::pin(async move {
            let known = self.lock().get(mount).cloned();
            if let Some(bucket) = known {
                return Ok(bucket);
            }
            let prepared = self
                .prepare(mount)
                .await
                .map_err(|error| unavailable(&mount.at, error))?;
            let mut buckets = self.lock();
            // The sessions of a mount end with its table in the rules.
            buckets.retain(|known, _| policy.mounts.iter().any(|current| current == known));
            Ok(Arc::clone(
                buckets.entry(Arc::clone(mount)).or_insert_with(|| Arc::new(prepared)),
            ))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<Mount>, Arc<Bucket>>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn prepare(&self, mount: &Mount) -> Result<Bucket, ConfigError> {
        Ok(Bucket {
            at: mount.at.clone(),
            presigner: Presigner::resolve(&self.settings.for_mount(mount)).await?,
            credentials: self.credentials(mount)?,
        })
    }

    fn credentials(&self, mount: &Mount) -> Result<BucketCredentials, ConfigError> {
        Ok(BucketCredentials::Signing(match &mount.credentials {
            MountCredentials::Service => self.signing.clone(),
            MountCredentials::Machine => {
                SigningCredentials::unlimited(self.machine.clone().unwrap_or_else(|| self.base.clone()))
            }
            MountCredentials::Role { arn, external_id } => {
                let role = (arn.as_str(), external_id.as_deref());
                SigningCredentials::for_role(&self.settings, role, self.base.clone(), self.https.clone())?
            }
            MountCredentials::Static { name } => return self.access_key(name),
        }))
    }

    fn access_key(&self, name: &str) -> Result<BucketCredentials, ConfigError> {
        let setting = self.settings.access_keys.get(name).ok_or_else(|| ConfigError {
            var: "SIGNPOST_CREDENTIALS_NAME",
            problem: format!("SIGNPOST_CREDENTIALS_{name} is not set"),
        })?;
        Ok(match setting {
            SecretSetting::Value(key) => {
                let key = CredentialSource::from_access_key(key);
                BucketCredentials::Signing(SigningCredentials::unlimited(key))
            }
            SecretSetting::Stored(location) => {
                let source = SecretSource::new(&self.settings, location, self.base.clone(), self.https.clone())?;
                let setting = format!("SIGNPOST_CREDENTIALS_{name}");
                BucketCredentials::Stored(Box::new(RefreshedSecret::new(setting, source, parse_access_key)))
            }
        })
    }
}

/// The settings contain secrets.
impl fmt::Debug for MountedBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MountedBuckets(redacted)")
    }
}

fn parse_access_key(text: &str) -> Result<CredentialSource, String> {
    text.parse()
        .map(|key: AccessKey| CredentialSource::from_access_key(&key))
}

fn unavailable(at: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PresignError {
    PresignError::MountUnavailable {
        at: at.to_owned(),
        source: source.into(),
    }
}

impl Bucket {
    /// Returns credentials for a request, for a URL that is valid for `expires` from `now` on.
    pub(super) async fn credentials(
        &self,
        policy: &Policy,
        target: SessionTarget<'_>,
        expires: Duration,
        now: SystemTime,
    ) -> Result<SignerCredentials, PresignError> {
        match &self.credentials {
            BucketCredentials::Signing(signing) => {
                let credentials = signing.credentials(policy, target, expires, now).await;
                credentials.map_err(|error| self.mount_error(error))
            }
            BucketCredentials::Stored(secret) => {
                // The log contains the reason.
                let key = secret.get(now).await;
                let key = key.ok_or_else(|| unavailable(&self.at, "its access key could not be read"))?;
                let signing = SigningCredentials::unlimited(key);
                signing.credentials(policy, target, expires, now).await
            }
        }
    }

    /// Returns the error of a request to this mount. If its role cannot be assumed, the other mounts still work.
    fn mount_error(&self, error: PresignError) -> PresignError {
        match error {
            PresignError::NoCredentials(source) if !self.at.is_empty() => unavailable(&self.at, source),
            error => error,
        }
    }
}
