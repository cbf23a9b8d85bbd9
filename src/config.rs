//! The settings. Each one is declared once, with its documentation, its default and its parser in [`parse`].

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderValue;
use tracing::level_filters::LevelFilter;

use crate::auth::Keyring;
use crate::key::ObjectKey;
use crate::mount::{Mount, MountCredentials};

/// An invalid setting. The message begins with the name of the variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{var}: {problem}")]
pub struct ConfigError {
    /// The environment variable.
    pub var: &'static str,
    /// The problem. It quotes the value unless it is a secret.
    pub problem: String,
}

/// One environment variable, for the documentation and the tests that compare it with the code.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the variable.
    pub var: &'static str,
    /// The description.
    pub doc: &'static str,
    /// The default. `None` if the setting is required or optional without a default.
    pub default: Option<&'static str>,
}

macro_rules! settings {
    ($(#[doc = $doc:literal] $field:ident: $type:ty = $var:literal, default $default:expr, $parse:ident;)*) => {
        /// The settings from the environment.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $doc] pub $field: $type,)*
            #[doc = " The access keys of mounts, by the names that their variables end with."]
            pub access_keys: BTreeMap<String, SecretSetting<AccessKey>>,
            #[doc = " The mounts of a local server."]
            pub local_mounts: Option<LocalMounts>,
        }

        impl Settings {
            /// Every setting, in the order of the documentation.
            pub const ALL: &[Setting] = &[$(Setting { var: $var, doc: $doc, default: $default },)* ACCESS_KEY];

            /// Reads the environment. Unknown variables that begin with `SIGNPOST_` are an error.
            pub fn from_env(env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
                let env: Vec<(String, String)> = env.into_iter().collect();
                reject_unknown(&env)?;
                let settings = Self {
                    $($field: {
                        let value = env.iter().find(|(name, _)| name == $var).map(|(_, value)| value.as_str());
                        let value = value.filter(|value| !value.trim().is_empty()).or($default);
                        parse::$parse(value).map_err(|problem: String| ConfigError { var: $var, problem })?
                    },)*
                    access_keys: access_keys(&env)?,
                    local_mounts: None,
                };
                settings.check_combinations()?;
                Ok(settings)
            }
        }
    };
}

settings! {
    #[doc = " The bucket of every key outside the mounts of the rules. Required if the rules have no mount."]
    bucket: Option<String> = "SIGNPOST_BUCKET", default None, bucket;
    #[doc = " The rules, as TOML. Without rules, Signpost rejects every request."]
    rules: Option<String> = "SIGNPOST_RULES", default None, text;
    #[doc = " A file with the rules. Default: `rules.toml` in the directory of the function, if it exists."]
    rules_file: Option<String> = "SIGNPOST_RULES_FILE", default None, text;
    #[doc = " A source of the rules outside the function: `s3://BUCKET/KEY` or `ssm:NAME`. Signpost reads them \
              during the start-up, and again when they are a minute old."]
    rules_source: Option<RulesSource> = "SIGNPOST_RULES_SOURCE", default None, rules_source;
    #[doc = " The keys that sign share links and sessions, created with `signpost key new`: `ID:KEY`, or two keys \
              separated by a comma. The first key signs, and both verify. Without keys, share links and sign-in \
              are disabled. Or the place where this text is stored: `ssm:NAME` (a parameter of Systems Manager) or \
              `secretsmanager:ARN`. Signpost reads it during the start-up, and again when it is a minute old."]
    keys: SecretSetting<Keyring> = "SIGNPOST_KEYS", default None, keyring;
    #[doc = " The secret of the client that the rules name in `client_id`, if its issuer requires one. Or the place \
              where it is stored, as for `SIGNPOST_KEYS`."]
    client_secret: Option<SecretSetting<ClientSecret>> = "SIGNPOST_CLIENT_SECRET", default None, client_secret;
    #[doc = " The name or ARN of a `DynamoDB` table, the id table. It contains the ids of objects, the uses of share \
              links and the locks of git-lfs. Without it, rules cannot use `{id}`, share links cannot limit their uses, \
              and git-lfs cannot lock files."]
    table: Option<IdTableLocation> = "SIGNPOST_TABLE", default None, table;
    #[doc = " The origin of S3 for clients, if it is not an endpoint of AWS: `https://s3.example.com`."]
    endpoint: Option<String> = "SIGNPOST_ENDPOINT", default None, endpoint;
    #[doc = " If `true`, the bucket is in the path of URLs instead of the host name. `auto`: only with a custom \
              endpoint, or if the name is not valid in a host name. Or `false`."]
    path_style: PathStyle = "SIGNPOST_PATH_STYLE", default Some("auto"), path_style;
    #[doc = " If `true`, URLs use S3 Transfer Acceleration."]
    accelerate: bool = "SIGNPOST_ACCELERATE", default Some("false"), boolean;
    #[doc = " The role that modes `signer` and `scoped` assume: `arn:aws:iam::123456789012:role/signer`."]
    signer_role_arn: Option<String> = "SIGNPOST_SIGNER_ROLE_ARN", default None, role_arn;
    #[doc = " Which credentials sign URLs. `execution`: the function's own role. `signer`: one session of the signer role. \
              `scoped`: one session for each user and rule, limited to what the rule allows."]
    signing_mode: SigningMode = "SIGNPOST_SIGNING_MODE", default Some("execution"), signing_mode;
    #[doc = " The duration of a session of the signer role. AWS allows a function `15m` to `1h`."]
    signer_session: Duration = "SIGNPOST_SIGNER_SESSION", default Some("1h"), session;
    #[doc = " If `true`, the session of a user has the `user_id` as its source identity. The trust policy of the \
              role must then allow `sts:SetSourceIdentity`."]
    signer_source_identity: bool = "SIGNPOST_SIGNER_SOURCE_IDENTITY", default Some("true"), boolean;
    #[doc = " The longest lifetime of a URL that rules may set. Rules with a longer one stop the start-up. \
              `s3:signatureAge` in the bucket policy should have the same value."]
    max_expires: Duration = "SIGNPOST_MAX_EXPIRES", default Some("15m"), max_expires;
    #[doc = " The path prefix in front of the key, if the front does not report it: `/files` for an ALB rule \
              `/files/*`."]
    base_path: String = "SIGNPOST_BASE_PATH", default Some("/"), base_path;
    #[doc = " The URL of the service for clients, if a CDN in front of it uses another name: \
              `https://files.example.com`."]
    public_url: Option<String> = "SIGNPOST_PUBLIC_URL", default None, public_url;
    #[doc = " The origins whose pages may use the service, separated by commas: `https://app.example.com`, or `*`."]
    cors_origins: CorsOrigins = "SIGNPOST_CORS_ORIGINS", default Some(""), cors_origins;
    #[doc = " The log level: `off`, `error`, `warn`, `info`, `debug` or `trace`."]
    log: LevelFilter = "SIGNPOST_LOG", default Some("info"), level;
    #[doc = " With `emf` (embedded metric format), each request also writes a line of metrics, for which AWS \
              charges. Or `off`."]
    metrics: Metrics = "SIGNPOST_METRICS", default Some("off"), metrics;
    #[doc = " The region of the bucket. Lambda sets it; required elsewhere."]
    region: String = "AWS_REGION", default None, region;
    #[doc = " The setting of the SDK for FIPS endpoints."]
    use_fips: bool = "AWS_USE_FIPS_ENDPOINT", default Some("false"), boolean;
    #[doc = " The setting of the SDK for dual-stack endpoints."]
    use_dual_stack: bool = "AWS_USE_DUALSTACK_ENDPOINT", default Some("false"), boolean;
    #[doc = " The endpoint of the SDK for S3. `SIGNPOST_ENDPOINT` overrides it."]
    s3_endpoint: Option<String> = "AWS_ENDPOINT_URL_S3", default None, endpoint;
    #[doc = " The endpoint of the SDK for every service. The endpoints of single services override it."]
    any_endpoint: Option<String> = "AWS_ENDPOINT_URL", default None, endpoint;
    #[doc = " The endpoint of the SDK for STS. It overrides `AWS_ENDPOINT_URL`."]
    sts_endpoint: Option<String> = "AWS_ENDPOINT_URL_STS", default None, endpoint;
    #[doc = " The endpoint of the SDK for Systems Manager. It overrides `AWS_ENDPOINT_URL`."]
    ssm_endpoint: Option<String> = "AWS_ENDPOINT_URL_SSM", default None, endpoint;
    #[doc = " The endpoint of the SDK for Secrets Manager. It overrides `AWS_ENDPOINT_URL`."]
    secrets_manager_endpoint: Option<String> = "AWS_ENDPOINT_URL_SECRETS_MANAGER", default None, endpoint;
    #[doc = " The endpoint of the SDK for `DynamoDB`. It overrides `AWS_ENDPOINT_URL`."]
    dynamodb_endpoint: Option<String> = "AWS_ENDPOINT_URL_DYNAMODB", default None, endpoint;
}

/// The settings with the access keys of mounts. There can be any number of them.
const ACCESS_KEY: Setting = Setting {
    var: "SIGNPOST_CREDENTIALS_NAME",
    doc: " An access key for the mounts that contain `credentials = \"NAME\"`, where `NAME` can have capital letters, digits and \
          `_`: `ACCESS_KEY_ID:SECRET`. Or the place where it is stored, as for `SIGNPOST_KEYS`. Signpost reads it when a \
          request first requires it.",
    default: None,
};

/// The beginning of the names of the settings with access keys.
const ACCESS_KEY_PREFIX: &str = "SIGNPOST_CREDENTIALS_";

/// The location of the id table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdTableLocation {
    /// A `DynamoDB` table, by its name or ARN.
    DynamoDb(String),
    /// A folder, for a service with a single process. No variable sets this.
    Folder(PathBuf),
}

/// The location of rules that are stored outside the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesSource {
    /// An object.
    S3 {
        /// The bucket, in the region of the settings.
        bucket: String,
        /// The key.
        key: ObjectKey,
    },
    /// A parameter of Systems Manager.
    Ssm {
        /// The name or ARN.
        name: String,
    },
}

/// The value of a setting that is a secret, or the place where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSetting<T> {
    /// The value.
    Value(T),
    /// The place outside the function.
    Stored(SecretLocation),
}

/// The location of a secret that is stored outside the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretLocation {
    /// A parameter of Systems Manager.
    Ssm {
        /// The name or ARN.
        name: String,
    },
    /// A secret of Secrets Manager.
    SecretsManager {
        /// The name or ARN.
        id: String,
    },
}

/// The secret with which this service authenticates to an issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Wraps the text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the issuer only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(redacted)")
    }
}

/// The mounts of a local server. No variable sets this.
#[derive(Clone, Debug, Default)]
pub struct LocalMounts {
    /// If true, the mounts of the rules without an endpoint are in the store of the service.
    pub emulate: bool,
    /// Further mounts. They replace mounts of the rules with the same public keys.
    pub added: Vec<Mount>,
}

/// An access key of a store.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    id: String,
    secret: String,
}

impl AccessKey {
    /// The id and the secret, for signatures only.
    pub fn expose(&self) -> (&str, &str) {
        (&self.id, &self.secret)
    }
}

/// The error does not contain the text, because it is a secret.
impl FromStr for AccessKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id =
            |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"/,".contains(&byte));
        let is_secret = |secret: &str| !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        match text.trim().split_once(':') {
            Some((id, secret)) if is_id(id) && is_secret(secret) => Ok(Self {
                id: id.to_owned(),
                secret: secret.to_owned(),
            }),
            Some(_) | None => Err("must be ACCESS_KEY_ID:SECRET".to_owned()),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(redacted)")
    }
}

/// The position of the bucket in a URL: the path or the host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// In the path if the endpoint is custom, or if the name of the bucket is not valid in a host name.
    Auto,
    /// Always in the path.
    Always,
    /// In the host name, unless the name of the bucket is not valid there.
    Never,
}

/// Which credentials sign URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningMode {
    /// The credentials of the function's own role.
    Execution,
    /// One session of the signer role.
    Signer,
    /// One session of the signer role for each user and rule, with a session policy that allows what the rule allows.
    Scoped,
}

/// The metrics of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metrics {
    /// No metrics.
    Off,
    /// In the embedded metric format of `CloudWatch`.
    Emf,
}

/// The origins whose pages may use the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every origin. This is safe, because browsers send no credentials of their own to the service.
    Any,
    /// These origins.
    Listed(Vec<String>),
}

impl Settings {
    /// The custom endpoint of S3, if any.
    pub fn custom_endpoint(&self) -> Option<&str> {
        self.endpoint
            .as_deref()
            .or(self.s3_endpoint.as_deref())
            .or(self.any_endpoint.as_deref())
    }

    /// The settings of a service whose only bucket is that of `mount`.
    #[must_use]
    pub fn for_mount(&self, mount: &Mount) -> Self {
        let mut settings = Self {
            bucket: Some(mount.bucket.clone()),
            region: mount.region.clone().unwrap_or_else(|| self.region.clone()),
            accelerate: false,
            ..self.clone()
        };
        if mount.endpoint.is_some() || mount.credentials == MountCredentials::Machine {
            settings.endpoint.clone_from(&mount.endpoint);
            (settings.s3_endpoint, settings.any_endpoint) = (None, None);
            settings.path_style = PathStyle::Auto;
        }
        settings.path_style = match mount.path_style {
            None => settings.path_style,
            Some(true) => PathStyle::Always,
            Some(false) => PathStyle::Never,
        };
        settings
    }

    /// Returns the reason why these settings do not support a mount.
    pub fn mount_problem(&self, mount: &Mount) -> Option<String> {
        if let MountCredentials::Static { name } = &mount.credentials
            && !self.access_keys.contains_key(name)
        {
            return Some(format!("credentials: requires the setting {ACCESS_KEY_PREFIX}{name}"));
        }
        if mount.endpoint.is_some() && (self.use_fips || self.use_dual_stack) {
            return Some(
                "endpoint: AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT allow only endpoints of AWS".to_owned(),
            );
        }
        match &self.rules_source {
            Some(RulesSource::S3 { bucket, .. }) if *bucket == mount.bucket => {
                Some(format!("SIGNPOST_RULES_SOURCE: {RULES_IN_SERVED_BUCKET}"))
            }
            _ => None,
        }
    }

    /// The custom endpoint of STS, if any.
    pub fn custom_sts_endpoint(&self) -> Option<&str> {
        self.sts_endpoint.as_deref().or(self.any_endpoint.as_deref())
    }

    /// The custom endpoint of `DynamoDB`, if any.
    pub fn custom_dynamodb_endpoint(&self) -> Option<&str> {
        self.dynamodb_endpoint.as_deref().or(self.any_endpoint.as_deref())
    }

    /// The custom endpoint of Systems Manager, if any.
    pub fn custom_ssm_endpoint(&self) -> Option<&str> {
        self.ssm_endpoint.as_deref().or(self.any_endpoint.as_deref())
    }

    /// The custom endpoint of Secrets Manager, if any.
    pub fn custom_secrets_manager_endpoint(&self) -> Option<&str> {
        self.secrets_manager_endpoint
            .as_deref()
            .or(self.any_endpoint.as_deref())
    }

    fn check_combinations(&self) -> Result<(), ConfigError> {
        self.check_rules_location()?;
        self.check_signing_mode()?;
        if self.accelerate && self.custom_endpoint().is_some() {
            return invalid("SIGNPOST_ACCELERATE", "a custom endpoint does not support acceleration");
        }
        Ok(())
    }

    fn check_rules_location(&self) -> Result<(), ConfigError> {
        if self.rules.is_some() && self.rules_file.is_some() {
            return invalid(
                "SIGNPOST_RULES_FILE",
                "set only one of SIGNPOST_RULES_FILE and SIGNPOST_RULES",
            );
        }
        if self.rules_source.is_some() && (self.rules.is_some() || self.rules_file.is_some()) {
            return invalid(
                "SIGNPOST_RULES_SOURCE",
                "set only one of SIGNPOST_RULES_SOURCE, SIGNPOST_RULES and SIGNPOST_RULES_FILE",
            );
        }
        if matches!(&self.rules_source, Some(RulesSource::S3 { bucket, .. }) if self.bucket.as_ref() == Some(bucket)) {
            return invalid("SIGNPOST_RULES_SOURCE", RULES_IN_SERVED_BUCKET);
        }
        Ok(())
    }

    fn check_signing_mode(&self) -> Result<(), ConfigError> {
        match (self.signing_mode, &self.signer_role_arn) {
            (SigningMode::Execution, Some(_)) => invalid(
                "SIGNPOST_SIGNER_ROLE_ARN",
                "mode execution does not assume a role; set SIGNPOST_SIGNING_MODE to signer or scoped",
            ),
            (SigningMode::Signer | SigningMode::Scoped, None) => invalid(
                "SIGNPOST_SIGNING_MODE",
                "modes signer and scoped require SIGNPOST_SIGNER_ROLE_ARN",
            ),
            (SigningMode::Execution, None) | (SigningMode::Signer | SigningMode::Scoped, Some(_)) => Ok(()),
        }
    }
}

const RULES_IN_SERVED_BUCKET: &str =
    "the rules must be in another bucket: a user who may write to the served bucket could change them";

fn invalid(var: &'static str, problem: &str) -> Result<(), ConfigError> {
    Err(ConfigError {
        var,
        problem: problem.into(),
    })
}

impl CorsOrigins {
    /// The value of `Access-Control-Allow-Origin` for a page of this origin, if it is allowed.
    pub fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(origins) => origins
                .iter()
                .any(|listed| listed.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
        }
    }

    /// Returns true if no origin is allowed.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Listed(origins) if origins.is_empty())
    }
}

/// How long a browser may cache the response to a preflight request.
pub const PREFLIGHT_MAX_AGE: Duration = Duration::from_mins(10);

fn access_keys(env: &[(String, String)]) -> Result<BTreeMap<String, SecretSetting<AccessKey>>, ConfigError> {
    let values = env.iter().filter_map(|(variable, value)| {
        let name = variable.strip_prefix(ACCESS_KEY_PREFIX)?;
        (!value.trim().is_empty()).then_some((name, value))
    });
    let parsed = values.map(|(name, value)| {
        let error = |problem| ConfigError {
            var: ACCESS_KEY.var,
            problem: format!("{ACCESS_KEY_PREFIX}{name}: {problem}"),
        };
        Ok((name.to_owned(), parse::access_key(value).map_err(error)?))
    });
    parsed.collect()
}

/// Returns true for a name that a mount can refer to.
fn is_access_key_name(name: &str) -> bool {
    crate::mount::address::check_access_key_name(name).is_ok()
}

fn reject_unknown(env: &[(String, String)]) -> Result<(), ConfigError> {
    let is_setting = |name: &str| Settings::ALL.iter().any(|setting| setting.var == name);
    let is_known =
        |name: &str| is_setting(name) || name.strip_prefix(ACCESS_KEY_PREFIX).is_some_and(is_access_key_name);
    match env
        .iter()
        .find(|(name, _)| name.starts_with("SIGNPOST_") && !is_known(name))
    {
        Some((name, _)) => Err(ConfigError {
            var: "SIGNPOST_*",
            problem: if matches!(name.as_str(), "SIGNPOST_URL" | "SIGNPOST_TOKEN") {
                format!("{name} is a variable of the command `signpost`, and not a setting of the service; remove it")
            } else {
                format!("{name} is unknown; docs/SETTINGS.md lists all settings")
            },
        }),
        None => Ok(()),
    }
}
