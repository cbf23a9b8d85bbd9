//! Which service is asked, and as whom: by options, the environment, and the profiles of the user.

use crate::System;
use crate::credential::{Credential, for_service, is_private, of_netrc, token_of};
use crate::options::Connection;
use crate::problem::Problem;
use crate::profiles::{DEFAULT, Profile, Profiles};
use crate::state::State;

/// What a command finds around it.
pub(crate) struct Context<'a, 's> {
    pub(crate) state: State,
    pub(crate) profiles: Profiles,
    pub(crate) system: &'a mut System<'s>,
}

/// A credential, and where it comes from.
pub(crate) struct Found {
    pub(crate) credential: Credential,
    pub(crate) source: String,
}

impl<'a, 's> Context<'a, 's> {
    pub(crate) fn new(state: State, system: &'a mut System<'s>) -> Result<Self, Problem> {
        Ok(Self {
            state,
            profiles: Profiles::load()?,
            system,
        })
    }

    /// The URL of the service: of the profile that is named, of the environment, of the usual profile.
    pub(crate) fn base(&self, connection: &Connection) -> Result<Option<String>, Problem> {
        if let Some(name) = &connection.profile {
            return Ok(Some(self.profiles.named(name)?.url.clone()));
        }
        let usual = || self.profiles.0.get(DEFAULT).map(|profile| profile.url.clone());
        Ok((self.system.variable)("SIGNPOST_URL").or_else(usual))
    }

    /// The credential for a service, if there is one: of the file that is named, of the profile that is named, of the
    /// environment, of a profile for that service, of `~/.netrc`.
    pub(crate) fn credential(&mut self, connection: &Connection, origin: &str) -> Result<Option<Found>, Problem> {
        let found = self.find(connection, origin)?;
        if found.is_some() && !is_private(origin) {
            return Err(Problem::usage(format!("a token would be sent to {origin} unencrypted"))
                .advising("Use https, or give the command no token."));
        }
        Ok(found)
    }

    fn find(&mut self, connection: &Connection, origin: &str) -> Result<Option<Found>, Problem> {
        let found = |credential, source: &str| {
            Ok(Some(Found {
                credential,
                source: source.to_owned(),
            }))
        };
        if let Some(file) = &connection.token_file {
            return found(Credential::of_file(file, self.system.stdin)?, "--token-file");
        }
        let of_profile = |name: &str, profile: &Profile| {
            let credential = token_of(profile.token.expose())?;
            found(credential, &format!("the profile {name:?}"))
        };
        if let Some(name) = &connection.profile {
            let profile = self.profiles.named(name)?;
            let is_for_it = Profiles([(name.clone(), profile.clone())].into()).at(origin).is_some();
            return if is_for_it { of_profile(name, profile) } else { Ok(None) };
        }
        let variable = self.system.variable;
        if let Some(token) = variable("SIGNPOST_TOKEN") {
            return if for_service(origin, variable) {
                found(token_of(&token)?, "SIGNPOST_TOKEN")
            } else {
                Ok(None)
            };
        }
        if let Some((name, profile)) = self.profiles.at(origin) {
            return of_profile(name, profile);
        }
        match of_netrc(origin, variable)? {
            Some(credential) => found(credential, "~/.netrc"),
            None => Ok(None),
        }
    }
}
