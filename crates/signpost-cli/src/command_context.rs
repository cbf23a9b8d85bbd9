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
        if let Some(name) = &connection.profile {
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
        let sourced = self.find_credential(connection, origin)?;
        if sourced.is_some() && !is_secure_origin(origin) {
            return Err(
                OperationError::usage(format!("the token would be sent unencrypted to {origin}"))
                    .with_remedy("Use an https URL, or run the command without a token."),
            );
        }
        Ok(sourced)
    }

    fn find_credential(
        &mut self,
        connection: &ConnectionOptions,
        origin: &str,
    ) -> Result<Option<SourcedCredential>, OperationError> {
        let sourced = |credential, source: &str| {
            Ok(Some(SourcedCredential {
                credential,
                source: source.to_owned(),
            }))
        };
        if let Some(file) = &connection.token_file {
            return sourced(ServiceCredential::from_file(file, self.system.stdin)?, "--token-file");
        }
        let from_profile = |name: &str, profile: &ServiceProfile| {
            let credential = parse_token(profile.token.expose())?;
            sourced(credential, &format!("profile {name:?}"))
        };
        if let Some(name) = &connection.profile {
            let profile = self.profiles.get_named(name)?;
            let is_for_it = ProfileStore([(name.clone(), profile.clone())].into())
                .find_for_origin(origin)
                .is_some();
            return if is_for_it {
                from_profile(name, profile)
            } else {
                Ok(None)
            };
        }
        let variable = self.system.variable;
        if let Some(token) = variable("SIGNPOST_TOKEN") {
            return if token_matches_service(origin, variable) {
                sourced(parse_token(&token)?, "SIGNPOST_TOKEN")
            } else {
                Ok(None)
            };
        }
        if let Some((name, profile)) = self.profiles.find_for_origin(origin) {
            return from_profile(name, profile);
        }
        match netrc_credential(origin, variable)? {
            Some(credential) => sourced(credential, "~/.netrc"),
            None => Ok(None),
        }
    }
}
