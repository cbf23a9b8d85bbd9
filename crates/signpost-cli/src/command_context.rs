//! Chooses the service and the credential of a command from options, environment variables and profiles.

use crate::SystemAccess;
use crate::console_output::OutputFailure;
use crate::credential::{ServiceCredential, is_secure_origin, netrc_credential, parse_token, token_matches_service};
use crate::operation_error::OperationError;
use crate::options::ConnectionOptions;
use crate::profile_store::{DEFAULT_PROFILE, ProfileStore, ServiceProfile};
use crate::transfer_state::StateFolder;

/// The environment of a command.
pub(crate) struct CommandContext<'a, 's> {
    pub(crate) state: StateFolder,
    pub(crate) profiles: ProfileStore,
    pub(crate) system: &'a mut SystemAccess<'s>,
    pub(crate) output_failure: OutputFailure,
}

/// A credential and its source.
pub(crate) struct SourcedCredential {
    pub(crate) credential: ServiceCredential,
    pub(crate) source: String,
}

impl<'a, 's> CommandContext<'a, 's> {
    pub(crate) fn new(state: StateFolder, system: &'a mut SystemAccess<'s>) -> Result<Self, OperationError> {
        Ok(Self {
            state,
            profiles: ProfileStore::load()?,
            system,
            output_failure: OutputFailure::default(),
        })
    }

    /// The URL of the service: from `--profile`, then `SIGNPOST_URL`, then the default profile.
    pub(crate) fn base_url(&self, connection: &ConnectionOptions) -> Result<Option<String>, OperationError> {
        if let Some(name) = &connection.credential.profile {
            return Ok(Some(self.profiles.get_named(name)?.url.clone()));
        }
        let default_url = || self.profiles.0.get(DEFAULT_PROFILE).map(|profile| profile.url.clone());
        Ok((self.system.variable)("SIGNPOST_URL").or_else(default_url))
    }

    /// The credential for a service, if there is one: from `--token-file`, then `--profile`, then `SIGNPOST_TOKEN`,
    /// then a profile for that service, then `~/.netrc`.
    pub(crate) fn credential(
        &mut self,
        connection: &ConnectionOptions,
        origin: &str,
    ) -> Result<Option<SourcedCredential>, OperationError> {
        check_origin(self.find_credential(connection, origin)?, origin)
    }

    /// The credential that is stored for this service, if there is one. Use this for a URL from a server: `SIGNPOST_TOKEN` and
    /// `--token-file` name no service, so a server could get the token of another one.
    pub(crate) fn stored_credential(&self, origin: &str) -> Result<Option<SourcedCredential>, OperationError> {
        check_origin(self.find_stored(origin)?, origin)
    }

    fn find_credential(
        &mut self,
        connection: &ConnectionOptions,
        origin: &str,
    ) -> Result<Option<SourcedCredential>, OperationError> {
        if let Some(file) = &connection.credential.token_file {
            let credential = ServiceCredential::from_file(file, self.system.stdin)?;
            return Ok(Some(SourcedCredential::new(credential, "--token-file")));
        }
        if let Some(name) = &connection.credential.profile {
            let profile = self.profiles.get_named(name)?;
            let is_for_it = ProfileStore([(name.clone(), profile.clone())].into())
                .find_for_origin(origin)
                .is_some();
            return is_for_it.then(|| from_profile(name, profile)).transpose();
        }
        let variable = self.system.variable;
        if let Some(token) = variable("SIGNPOST_TOKEN") {
            let from_environment = || Ok(SourcedCredential::new(parse_token(&token)?, "SIGNPOST_TOKEN"));
            let is_for_it = token_matches_service(origin, variable);
            return is_for_it.then(from_environment).transpose();
        }
        self.find_stored(origin)
    }

    fn find_stored(&self, origin: &str) -> Result<Option<SourcedCredential>, OperationError> {
        if let Some((name, profile)) = self.profiles.find_for_origin(origin) {
            return from_profile(name, profile).map(Some);
        }
        let credential = netrc_credential(origin, self.system.variable)?;
        Ok(credential.map(|credential| SourcedCredential::new(credential, "~/.netrc")))
    }
}

impl SourcedCredential {
    fn new(credential: ServiceCredential, source: &str) -> Self {
        Self {
            credential,
            source: source.to_owned(),
        }
    }
}

fn from_profile(name: &str, profile: &ServiceProfile) -> Result<SourcedCredential, OperationError> {
    let credential = parse_token(profile.token.expose())?;
    Ok(SourcedCredential::new(credential, &format!("profile {name:?}")))
}

/// Rejects a credential that others could read on the way to the service.
fn check_origin(sourced: Option<SourcedCredential>, origin: &str) -> Result<Option<SourcedCredential>, OperationError> {
    if sourced.is_some() && !is_secure_origin(origin) {
        return Err(
            OperationError::usage(format!("the token would be sent unencrypted to {origin}"))
                .with_remedy("Use an https URL, or run the command without a token."),
        );
    }
    Ok(sourced)
}
