//! Combines the command-line options and the environment variables into the settings of the library.

use std::ffi::OsString;

use aws_credential_types::Credentials;
use signpost::config::{ConfigError, Settings};
use signpost::operation::CLIENT_SETTABLE;

use crate::options::ServerOptions;

/// The bucket of the embedded S3.
pub(crate) const EMBEDDED_BUCKET: &str = "signpost";

/// The region of the embedded S3 if no option specifies one.
pub(crate) const EMBEDDED_REGION: &str = "us-east-1";

/// The variables with the key pair of the embedded S3.
const S3_KEY_ID: &str = "SIGNPOST_LOCAL_S3_ACCESS_KEY_ID";
const S3_SECRET_KEY: &str = "SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY";

/// The variables of the command `signpost`. They are often set in the same shell, and are not settings of the service.
const CLIENT_VARIABLES: [&str; 2] = ["SIGNPOST_URL", "SIGNPOST_TOKEN"];

/// The environment variables, overridden by the command-line options.
#[derive(Clone, Debug)]
pub(crate) struct ServerEnvironment(Vec<(String, String)>);

impl ServerEnvironment {
    /// Combines the options and the process's variables. Variables that are not Unicode cannot be settings and are ignored.
    pub(crate) fn new(options: &ServerOptions, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut environment = Self(variables.into_iter().filter_map(unicode).collect());
        for variable in CLIENT_VARIABLES {
            environment.remove(variable);
        }
        if let Some(rules) = &options.rules {
            environment.remove("SIGNPOST_RULES");
            environment.remove("SIGNPOST_RULES_SOURCE");
            environment.set("SIGNPOST_RULES_FILE", &rules.to_string_lossy());
        }
        let overriding = [
            ("SIGNPOST_BUCKET", &options.bucket),
            ("SIGNPOST_ENDPOINT", &options.endpoint),
            ("AWS_REGION", &options.region),
        ];
        for (var, value) in overriding {
            if let Some(value) = value {
                environment.set(var, value);
            }
        }
        environment
    }

    /// Returns true if a setting specifies an external bucket or endpoint, so that the embedded S3 is not started.
    pub(crate) fn has_external_bucket(&self) -> bool {
        self.get("SIGNPOST_BUCKET").is_some() || self.get("SIGNPOST_ENDPOINT").is_some()
    }

    /// Configures the embedded S3 as storage. Removes the SDK's own variables, because they configure access to AWS.
    pub(crate) fn use_embedded_s3(&mut self, endpoint: &str, region: &str) {
        // A mount of another store may assume a role there.
        self.0
            .retain(|(name, _)| !name.starts_with("AWS_") || name == "AWS_ENDPOINT_URL_STS");
        self.set("SIGNPOST_BUCKET", EMBEDDED_BUCKET);
        self.set("SIGNPOST_ENDPOINT", endpoint);
        self.set("AWS_REGION", region);
    }

    /// Removes the key pair for the embedded S3 from the variables and returns it, unless an option overrides it. Returns
    /// `None` if neither sets one, and an error if a part of it is missing or cannot be a key.
    pub(crate) fn s3_credentials(&mut self, options: &ServerOptions) -> Result<Option<Credentials>, &'static str> {
        let id = options
            .s3_access_key_id
            .clone()
            .or_else(|| self.get(S3_KEY_ID).map(str::to_owned));
        let secret = options.s3_secret_access_key.clone();
        let secret = secret.or_else(|| self.get(S3_SECRET_KEY).map(str::to_owned));
        self.remove(S3_KEY_ID);
        self.remove(S3_SECRET_KEY);
        let (id, secret) = match (id, secret) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            _ => return Err("specify both the id and the secret, or neither"),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > 128 || !id.bytes().all(is_plain) {
            return Err("the id must have 1 to 128 letters, digits, `-` and `_`");
        }
        if secret.len() < 8 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the secret must have at least 8 visible ASCII characters");
        }
        Ok(Some(Credentials::new(id, secret, None, None, "signpost-local")))
    }

    /// Returns the origins whose pages may use the API; `*` represents every origin.
    pub(crate) fn cors_origins(&self) -> impl Iterator<Item = String> {
        let origins = self.get("SIGNPOST_CORS_ORIGINS").unwrap_or_default().split(',');
        origins
            .map(|origin| origin.trim().to_owned())
            .filter(|origin| !origin.is_empty())
    }

    /// Sets the region from the SDK's chain, unless a region is set already.
    pub(crate) fn set_default_region(&mut self, region: &str) {
        self.set_default("AWS_REGION", region);
    }

    /// Allows everyone everything if no rules are configured. Returns true if it did.
    pub(crate) fn allow_all_without_rules(&mut self) -> bool {
        let rule_settings = ["SIGNPOST_RULES", "SIGNPOST_RULES_FILE", "SIGNPOST_RULES_SOURCE"];
        let open = rule_settings.iter().all(|name| self.get(name).is_none());
        if open {
            self.set("SIGNPOST_RULES", &allow_all_rules());
        }
        open
    }

    /// Returns true if the user set a log level.
    pub(crate) fn sets_log_level(&self) -> bool {
        self.get("SIGNPOST_LOG").is_some()
    }

    /// Parses the settings of the library.
    pub(crate) fn settings(self) -> Result<Settings, ConfigError> {
        Settings::from_env(self.0)
    }

    /// Returns the value of a variable, or `None` if it is unset or blank.
    pub(crate) fn get(&self, var: &str) -> Option<&str> {
        let variable = self.0.iter().find(|(name, _)| name == var);
        variable
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.trim().is_empty())
    }

    fn set(&mut self, var: &str, value: &str) {
        self.remove(var);
        self.0.push((var.to_owned(), value.to_owned()));
    }

    fn set_default(&mut self, var: &str, value: &str) {
        if self.get(var).is_none() {
            self.set(var, value);
        }
    }

    fn remove(&mut self, var: &str) {
        self.0.retain(|(name, _)| name != var);
    }
}

/// Rules that allow everyone everything except overwriting an object.
fn allow_all_rules() -> String {
    let client_may_set: Vec<String> = CLIENT_SETTABLE.iter().map(|name| format!("{name:?}")).collect();
    format!(
        "version = 1\n\
         [[rule]]\n\
         id = \"local\"\n\
         who = [\"anyone\"]\n\
         can = [\"read\", \"write\", \"delete\", \"list\"]\n\
         on = [\"**\"]\n\
         allow_anonymous_write = true\n\
         overwrite = false\n\
         client_may_set = [{}]\n",
        client_may_set.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use signpost::policy::Policy;

    use super::*;

    fn environment(args: &[&str], variables: &[(&str, &str)]) -> ServerEnvironment {
        let options = ServerOptions::parse_from([&["signpost-local"], args].concat());
        ServerEnvironment::new(
            &options,
            variables.iter().map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn the_allow_all_rules_are_valid() {
        assert_eq!(Policy::parse(&allow_all_rules()).map(|policy| policy.len()), Ok(1));
    }

    #[test]
    fn options_override_the_environment() {
        let set = [
            ("SIGNPOST_BUCKET", "from-environment"),
            ("SIGNPOST_RULES", "version = 1"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let settings = environment(&["--bucket", "from-option", "--rules", "r.toml"], &set)
            .settings()
            .unwrap();
        assert_eq!(settings.bucket.as_deref(), Some("from-option"));
        assert_eq!(settings.rules_file.as_deref(), Some("r.toml"));
        assert_eq!(settings.rules, None);
        assert_eq!(settings.region, "eu-west-1");
    }

    #[test]
    fn a_key_pair_for_the_embedded_s3_is_complete_and_options_override_variables() {
        let found = |args: &[&str], variables: &[(&str, &str)]| {
            let options = ServerOptions::parse_from([&["signpost-local"], args].concat());
            let mut environment = environment(args, variables);
            let credentials = environment.s3_credentials(&options)?;
            environment.use_embedded_s3("http://127.0.0.1:9", "us-east-1");
            environment
                .settings()
                .expect("the variables are not settings of the library");
            let pair = credentials.map(|pair| (pair.access_key_id().to_owned(), pair.secret_access_key().to_owned()));
            Ok::<_, &'static str>(pair)
        };
        let pair = |id: &str, secret: &str| Ok(Some((id.to_owned(), secret.to_owned())));
        let set = [(S3_KEY_ID, "from-env"), (S3_SECRET_KEY, "env-secret")];
        assert_eq!(found(&[], &[]), Ok(None));
        assert_eq!(found(&[], &set), pair("from-env", "env-secret"));
        let args = ["--s3-access-key-id", "local", "--s3-secret-access-key", "password"];
        assert_eq!(found(&args, &set), pair("local", "password"));
        for invalid in [
            vec![(S3_KEY_ID, "only-id")],
            vec![(S3_SECRET_KEY, "only-secret")],
            vec![(S3_KEY_ID, "a/b"), (S3_SECRET_KEY, "password")],
            vec![(S3_KEY_ID, "id"), (S3_SECRET_KEY, "short")],
            vec![(S3_KEY_ID, "id"), (S3_SECRET_KEY, "with a space")],
        ] {
            assert!(found(&[], &invalid).is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn settings_for_aws_do_not_affect_the_embedded_s3() {
        let mut environment = environment(&[], &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_REGION", "eu-west-1")]);
        assert!(!environment.has_external_bucket());
        environment.use_embedded_s3("http://127.0.0.1:9", "us-east-1");
        let settings = environment.settings().unwrap();
        assert!(!settings.use_fips);
        assert_eq!(settings.region, "us-east-1");
    }

    #[test]
    fn the_variables_of_the_command_are_not_settings() {
        let set = [("SIGNPOST_URL", "http://127.0.0.1:8080"), ("SIGNPOST_TOKEN", "hush")];
        let mut environment = environment(&[], &set);
        environment.use_embedded_s3("http://127.0.0.1:9", "us-east-1");
        assert!(environment.settings().is_ok());
    }

    #[test]
    fn no_cors_origin_is_allowed_by_default() {
        let mut embedded = environment(&[], &[]);
        embedded.use_embedded_s3("http://127.0.0.1:9", "us-east-1");
        let real = environment(&["--bucket", "files", "--region", "eu-west-1"], &[]);
        assert!(real.has_external_bucket());
        for environment in [embedded, real] {
            assert!(environment.settings().unwrap().cors_origins.is_empty());
        }
    }
}
