//! From the command line and the environment to the settings of the core.

use std::ffi::OsString;

use signpost::config::{ConfigError, Settings};
use signpost::operation::CLIENT_SETTABLE;

use crate::options::Options;

/// The bucket of the embedded S3.
pub(crate) const EMBEDDED_BUCKET: &str = "signpost";

/// The region of the embedded S3 where no option names one.
pub(crate) const EMBEDDED_REGION: &str = "us-east-1";

/// The environment with the options laid over it.
#[derive(Clone, Debug)]
pub(crate) struct Environment(Vec<(String, String)>);

impl Environment {
    /// Takes the process's variables; those that are not Unicode cannot be settings of ours.
    pub(crate) fn new(options: &Options, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut environment = Self(variables.into_iter().filter_map(unicode).collect());
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

    /// Whether the bucket is elsewhere, so that no embedded S3 is wanted.
    pub(crate) fn names_a_bucket(&self) -> bool {
        self.get("SIGNPOST_BUCKET").is_some() || self.get("SIGNPOST_ENDPOINT").is_some()
    }

    /// Points every setting at the embedded S3; what the SDK's own variables say is meant for AWS.
    pub(crate) fn use_embedded(&mut self, endpoint: &str, region: &str) {
        self.0.retain(|(name, _)| !name.starts_with("AWS_"));
        self.set("SIGNPOST_BUCKET", EMBEDDED_BUCKET);
        self.set("SIGNPOST_ENDPOINT", endpoint);
        self.set("AWS_REGION", region);
    }

    /// Names the region that the SDK's chain found, unless one is named already.
    pub(crate) fn default_region(&mut self, region: &str) {
        self.set_default("AWS_REGION", region);
    }

    /// Lets anyone do everything where no rules are named; says whether it did.
    pub(crate) fn open_without_rules(&mut self) -> bool {
        let places = ["SIGNPOST_RULES", "SIGNPOST_RULES_FILE", "SIGNPOST_RULES_SOURCE"];
        let open = places.iter().all(|place| self.get(place).is_none());
        if open {
            self.set("SIGNPOST_RULES", &open_rules());
        }
        open
    }

    /// The log level, if the user asked for one.
    pub(crate) fn asks_for_log(&self) -> bool {
        self.get("SIGNPOST_LOG").is_some()
    }

    /// The settings of the core.
    pub(crate) fn settings(self) -> Result<Settings, ConfigError> {
        Settings::from_env(self.0)
    }

    /// The value of a variable that says something.
    pub(crate) fn get(&self, var: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == var);
        found
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

/// Rules under which anyone may do everything but replace an object.
fn open_rules() -> String {
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

    fn environment(args: &[&str], variables: &[(&str, &str)]) -> Environment {
        let options = Options::parse_from([&["signpost-local"], args].concat());
        Environment::new(
            &options,
            variables.iter().map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn the_open_rules_are_rules() {
        assert_eq!(Policy::parse(&open_rules()).map(|policy| policy.len()), Ok(1));
    }

    #[test]
    fn options_go_before_the_environment() {
        let set = [
            ("SIGNPOST_BUCKET", "from-environment"),
            ("SIGNPOST_RULES", "version = 1"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let settings = environment(&["--bucket", "from-option", "--rules", "r.toml"], &set)
            .settings()
            .unwrap();
        assert_eq!(settings.bucket, "from-option");
        assert_eq!(settings.rules_file.as_deref(), Some("r.toml"));
        assert_eq!(settings.rules, None);
        assert_eq!(settings.region, "eu-west-1");
    }

    #[test]
    fn the_embedded_s3_is_not_reached_through_settings_meant_for_aws() {
        let mut environment = environment(&[], &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_REGION", "eu-west-1")]);
        assert!(!environment.names_a_bucket());
        environment.use_embedded("http://127.0.0.1:9", "us-east-1");
        let settings = environment.settings().unwrap();
        assert!(!settings.use_fips);
        assert_eq!(settings.region, "us-east-1");
    }

    #[test]
    fn no_web_page_is_let_in_unasked() {
        let mut embedded = environment(&[], &[]);
        embedded.use_embedded("http://127.0.0.1:9", "us-east-1");
        let real = environment(&["--bucket", "files", "--region", "eu-west-1"], &[]);
        assert!(real.names_a_bucket());
        for environment in [embedded, real] {
            assert!(environment.settings().unwrap().cors_origins.is_empty());
        }
    }
}
