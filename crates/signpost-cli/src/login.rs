//! `signpost login`, `logout` and `whoami`.

use std::io::IsTerminal as _;

use serde_json::json;

use crate::System;
use crate::context::{Context, Found};
use crate::credential::{Credential, is_private, token_of};
use crate::http::Http;
use crate::options::{Connection, LoginCommand, LoginOptions};
use crate::place::Place;
use crate::problem::Problem;
use crate::profiles::{DEFAULT, Profile};
use crate::report::{Ending, Error, Report};
use crate::secret::Secret;
use crate::service::Service;
use crate::state::State;

pub(crate) fn run(command: &LoginCommand, system: &mut System<'_>) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::io("can't start", &error))?;
    let mut context = Context::new(State::of_user(), system)?;
    Ok(match command {
        LoginCommand::Login(options) => runtime.block_on(login(options, &mut context))?,
        LoginCommand::Logout { profile } => logout(profile.as_deref().unwrap_or(DEFAULT), &mut context)?,
        LoginCommand::Whoami { connection } => runtime.block_on(whoami(connection, &mut context))?,
    })
}

async fn login(options: &LoginOptions, context: &mut Context<'_, '_>) -> Result<Report, Problem> {
    let place = Place::parse(&options.url, None).map_err(|_| Problem::usage("the URL must be that of a service"))?;
    if place.share.is_some() {
        return Err(Problem::usage("the URL must be that of a service, and no share link"));
    }
    if !is_private(place.origin()) {
        return Err(
            Problem::usage(format!("a token would be sent to {} unencrypted", place.origin())).advising("Use https."),
        );
    }
    let token = match &options.token_file {
        Some(file) => Credential::read(file, context.system.stdin)?,
        None => asked_for(&place)?,
    };
    let credential = token_of(token.expose())?;
    let name = options.profile.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let url = place.url().trim_end_matches('/').to_owned();
    let http = Http::new(context.system.variable)?;
    is_taken(http, &place, &url, Some(credential.clone())).await?;
    let words = format!(
        "logged in to {url} {}, as the profile {name:?}\n",
        as_whom(Some(&credential))
    );
    context.profiles.0.insert(name, Profile { url, token });
    context.profiles.save()?;
    Ok(Report {
        out: String::new(),
        notes: words,
        ending: Ending::Done,
    })
}

fn asked_for(place: &Place) -> Result<Secret, Problem> {
    if !std::io::stdin().is_terminal() {
        return Err(Problem::usage("there is no terminal to ask for the token at")
            .advising("Give it in a file, or through a pipe with `--token-file -`."));
    }
    let asked = rpassword::prompt_password(format!("Token for {}: ", place.origin()));
    let token = asked.map_err(|error| Problem::io("can't ask for the token", &error))?;
    Ok(Secret::new(token.trim()))
}

fn logout(name: &str, context: &mut Context<'_, '_>) -> Result<Report, Problem> {
    context.profiles.named(name)?;
    context.profiles.0.remove(name);
    context.profiles.save()?;
    Ok(Report::done(String::new()))
}

async fn whoami(connection: &Connection, context: &mut Context<'_, '_>) -> Result<Report, Problem> {
    let base = context.base(connection)?.ok_or_else(|| {
        Problem::usage("no service is set").advising("Log in with `signpost login URL`, or set SIGNPOST_URL.")
    })?;
    let place = Place::parse(&base, None)?;
    let found = context.credential(connection, place.origin())?;
    let url = place.url().trim_end_matches('/').to_owned();
    let credential = found.as_ref().map(|found| found.credential.clone());
    let (id, source) = (
        id(credential.as_ref()),
        found.as_ref().map(|found: &Found| found.source.clone()),
    );
    let words = format!("{url} {}", as_whom(credential.as_ref()));
    let http = Http::new(context.system.variable)?;
    is_taken(http, &place, &url, credential.clone()).await?;
    let out = if connection.json {
        json!({"url": url, "id": id, "source": source, "taken": true}).to_string()
    } else {
        source.map_or(words.clone(), |source| format!("{words}, by {source}"))
    };
    Ok(Report::done(format!("{out}\n")))
}

/// Asks the service for nothing, which it grants to everybody whose credential is right.
async fn is_taken(http: Http, place: &Place, base: &str, credential: Option<Credential>) -> Result<(), Problem> {
    let service = Service::new(http, credential, Some(base.to_owned()));
    let answer = service.post(base, "/-/sign", &json!([])).await?;
    match serde_json::from_slice::<Vec<serde_json::Value>>(&answer) {
        Ok(none) if none.is_empty() => Ok(()),
        _ => Err(crate::service::no_signpost(place)),
    }
}

fn as_whom(credential: Option<&Credential>) -> String {
    match credential {
        None => "as nobody in particular".to_owned(),
        Some(Credential::Bearer(_)) => "with a token".to_owned(),
        Some(Credential::Basic { user, .. }) => format!("as {user}"),
    }
}

fn id(credential: Option<&Credential>) -> Option<&str> {
    match credential {
        Some(Credential::Basic { user, .. }) => Some(user),
        Some(Credential::Bearer(_)) | None => None,
    }
}
