//! The `[[issuer]]` tables of a rules file: the accepted issuers, and the verifier of their identities.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::errors::{RulesError, invalid};
use super::identifiers::{check_id, check_unique};
use crate::auth::oidc::{IssuerUrl, OidcClient};
use crate::auth::{GatewayIssuer, OidcIssuer};
use crate::request::GatewayAuthorizer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    name: String,
    iss: String,
    via: Option<GatewayVerifier>,
    #[serde(default)]
    aud: Vec<String>,
    #[serde(default)]
    alg: Vec<String>,
    groups: Option<String>,
    client_id: Option<String>,
    scopes: Option<Vec<String>>,
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

/// Returns the issuers whose identities the gateway verifies, and the issuers whose tokens Signpost verifies.
pub(super) fn parse(tables: Vec<IssuerTable>) -> Result<(Vec<GatewayIssuer>, Vec<OidcIssuer>), RulesError> {
    let (mut names, mut identities) = (BTreeSet::new(), BTreeSet::new());
    let (mut gateway, mut oidc) = (Vec::new(), Vec::new());
    for table in tables {
        let place = format!("issuer {:?}", table.name);
        let error = invalid(&place);
        check_id(&table.name)
            .and_then(|()| check_unique(&mut names, &table.name))
            .map_err(&error)?;
        if table.iss.is_empty() || !identities.insert(table.iss.clone()) {
            return Err(error(format!(
                "iss: {:?} is empty, or another issuer has the same value",
                table.iss
            )));
        }
        match table.via {
            Some(via) => gateway.push(table.into_gateway(via).map_err(&error)?),
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
    Ok((gateway, oidc))
}

impl IssuerTable {
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
            name: self.name,
            authorizer,
            iss: self.iss,
            groups: self.groups,
        })
    }

    fn into_oidc(self) -> Result<OidcIssuer, String> {
        let iss = IssuerUrl::new(&self.iss).map_err(|error| format!("iss: {:?} {error}", self.iss))?;
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
        let texts = lists.into_iter().flatten().flatten().chain(&self.client_id);
        if texts.into_iter().any(String::is_empty) {
            return Err("aud, alg, client_id and scopes must not contain an empty text".into());
        }
        let client = client(self.client_id, self.scopes)?;
        let algorithms = self.alg.iter().map(|name| name.parse());
        Ok(OidcIssuer {
            name: self.name,
            iss,
            audiences: self.aud,
            algorithms: algorithms
                .collect::<Result<_, _>>()
                .map_err(|error: String| format!("alg: {error}"))?,
            groups: self.groups,
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
