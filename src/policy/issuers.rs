//! The `[[issuer]]` tables of the rules: whose identities count, and who verifies them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::RulesError;
use super::table::{at, name, unique};
use crate::auth::oidc::{Client, IssuerUrl};
use crate::auth::{GatewayIssuer, OidcIssuer};
use crate::request::GatewayAuthorizer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    name: String,
    iss: String,
    via: Option<Via>,
    #[serde(default)]
    aud: Vec<String>,
    #[serde(default)]
    alg: Vec<String>,
    groups: Option<String>,
    client_id: Option<String>,
    scopes: Option<Vec<String>>,
}

/// Who has verified the identities of an issuer, if not Signpost itself.
#[derive(Clone, Copy, Deserialize)]
enum Via {
    #[serde(rename = "gateway")]
    Jwt,
    #[serde(rename = "gateway-lambda")]
    Lambda,
    #[serde(rename = "gateway-iam")]
    Iam,
}

/// Those that the gateway verifies, and those that are verified here.
pub(super) fn parse(tables: Vec<IssuerTable>) -> Result<(Vec<GatewayIssuer>, Vec<OidcIssuer>), RulesError> {
    let (mut names, mut identities) = (BTreeSet::new(), BTreeSet::new());
    let (mut gateway, mut oidc) = (Vec::new(), Vec::new());
    for table in tables {
        let place = format!("issuer {:?}", table.name);
        let wrong = at(&place);
        name(&table.name)
            .and_then(|()| unique(&mut names, &table.name))
            .map_err(&wrong)?;
        if table.iss.is_empty() || !identities.insert(table.iss.clone()) {
            return Err(wrong(format!("iss: {:?} is empty, or another issuer's", table.iss)));
        }
        match table.via {
            Some(via) => gateway.push(table.into_gateway(via).map_err(&wrong)?),
            None => oidc.push(table.into_oidc().map_err(&wrong)?),
        }
    }
    let mut clients = oidc.iter().filter(|issuer: &&OidcIssuer| issuer.client.is_some());
    if let Some(second) = clients.nth(1) {
        return Err(at(&format!("issuer {:?}", second.name))(
            "client_id: one signs in at one issuer's, so only one has it".into(),
        ));
    }
    let mut lambdas = gateway
        .iter()
        .filter(|issuer: &&GatewayIssuer| issuer.authorizer == GatewayAuthorizer::Lambda);
    if let Some(second) = lambdas.nth(1) {
        return Err(at(&format!("issuer {:?}", second.name))(
            "there is one Lambda authorizer at most".into(),
        ));
    }
    Ok((gateway, oidc))
}

impl IssuerTable {
    fn into_gateway(self, via: Via) -> Result<GatewayIssuer, String> {
        let client = self.client_id.is_some() || self.scopes.is_some();
        if !self.aud.is_empty() || !self.alg.is_empty() || client {
            return Err(
                "aud, alg, client_id and scopes are for tokens that are verified here; with `via` the gateway \
                        checks them"
                    .into(),
            );
        }
        let authorizer = match via {
            Via::Jwt => GatewayAuthorizer::Jwt,
            Via::Lambda => GatewayAuthorizer::Lambda,
            Via::Iam => GatewayAuthorizer::Iam,
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
        if let Some((field, _)) = needed.into_iter().find(|(_, told)| !told) {
            return Err(format!(
                "{field}: is needed where tokens are verified here; with `via` the gateway does it"
            ));
        }
        let lists = [Some(&self.aud), Some(&self.alg), self.scopes.as_ref()];
        let texts = lists.into_iter().flatten().flatten().chain(&self.client_id);
        if texts.into_iter().any(String::is_empty) {
            return Err("an empty text is no audience, algorithm, client or scope".into());
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

fn client(id: Option<String>, scopes: Option<Vec<String>>) -> Result<Option<Client>, String> {
    let asks = |scopes: &Vec<String>| scopes.iter().any(|scope| scope == "openid");
    match (id, scopes) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("scopes: go with a client_id".into()),
        (Some(_), Some(scopes)) if !asks(&scopes) => Err("scopes: `openid` is always among them".into()),
        (Some(id), scopes) => Ok(Some(Client {
            id,
            scopes: scopes.unwrap_or_else(|| vec!["openid".to_owned()]),
        })),
    }
}
