//! A test issuer: keys that sign tokens, and a server on loopback that publishes them.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A key pair with its key id.
pub(crate) struct SigningKey {
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub(crate) fn rsa(kid: &'static str) -> Self {
        Self::of_rsa(kid, include_bytes!("keys/rsa-one.pk8"))
    }

    pub(crate) fn other_rsa(kid: &'static str) -> Self {
        Self::of_rsa(kid, include_bytes!("keys/rsa-two.pk8"))
    }

    fn of_rsa(kid: &'static str, pkcs8: &[u8]) -> Self {
        let pair = Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect("an RSA key"));
        Self { kid, pair }
    }

    pub(crate) fn p256(kid: &'static str) -> Self {
        let pair = Pair::P256(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING));
        Self { kid, pair }
    }

    pub(crate) fn p384(kid: &'static str) -> Self {
        let pair = Pair::P384(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING));
        Self { kid, pair }
    }

    pub(crate) fn ed25519(kid: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        let pair = Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"));
        Self { kid, pair }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let point = |point: &[u8], curve: &str| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "crv": curve, "kid": self.kid, "use": "sig", "x": encode(x), "y": encode(y)})
        };
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": self.kid, "use": "sig", "n": encode(&public.n), "e": encode(&public.e)})
            }
            Pair::P256(pair) => point(pair.public_key().as_ref(), "P-256"),
            Pair::P384(pair) => point(pair.public_key().as_ref(), "P-384"),
            Pair::Ed25519(pair) => {
                let x = encode(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x})
            }
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, algorithm: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": algorithm, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// A token with this header and these claims as text, signed with `algorithm`.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap_or_default().to_owned();
        self.token_of(&algorithm, &header.to_string(), &claims.to_string())
    }

    pub(crate) fn token_of(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", encode(&signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let scheme: &dyn RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(scheme, &random, message, &mut signature).expect("it signs");
                signature
            }
            Pair::P256(pair) | Pair::P384(pair) => pair.sign(&random, message).expect("it signs").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn ecdsa(scheme: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).expect("randomness");
    EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).expect("a key")
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The JWK set of these keys.
pub(crate) fn jwks(keys: &[&SigningKey]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

/// The responses of the server: a status line and a body for each path, or no response at all.
#[derive(Default)]
struct Script {
    answers: Vec<(String, String, String)>,
    silent: bool,
    seen: Vec<String>,
    /// The last request: head and body.
    sent: String,
}

/// An issuer on loopback.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) origin: String,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::<Mutex<Script>>::default();
        let server = Self { origin, script };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        server
    }

    /// Publishes keys as a provider does.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let at = |path: &str| format!("{}{path}", self.origin);
        let description = json!({
            "issuer": self.origin, "jwks_uri": at("/jwks"),
            "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        });
        self.say("/.well-known/openid-configuration", "200 OK", &description.to_string());
        self.say("/jwks", "200 OK", &jwks(keys).to_string());
    }

    /// Sets the response for a path.
    pub(crate) fn say(&self, path: &str, status: &str, body: &str) {
        let mut script = self.script.lock().unwrap();
        script.answers.retain(|(known, ..)| known != path);
        script.answers.push((path.into(), status.into(), body.into()));
        script.silent = false;
    }

    /// Makes every response an error from now on.
    pub(crate) fn fail(&self) {
        self.script.lock().unwrap().answers.clear();
    }

    /// Accepts requests but never responds from now on.
    pub(crate) fn fall_silent(&self) {
        self.script.lock().unwrap().silent = true;
    }

    /// The requested paths since the last call.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().seen)
    }

    /// The last request.
    pub(crate) fn sent(&self) -> String {
        self.script.lock().unwrap().sent.clone()
    }

    async fn answer(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let mut head = String::from_utf8_lossy(&head).into_owned();
        let length = head.split_once("content-length: ");
        let length = length.and_then(|(_, rest)| rest.split("\r\n").next()?.parse::<usize>().ok());
        let end = head.find("\r\n\r\n").expect("the head is whole") + 4;
        while head.len() < end + length.unwrap_or(0) {
            let mut more = Vec::new();
            if stream.read_buf(&mut more).await.unwrap_or(0) == 0 {
                return;
            }
            head.push_str(&String::from_utf8_lossy(&more));
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = {
            let mut script = self.script.lock().unwrap();
            script.seen.push(path.clone());
            script.sent.clone_from(&head);
            let found = script.answers.iter().find(|(known, ..)| *known == path);
            let (status, body) = found.map_or(("503 Busy", ""), |(_, status, body)| (status, body));
            (!script.silent).then(|| {
                format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            })
        };
        match answer {
            Some(answer) => {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            None => tokio::time::sleep(std::time::Duration::from_mins(1)).await,
        }
    }
}
