//! Bearer tokens that Signpost verifies: valid tokens, and every kind of invalid token.

use serde_json::{Value, json};
use signpost::auth::oidc::IssuerUrl;
use signpost::auth::{KeySet, Principal, User};
use signpost::decide::decide;
use signpost::policy::Policy;
use signpost::rejection::Rejection;
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};

use crate::issuer::{SigningKey, encode, jwks};
use crate::support::{With as _, ask, now};

const ISS: &str = "https://id.example.com/pool";

const RULES: &str = r#"
version = 1

[[issuer]]
name = "idp"
iss = "https://id.example.com/pool"
aud = ["signpost", "files"]
alg = ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
groups = "groups"

[[issuer]]
name = "strict"
iss = "https://other.example.com"
aud = ["signpost"]
alg = ["ES256"]

[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "own"
who = ["issuer:idp"]
can = ["read", "write"]
on = ["users/{sub}/**", "teams/{team}/**"]

[[rule]]
id = "admins"
who = ["group:idp/admins"]
can = ["read"]
on = ["admin/**"]

[[rule]]
id = "main"
who = ["issuer:idp"]
if = { ref = ["refs/heads/main"], verified = ["true"], run = ["7"] }
can = ["read"]
on = ["main/**"]

[[rule]]
id = "not-banned"
effect = "deny"
who = ["issuer:idp"]
if = { standing = ["banned"] }
can = ["write"]
on = ["users/**"]
"#;

fn seconds(offset: i64) -> i64 {
    1_783_711_144 + offset
}

fn claims() -> Value {
    json!({"iss": ISS, "sub": "alice", "aud": "signpost", "exp": seconds(300)})
}

/// The claims of a valid token with changes; `null` removes a claim.
fn claims_with(more: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn policy() -> Policy {
    Policy::parse(RULES).expect("the rules are good")
}

fn keys(of: &[&SigningKey]) -> KeySet {
    KeySet::parse(jwks(of).to_string().as_bytes()).expect("a JWK set")
}

fn bearer(path: &str, token: &str) -> ApiRequest {
    ask("GET", path).with("authorization", &format!("Bearer {token}"))
}

fn authenticate(token: &str, keys: &KeySet) -> Result<User, Rejection> {
    let principal = policy()
        .authenticators
        .authenticate(&bearer("/a", token), Some(keys), now())?;
    let Principal::User(member) = principal else {
        panic!("a credential resulted in an anonymous caller")
    };
    Ok(member)
}

fn problem(token: &str, keys: &KeySet) -> &'static str {
    match authenticate(token, keys) {
        Err(Rejection::BadCredential { problem, .. }) => problem,
        other => panic!("{other:?} for {token}"),
    }
}

/// The issuer and the rule in docs/IDENTITIES.md for tokens of `sts:GetWebIdentityToken`.
const AWS_RULES: &str = r#"
version = 1

[[issuer]]
name = "aws"
iss = "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws"
aud = ["https://files.example.com"]
alg = ["RS256", "ES384"]

[[rule]]
id = "data-processing"
who = ["user:aws/arn:aws:iam::123456789012:role/DataProcessingRole"]
can = ["read", "write"]
on = ["data/**"]
"#;

/// The token in the documentation of AWS
/// ([token claims](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html)).
fn aws_claims() -> Value {
    json!({
        "iss": "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws",
        "aud": "https://files.example.com",
        "sub": "arn:aws:iam::123456789012:role/DataProcessingRole",
        "iat": seconds(0),
        "exp": seconds(300),
        "jti": "xyz123-def456-ghi789-jkl012",
        "https://sts.amazonaws.com/": {
            "aws_account": "123456789012",
            "source_region": "us-east-1",
            "org_id": "o-abc1234567",
            "principal_tags": {"environment": "production", "team": "data-engineering"},
            "lambda_source_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:process-data",
            "request_tags": {"job-id": "job-2024-001"},
        },
    })
}

#[test]
fn a_role_of_aws_is_identified_by_a_token_of_get_web_identity_token() {
    let policy = Policy::parse(AWS_RULES).unwrap();
    let documented = include_str!("../../docs/IDENTITIES.md");
    for table in ["[[issuer]]\nname = \"aws\"", "[[rule]]\nid = \"data-processing\""] {
        assert!(documented.contains(table) && AWS_RULES.contains(table), "{table}");
    }
    let key = SigningKey::rsa("RSA_0");
    let other_role = "arn:aws:iam::123456789012:role/DataProcessingRole2";
    for (name, value, status) in [
        ("jti", "another", Ok(())),
        ("sub", other_role, Err("AccessDenied")),
        (
            "sub",
            "arn:aws:iam::210987654321:role/DataProcessingRole",
            Err("AccessDenied"),
        ),
        ("aud", "https://other.example.com", Err("InvalidCredential")),
        (
            "iss",
            "https://other.tokens.sts.global.api.aws",
            Err("InvalidCredential"),
        ),
    ] {
        let mut claims = aws_claims();
        claims[name] = value.into();
        let request = bearer("/data/report.csv", &key.token("RS256", &claims));
        let decided = decide(&policy, &request, Some(&keys(&[&key])), now());
        let code = decided.map(|_| ()).map_err(|rejected| rejected.rejection.code());
        assert_eq!(code, status, "{name} {value}");
    }
}

#[test]
fn a_token_identifies_its_subject_with_every_algorithm() {
    let rsa = SigningKey::rsa("r");
    let others = [
        SigningKey::p256("p2"),
        SigningKey::p384("p3"),
        SigningKey::ed25519("ed"),
    ];
    let known = keys(&[&rsa, &others[0], &others[1], &others[2]]);
    let signed = [
        ("RS256", &rsa),
        ("RS512", &rsa),
        ("PS256", &rsa),
        ("ES256", &others[0]),
        ("ES384", &others[1]),
        ("EdDSA", &others[2]),
        ("Ed25519", &others[2]),
    ];
    for (algorithm, key) in signed {
        let member = authenticate(&key.token(algorithm, &claims()), &known).expect(algorithm);
        assert!(member.issuer.is_named("idp") && member.subject == "alice", "{member:?}");
        assert_eq!(member.claim("iss"), Some(ISS));
    }
}

#[test]
fn both_names_of_ed25519_mean_the_same_in_tokens_keys_and_rules() {
    let key = SigningKey::ed25519("ed");
    for in_key in [None, Some("EdDSA"), Some("Ed25519")] {
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        if let Some(name) = in_key {
            jwk["alg"] = name.into();
        }
        let known = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        for in_token in ["EdDSA", "Ed25519"] {
            authenticate(&key.token(in_token, &claims()), &known)
                .unwrap_or_else(|error| panic!("{in_key:?} {in_token}: {error}"));
        }
        for other in ["ed25519", "Ed448", "ES256", "none"] {
            problem(
                &key.token_of(
                    "Ed25519",
                    &json!({"alg": other, "kid": "ed"}).to_string(),
                    &claims().to_string(),
                ),
                &known,
            );
        }
    }
    for (name, is_valid) in [("Ed25519", true), ("EdDSA", true), ("Ed448", false), ("eddsa", false)] {
        let rules = format!(
            "version = 1\n[[issuer]]\nname = \"a\"\niss = \"https://a.example\"\naud = [\"b\"]\nalg = [\"{name}\"]"
        );
        assert_eq!(Policy::parse(&rules).is_ok(), is_valid, "{name}");
    }
}

/// The header of a token of this key with additional members.
fn head(more: &Value) -> Value {
    let mut header = json!({"alg": "RS256", "kid": "k"});
    header
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    header
}

fn assert_rejected(cases: Vec<(&str, String, &str)>, known: &KeySet) {
    for (name, token, expected) in cases {
        let message = problem(&token, known);
        assert!(message.contains(expected), "{name}: {message}");
    }
}

const ALGORITHM: &str = "do not allow the signature algorithm";
const WRONG: &str = "the signature of the bearer token is invalid";
const UNKNOWN: &str = "does not publish its signing key";
const NO_TOKEN: &str = "not a JSON Web Token";

#[test]
fn the_signature_must_use_an_algorithm_of_the_rules() {
    let rsa = SigningKey::rsa("k");
    let body = encode(claims().to_string().as_bytes());
    let unsigned = |header: &str| format!("{}.{body}.", encode(header.as_bytes()));
    let hmac = |secret: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let signed = format!("{}.{body}", encode(br#"{"alg":"HS256","kid":"k"}"#));
        format!(
            "{signed}.{}",
            encode(ring::hmac::sign(&key, signed.as_bytes()).as_ref())
        )
    };
    let with_header = |header: &str| rsa.token_of("RS256", header, &claims().to_string());
    let modulus = rsa.jwk()["n"].as_str().expect("a text").to_owned();
    let cases = vec![
        ("no signature", unsigned(r#"{"alg":"none","kid":"k"}"#), ALGORITHM),
        ("in other letters", unsigned(r#"{"alg":"NoNe","kid":"k"}"#), ALGORITHM),
        ("an empty signature", unsigned(r#"{"alg":"RS256","kid":"k"}"#), WRONG),
        ("the public key as a secret", hmac(modulus.as_bytes()), ALGORITHM),
        ("the JWK as a secret", hmac(rsa.jwk().to_string().as_bytes()), ALGORITHM),
        ("one that is not listed", rsa.token("RS384", &claims()), ALGORITHM),
        (
            "in small letters",
            with_header(r#"{"alg":"rs256","kid":"k"}"#),
            ALGORITHM,
        ),
        (
            "another algorithm in the header",
            with_header(r#"{"alg":"PS256","kid":"k"}"#),
            WRONG,
        ),
        (
            "an algorithm of another kind in the header",
            with_header(r#"{"alg":"ES256","kid":"k"}"#),
            UNKNOWN,
        ),
        (
            "two algorithms in the header",
            with_header(r#"{"alg":"none","kid":"k","alg":"RS256"}"#),
            NO_TOKEN,
        ),
        ("no algorithm in the header", with_header(r#"{"kid":"k"}"#), NO_TOKEN),
        (
            "a number as the algorithm",
            with_header(r#"{"alg":256,"kid":"k"}"#),
            NO_TOKEN,
        ),
    ];
    let known = keys(&[&rsa, &SigningKey::p256("e")]);
    assert_rejected(cases, &known);
    assert!(authenticate(&rsa.token("RS256", &claims()), &known).is_ok());
}

#[test]
fn the_signature_must_use_a_key_of_the_issuer_whatever_the_header_contains() {
    let (rsa, other) = (SigningKey::rsa("k"), SigningKey::other_rsa("k"));
    let with = |key: &SigningKey, more: Value| key.token_with(&head(&more), &claims());
    let cases = vec![
        ("another key of the same id", other.token("RS256", &claims()), WRONG),
        ("an unknown key", with(&rsa, json!({"kid": "z"})), UNKNOWN),
        ("an id that is a path", with(&rsa, json!({"kid": "../k"})), UNKNOWN),
        ("a key brought along", with(&other, json!({"jwk": other.jwk()})), WRONG),
        (
            "a place of keys",
            with(&other, json!({"jku": "https://evil.example.com"})),
            WRONG,
        ),
        (
            "something critical",
            with(&rsa, json!({"crit": ["x"], "x": 1})),
            "unsupported \"crit\" header",
        ),
        (
            "nothing critical",
            with(&rsa, json!({"crit": null})),
            "unsupported \"crit\" header",
        ),
        ("an id that is a number", with(&rsa, json!({"kid": 1})), NO_TOKEN),
        (
            "a logout token",
            with(&rsa, json!({"typ": "logout+jwt"})),
            "unsupported \"typ\" header",
        ),
        (
            "a type that is a number",
            with(&rsa, json!({"typ": 1})),
            "unsupported \"typ\" header",
        ),
    ];
    let known = keys(&[&rsa]);
    assert_rejected(cases, &known);
    for more in [
        json!({"typ": "at+jwt"}),
        json!({"typ": "application/JWT"}),
        json!({"x5t": "x"}),
    ] {
        assert!(authenticate(&with(&rsa, more), &known).is_ok());
    }
}

#[test]
fn an_issuer_can_use_only_its_own_algorithms_and_keys() {
    let (rsa, ec) = (SigningKey::rsa("r"), SigningKey::p256("e"));
    let strict = claims_with(&json!({"iss": "https://other.example.com"}));
    assert!(authenticate(&ec.token("ES256", &strict), &keys(&[&rsa, &ec])).is_ok());
    let message = problem(&rsa.token("RS256", &strict), &keys(&[&rsa, &ec]));
    assert!(message.contains(ALGORITHM), "{message}");
    let message = problem(&ec.token("ES256", &strict), &keys(&[&rsa]));
    assert!(message.contains(UNKNOWN), "{message}");
}

#[test]
fn a_key_is_used_only_as_its_issuer_intends_and_a_token_without_key_id_must_be_unambiguous() {
    let (rsa, other) = (SigningKey::rsa("a"), SigningKey::other_rsa("b"));
    let set = |more: &[(&str, Value)]| {
        let mut jwk = rsa.jwk();
        for (name, value) in more {
            jwk[*name] = value.clone();
        }
        KeySet::parse(
            json!({"keys": [jwk, {"kty": "oct", "k": "AA"}, 7, {}]})
                .to_string()
                .as_bytes(),
        )
        .unwrap()
    };
    let token = rsa.token("RS256", &claims());
    let unnamed = rsa.token_with(&json!({"alg": "RS256"}), &claims());
    assert!(authenticate(&token, &set(&[])).is_ok());
    assert!(authenticate(&unnamed, &set(&[])).is_ok());
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("RS512")),
        ("key_ops", json!(["encrypt"])),
        ("e", json!("AQAB=")),
        ("n", json!("")),
        ("kty", json!("EC")),
    ] {
        assert!(authenticate(&token, &set(&[(name, value)])).is_err(), "{name}");
    }
    assert!(authenticate(&unnamed, &keys(&[&rsa, &other])).is_err());
    assert!(authenticate(&token, &keys(&[&rsa, &other])).is_ok());
}

#[test]
fn an_rsa_key_of_less_than_2048_bits_is_ignored() {
    let rsa = SigningKey::rsa("k");
    let mut jwk = rsa.jwk();
    jwk["n"] = encode(&[0xc5; 128]).into();
    let short = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    assert!(authenticate(&rsa.token("RS256", &claims()), &short).is_err());
}

#[test]
fn every_required_claim_must_be_present_and_valid() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    let cases = [
        (json!({"iss": null}), "do not contain the issuer"),
        (json!({"iss": "https://evil.example.com"}), "do not contain the issuer"),
        (
            json!({"iss": "https://id.example.com/pool/"}),
            "do not contain the issuer",
        ),
        (json!({"iss": [ISS]}), "do not contain the issuer"),
        (json!({"aud": null}), "audience"),
        (json!({"aud": "other"}), "audience"),
        (json!({"aud": ""}), "audience"),
        (json!({"aud": []}), "audience"),
        (json!({"aud": ["other"]}), "audience"),
        (json!({"aud": [["signpost"]]}), "audience"),
        (json!({"aud": ["signpost", 7]}), "audience"),
        (json!({"aud": {"signpost": 1}}), "audience"),
        (json!({"exp": null}), "no expiry time"),
        (json!({"exp": "1783711444"}), "no expiry time"),
        (json!({"exp": true}), "no expiry time"),
        (json!({"exp": -1}), "no expiry time"),
        (json!({"exp": 1e300}), "no expiry time"),
        (json!({"exp": seconds(-60)}), "has expired"),
        (json!({"exp": 0}), "has expired"),
        (json!({"nbf": seconds(61)}), "not valid yet"),
        (json!({"nbf": "0"}), "not valid yet"),
        (json!({"nbf": [0]}), "not valid yet"),
        (json!({"sub": null}), "no subject"),
        (json!({"sub": ""}), "no subject"),
        (json!({"sub": 7}), "no subject"),
        (json!({"sub": ["alice"]}), "no subject"),
    ];
    for (more, expected) in cases {
        let message = problem(&rsa.token("RS256", &claims_with(&more)), &known);
        assert!(message.contains(expected), "{more}: {message}");
    }
    for more in [
        json!({"aud": "files"}),
        json!({"aud": ["other", "files"]}),
        json!({"exp": seconds(-59)}),
        json!({"exp": 1_783_711_444.5}),
        json!({"nbf": seconds(60)}),
        json!({"nbf": 0}),
    ] {
        assert!(
            authenticate(&rsa.token("RS256", &claims_with(&more)), &known).is_ok(),
            "{more}"
        );
    }
}

#[test]
fn a_token_with_a_duplicate_name_is_rejected() {
    let rsa = SigningKey::rsa("k");
    let twice = claims().to_string().replacen('{', r#"{"sub":"root","#, 1);
    let token = rsa.token_of("RS256", r#"{"alg":"RS256","kid":"k"}"#, &twice);
    assert_eq!(
        problem(&token, &keys(&[&rsa])),
        "the bearer token is not a JSON Web Token"
    );
}

#[test]
fn every_change_of_a_token_is_detected() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    let token = rsa.token("RS256", &claims());
    for at in 0..token.len() {
        for byte in [b'A', b'B', b'_', b'9', b'.', b'=', b'+'] {
            let mut altered = token.clone().into_bytes();
            if altered[at] != byte {
                altered[at] = byte;
                let altered = String::from_utf8(altered).unwrap();
                assert!(
                    authenticate(&altered, &known).is_err(),
                    "byte {at} as {}",
                    char::from(byte)
                );
            }
        }
        let shorter = format!("{}{}", &token[..at], &token[at + 1..]);
        assert!(authenticate(&shorter, &known).is_err(), "without byte {at}");
    }
    for altered in [
        format!("{token}A"),
        format!("{token}="),
        format!("{token}."),
        format!("A{token}"),
    ] {
        assert!(authenticate(&altered, &known).is_err(), "{altered}");
    }
}

#[test]
fn a_malformed_token_is_rejected() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    let long = rsa.token("RS256", &claims_with(&json!({"x": "x".repeat(20_000)})));
    assert!(problem(&long, &known).contains("too long"));
    let at_limit = |length: usize| format!("{}.e30.AA", "a".repeat(length - ".e30.AA".len()));
    assert!(problem(&at_limit(16_385), &known).contains("too long"));
    assert!(!problem(&at_limit(16_384), &known).contains("too long"));
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let deep = rsa.token_of("RS256", r#"{"alg":"RS256"}"#, &format!(r#"{{"x":{deep}}}"#));
    for text in [
        "..",
        "a.b.c",
        "e30.e30.",
        "e30.W10.AA",
        "bnVsbA.bnVsbA.AA",
        &deep,
        "a.b",
        "a.b.c.d.e",
    ] {
        assert!(authenticate(text, &known).is_err(), "{text}");
    }
}

#[test]
fn groups_are_the_texts_of_an_array_and_are_not_split() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    for (groups, expected) in [
        (json!(["admins", "users"]), vec!["idp/admins", "idp/users"]),
        (json!("admins"), vec!["idp/admins"]),
        (json!("users admins"), vec!["idp/users admins"]),
        (json!("users,admins"), vec!["idp/users,admins"]),
        (json!(["users admins"]), vec!["idp/users admins"]),
        (json!("[users admins]"), vec![]),
        (json!([["admins"], 7, null, "", {"admins": true}]), vec![]),
        (json!({"admins": true}), vec![]),
        (json!(null), vec![]),
    ] {
        let member = authenticate(&rsa.token("RS256", &claims_with(&json!({"groups": groups}))), &known).unwrap();
        assert_eq!(member.groups, expected, "{groups}");
    }
}

#[test]
fn rules_use_claims_with_a_single_value_and_an_array_meets_no_condition() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    let main = json!({"ref": "refs/heads/main", "verified": true, "run": 7});
    let with = |name: &str, value: Value| {
        let mut claims = main.clone();
        claims[name] = value;
        claims
    };
    let allowed = |method: &str, path: &str, more: &Value| {
        let token = rsa.token("RS256", &claims_with(more));
        let mut request = bearer(path, &token);
        request.method = method.into();
        match decide(&policy(), &request, Some(&known), now()) {
            Ok(_) => true,
            Err(refused) => {
                assert_eq!(refused.rejection.code(), "AccessDenied", "{path} {more}");
                false
            }
        }
    };
    for (method, path, more, expected) in [
        ("GET", "/users/alice/a", json!({}), true),
        ("GET", "/users/bob/a", json!({}), false),
        ("GET", "/users/alice2/a", json!({}), false),
        ("GET", "/teams/blue/a", json!({"team": "blue"}), true),
        ("GET", "/teams/blue/a", json!({"team": ["blue"]}), false),
        ("GET", "/teams/7/a", json!({"team": 7}), true),
        ("GET", "/teams/red/a", json!({"team": "blue/../red"}), false),
        ("GET", "/admin/a", json!({"groups": ["admins"]}), true),
        ("GET", "/admin/a", json!({"groups": ["idp/admins"]}), false),
        ("GET", "/main/a", main.clone(), true),
        ("GET", "/main/a", with("ref", json!("refs/heads/main2")), false),
        ("GET", "/main/a", with("ref", json!(["refs/heads/main"])), false),
        ("GET", "/main/a", with("verified", json!(["true"])), false),
        ("GET", "/main/a", with("run", json!(7.0)), false),
        ("GET", "/main/a", with("ref", Value::Null), false),
        ("PUT", "/users/alice/a", json!({"standing": "good"}), true),
        ("PUT", "/users/alice/a", json!({"standing": "banned"}), false),
        ("PUT", "/users/alice/a", json!({"standing": ["good"]}), false),
        ("PUT", "/users/alice/a", json!({}), false),
    ] {
        assert_eq!(allowed(method, path, &more), expected, "{method} {path} {more}");
    }
}

#[test]
fn a_token_must_be_the_only_credential_of_a_request() {
    let rsa = SigningKey::rsa("k");
    let known = keys(&[&rsa]);
    let token = rsa.token("RS256", &claims());
    let who = |request: &ApiRequest| policy().authenticators.authenticate(request, Some(&known), now());
    assert!(who(&bearer("/a", &token)).is_ok());
    assert!(who(&bearer("/a", &token).with("authorization", "Bearer secret")).is_err());
    assert!(who(&ask("GET", "/a").with("authorization", &format!("Basic {token}"))).is_err());
    assert!(who(&ask("GET", "/a").with("authorization", &format!("bEARER  {token} "))).is_ok());
    assert!(who(&ask("GET", "/a").with("authorization", "Bearer secret")).is_ok());
    assert!(who(&ask("GET", "/a?access_token=secret")).is_ok_and(|principal| principal == Principal::Anonymous));
}

#[test]
fn keys_are_required_only_for_tokens_that_signpost_verifies() {
    let rsa = SigningKey::rsa("k");
    let policy = policy();
    let required = |request: &ApiRequest| {
        let keys = policy.authenticators.required_keys(request);
        keys.map(|keys| (keys.issuer.name.clone(), keys.kid))
    };
    let token = rsa.token("RS256", &claims());
    assert_eq!(required(&bearer("/a", &token)), Some(("idp".into(), Some("k".into()))));
    let evil = rsa.token("RS256", &claims_with(&json!({"iss": "https://evil.example.com"})));
    let mut verified = ask("GET", "/a");
    verified.gateway = Some(GatewayIdentity {
        authorizer: GatewayAuthorizer::Jwt,
        claims: [("iss".to_owned(), ISS.into())].into(),
    });
    for request in [
        ask("GET", "/a"),
        bearer("/a", "secret"),
        bearer("/a", &evil),
        bearer("/a", "a.b.c"),
        ask("GET", "/a").with("authorization", &format!("Basic {token}")),
        bearer("/a", &token).with("authorization", "Bearer x"),
        verified,
    ] {
        assert_eq!(required(&request), None, "{request:?}");
    }
    let known = policy.authenticators.authenticate(&bearer("/a", &token), None, now());
    assert!(known.is_err());
}

#[test]
fn an_incomplete_issuer_prevents_the_start() {
    let issuer = |text: &str| format!("version = 1\n[[issuer]]\nname = \"a\"\n{text}");
    let good = "iss = \"https://i\"\naud = [\"a\"]\nalg = [\"RS256\"]\n";
    assert!(Policy::parse(&issuer(good)).is_ok());
    for (text, expected) in [
        ("iss = \"https://i\"\naud = [\"a\"]", "alg: is required"),
        ("iss = \"https://i\"\nalg = [\"RS256\"]", "aud: is required"),
        (
            "iss = \"https://i\"\naud = [\"\"]\nalg = [\"RS256\"]",
            "must not contain an empty text",
        ),
        (
            "iss = \"https://i\"\naud = [\"a\"]\nalg = [\"none\"]",
            "unknown algorithm \"none\"; use one of RS256",
        ),
        (
            "iss = \"https://i\"\naud = [\"a\"]\nalg = [\"HS256\"]",
            "unknown algorithm \"HS256\"; use one of RS256",
        ),
        ("iss = \"http://i\"\naud = [\"a\"]\nalg = [\"RS256\"]", "https URL"),
        (
            "iss = \"http://127.0.0.1.evil.example\"\naud = [\"a\"]\nalg = [\"RS256\"]",
            "https URL",
        ),
        ("iss = \"https://i?x\"\naud = [\"a\"]\nalg = [\"RS256\"]", "https URL"),
        ("iss = \"https://u@i\"\naud = [\"a\"]\nalg = [\"RS256\"]", "https URL"),
        ("iss = \"i\"\naud = [\"a\"]\nalg = [\"RS256\"]", "https URL"),
        (
            "iss = \"https://i\"\nvia = \"gateway\"\naud = [\"a\"]",
            "only for issuers without `via`",
        ),
        (
            "iss = \"https://i\"\nvia = \"gateway\"\nalg = [\"RS256\"]",
            "only for issuers without `via`",
        ),
    ] {
        let error = Policy::parse(&issuer(text)).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
    for local in ["http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:1"] {
        assert!(
            Policy::parse(&issuer(&good.replace("https://i", local))).is_ok(),
            "{local}"
        );
    }
}

#[test]
fn the_metadata_of_an_issuer_may_name_only_urls_that_are_as_safe_as_its_own() {
    for (issuer, url, is_allowed) in [
        ("https://idp.example", "https://keys.example/jwks", true),
        ("http://localhost:8080", "https://keys.example/jwks", true),
        ("http://localhost:8080", "http://localhost:9090/jwks", true),
        ("http://localhost:8080", "http://127.0.0.1/jwks", true),
        ("http://localhost:8080", "http://[::1]:80/jwks", true),
        ("http://localhost:8080", "http://169.254.169.254/latest", false),
        ("http://localhost:8080", "http://localhost.evil.example/", false),
        ("https://idp.example", "http://keys.example/jwks", false),
        ("https://idp.example", "http://localhost:9090/jwks", false),
        ("https://idp.example", "file:///etc/passwd", false),
        ("https://idp.example", "/jwks", false),
        ("https://idp.example", "", false),
    ] {
        let issuer = IssuerUrl::new(issuer).unwrap();
        assert_eq!(issuer.allows_endpoint(url), is_allowed, "{issuer:?} {url}");
    }
}

#[test]
fn the_expiry_time_of_an_accepted_token_is_known() {
    let rsa = SigningKey::rsa("k");
    let token = rsa.token("RS256", &claims());
    let known = keys(&[&rsa]);
    let expiry = policy()
        .authenticators
        .credential_expiry(&bearer("/a", &token), Some(&known), now());
    assert_eq!(expiry, Some(now() + std::time::Duration::from_mins(5)));
    let secret = policy()
        .authenticators
        .credential_expiry(&bearer("/a", "secret"), Some(&known), now());
    assert_eq!(secret, None);
}

#[test]
fn a_key_set_has_at_most_100_keys() {
    let key = SigningKey::p256("k").jwk();
    let set = |count: usize| json!({"keys": vec![key.clone(); count]}).to_string();
    assert!(KeySet::parse(set(100).as_bytes()).is_ok());
    assert!(KeySet::parse(set(101).as_bytes()).is_err());
}
