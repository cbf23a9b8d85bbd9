//! The `[[issuer]]` tables of a rules file: the accepted issuers, and the verifier of their identities.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::errors::{RulesError, invalid};
use super::field_types::{Choice, List, Text};
use super::identifiers::{check_id, check_unique};
use super::open_issuers::{OpenIssuer, SignUp};
use crate::auth::oidc::{IssuerUrl, OidcClient};
use crate::auth::{GatewayIssuer, OidcIssuer};
use crate::request::GatewayAuthorizer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    name: Text,
    iss: Text,
    via: Option<Choice<GatewayVerifier>>,
    #[serde(default)]
    aud: List<Text>,
    #[serde(default)]
    alg: List<Text>,
    groups: Option<Text>,
    client_id: Option<Text>,
    scopes: Option<List<Text>>,
    sign_up: Option<Choice<SignUp>>,
}

/// The part of the gateway that verifies the identities of an issuer, if not Signpost itself.
#[derive(Clone, Copy, Deserialize)]
enum GatewayVerifier {
    #[serde(rename = "gateway")]
    Jwt,
    #[serde(rename = "gateway-lambda")]
    Lambda,
    #[serde(rename = "gateway-iam")]
    Iam,
}

/// The issuers of a rules file.
pub(super) struct Issuers {
    /// The issuers whose identities the gateway verifies.
    pub(super) gateway: Vec<GatewayIssuer>,
    /// The issuers whose tokens Signpost verifies.
    pub(super) oidc: Vec<OidcIssuer>,
    /// The issuers that everyone can get tokens of.
    pub(super) open: Vec<OpenIssuer>,
}

/// Parses and checks the issuers.
pub(super) fn parse(tables: Vec<IssuerTable>) -> Result<Issuers, RulesError> {
    let (mut names, mut identities) = (BTreeSet::new(), BTreeSet::new());
    let (mut gateway, mut oidc, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for table in tables {
        let place = format!("issuer {:?}", &*table.name);
        let error = invalid(&place);
        check_id(&table.name)
            .and_then(|()| check_unique(&mut names, &table.name))
            .map_err(&error)?;
        if table.iss.is_empty() || !identities.insert(table.iss.to_string()) {
            return Err(error(format!(
                "iss: {:?} is empty, or another issuer has the same value",
                &*table.iss
            )));
        }
        open.extend(table.open_issuer().map_err(&error)?);
        match table.via {
            Some(Choice(via)) => gateway.push(table.into_gateway(via).map_err(&error)?),
            None => oidc.push(table.into_oidc().map_err(&error)?),
        }
    }
    let mut clients = oidc.iter().filter(|issuer: &&OidcIssuer| issuer.client.is_some());
    if let Some(second) = clients.nth(1) {
        return Err(invalid(&format!("issuer {:?}", second.name))(
            "client_id: only one issuer can have a client_id, because users sign in with one issuer".into(),
        ));
    }
    let mut lambdas = gateway
        .iter()
        .filter(|issuer: &&GatewayIssuer| issuer.authorizer == GatewayAuthorizer::Lambda);
    if let Some(second) = lambdas.nth(1) {
        return Err(invalid(&format!("issuer {:?}", second.name))(
            "only one issuer can use a Lambda authorizer".into(),
        ));
    }
    Ok(Issuers { gateway, oidc, open })
}

impl IssuerTable {
    fn open_issuer(&self) -> Result<Option<OpenIssuer>, String> {
        let sign_up = self.sign_up.map(|choice| choice.0);
        OpenIssuer::new(&self.name, &self.iss, self.groups.as_deref(), sign_up)
    }

    fn into_gateway(self, via: GatewayVerifier) -> Result<GatewayIssuer, String> {
        let client = self.client_id.is_some() || self.scopes.is_some();
        if !self.aud.is_empty() || !self.alg.is_empty() || client {
            return Err(
                "aud, alg, client_id and scopes are only for issuers without `via`, whose tokens Signpost \
                        verifies"
                    .into(),
            );
        }
        let authorizer = match via {
            GatewayVerifier::Jwt => GatewayAuthorizer::Jwt,
            GatewayVerifier::Lambda => GatewayAuthorizer::Lambda,
            GatewayVerifier::Iam => GatewayAuthorizer::Iam,
        };
        Ok(GatewayIssuer {
            name: self.name.into_string(),
            authorizer,
            iss: self.iss.into_string(),
            groups: self.groups.map(Text::into_string),
        })
    }

    fn into_oidc(self) -> Result<OidcIssuer, String> {
        let iss = IssuerUrl::new(&self.iss).map_err(|error| format!("iss: {:?} {error}", &*self.iss))?;
        let needed = [
            ("aud", !self.aud.is_empty() || self.client_id.is_some()),
            ("alg", !self.alg.is_empty()),
        ];
        if let Some((field, _)) = needed.into_iter().find(|(_, is_set)| !is_set) {
            return Err(format!(
                "{field}: is required for an issuer without `via`, whose tokens Signpost verifies"
            ));
        }
        let lists = [Some(&self.aud), Some(&self.alg), self.scopes.as_ref()];
        let texts = lists.into_iter().flatten().flat_map(|list| list.iter());
        if texts.chain(&self.client_id).any(|text| text.is_empty()) {
            return Err("aud, alg, client_id and scopes must not contain an empty text".into());
        }
        let scopes = self.scopes.as_ref().map(List::texts);
        let client = client(self.client_id.map(Text::into_string), scopes)?;
        let algorithms = self.alg.iter().map(|name| name.parse());
        Ok(OidcIssuer {
            name: self.name.into_string(),
            iss,
            audiences: self.aud.texts(),
            algorithms: algorithms
                .collect::<Result<_, _>>()
                .map_err(|error: String| format!("alg: {error}"))?,
            groups: self.groups.map(Text::into_string),
            client,
        })
    }
}

fn client(id: Option<String>, scopes: Option<Vec<String>>) -> Result<Option<OidcClient>, String> {
    let has_openid = |scopes: &Vec<String>| scopes.iter().any(|scope| scope == "openid");
    match (id, scopes) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("scopes: requires client_id".into()),
        (Some(_), Some(scopes)) if !has_openid(&scopes) => Err("scopes: must contain `openid`".into()),
        (Some(id), scopes) => Ok(Some(OidcClient {
            id,
            scopes: scopes.unwrap_or_else(|| vec!["openid".to_owned()]),
        })),
    }
}
