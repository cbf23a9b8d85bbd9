//! Deny rules that cannot be evaluated for a caller apply, whatever the source of the claims.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use signpost::auth::{KeySet, Principal};
use signpost::decide::{Decision, decide};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::{ListAccess, Policy};
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};

use crate::issuer::{SigningKey, jwks};
use crate::support::{With as _, ask, now};

const ISS: &str = "https://id.example.com";

/// The source of the claims.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Verified,
    Gateway(GatewayAuthorizer),
}

const GATEWAYS: [Source; 2] = [
    Source::Gateway(GatewayAuthorizer::Jwt),
    Source::Gateway(GatewayAuthorizer::Lambda),
];
const ALL: [Source; 3] = [Source::Verified, GATEWAYS[0], GATEWAYS[1]];

/// A service that gets its claims from one source, with one deny rule.
struct Service {
    source: Source,
    policy: Policy,
    key: SigningKey,
    known: KeySet,
}

impl Service {
    fn new(source: Source, deny: &str) -> Self {
        let verifier = match source {
            Source::Verified => "aud = [\"files\"]\nalg = [\"RS256\"]",
            Source::Gateway(GatewayAuthorizer::Jwt) => "via = \"gateway\"",
            Source::Gateway(GatewayAuthorizer::Lambda) => "via = \"gateway-lambda\"",
            Source::Gateway(GatewayAuthorizer::Iam) => "via = \"gateway-iam\"",
        };
        let rules = format!(
            "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"{ISS}\"\ngroups = \"groups\"\n{verifier}\n\
             [[rule]]\nid = \"all\"\nwho = [\"issuer:idp\"]\ncan = [\"read\", \"write\", \"delete\", \"list\"]\non = [\"**\"]\n\
             share = [\"read\", \"write\", \"delete\"]\n\
             [[rule]]\nid = \"no\"\neffect = \"deny\"\ncan = [\"read\", \"write\", \"delete\", \"list\"]\n{deny}\n"
        );
        let key = SigningKey::rsa("k");
        let mut policy = Policy::parse(&rules).unwrap();
        policy.authenticators.keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let known = KeySet::parse(jwks(&[&key]).to_string().as_bytes()).unwrap();
        Self {
            source,
            policy,
            key,
            known,
        }
    }

    /// A request of `alice` with these claims.
    fn request(&self, method: &str, path: &str, claims: &Value) -> ApiRequest {
        let request = ask(method, path);
        let mut all: Map<String, Value> = claims.as_object().unwrap().clone();
        all.insert("sub".into(), "alice".into());
        all.insert("iss".into(), ISS.into());
        match self.source {
            Source::Verified => {
                all.insert("aud".into(), "files".into());
                all.insert("exp".into(), 1_783_711_444.into());
                let token = self.key.token("RS256", &Value::Object(all));
                request.with("authorization", &format!("Bearer {token}"))
            }
            Source::Gateway(authorizer) => ApiRequest {
                gateway: Some(GatewayIdentity {
                    authorizer,
                    claims: all.into_iter().collect(),
                }),
                ..request
            },
        }
    }

    fn decide(&self, request: &ApiRequest) -> Result<Decision, u16> {
        decide(&self.policy, request, Some(&self.known), now()).map_err(|rejected| match rejected.rejection.code() {
            "AccessDenied" => 403,
            _ => 401,
        })
    }

    fn may_read(&self, path: &str, claims: &Value) -> bool {
        match self.decide(&self.request("GET", path, claims)) {
            Ok(_) => true,
            Err(status) => {
                assert_eq!(status, 403, "{path} {claims}");
                false
            }
        }
    }

    fn principal(&self, claims: &Value) -> Principal {
        let request = self.request("GET", "/x", claims);
        let known = Some(&self.known);
        self.policy.authenticators.authenticate(&request, known, now()).unwrap()
    }
}

const IF: &str = "who = [\"issuer:idp\"]\nif = { status = [\"blocked\"] }\non = [\"**\"]";
const GROUP: &str = "who = [\"group:idp/blocked\"]\non = [\"**\"]";
const CLAIM: &str = "who = [\"issuer:idp\"]\non = [\"vault/{team}/**\"]";

/// Claims from any source, and whether the caller may read.
fn assert_reads(sources: &[Source], deny: &str, path: &str, cases: &[(Value, bool)]) {
    for source in sources {
        let service = Service::new(*source, deny);
        for (claims, expected) in cases {
            assert_eq!(service.may_read(path, claims), *expected, "{source:?} {deny} {claims}");
        }
    }
}

#[test]
fn a_condition_of_a_deny_rule_holds_if_the_claim_has_no_single_value() {
    let cases = [
        (json!({"status": "active"}), true),
        (json!({"status": "Blocked"}), true),
        (json!({"status": 7}), true),
        (json!({"status": "blocked"}), false),
        (json!({"status": ["blocked"]}), false),
        (json!({"status": ["active"]}), false),
        (json!({"status": []}), false),
        (json!({"status": {"is": "active"}}), false),
        (json!({"status": null}), false),
        (json!({"status": ""}), false),
        (json!({"status": 1.5}), false),
        (json!({}), false),
    ];
    assert_reads(&ALL, IF, "/x", &cases);
}

#[test]
fn a_condition_of_a_deny_rule_holds_if_a_gateway_may_have_flattened_the_claim() {
    let flattened = [
        "[blocked]",
        "[active blocked]",
        "[active]",
        "[]",
        "active,blocked",
        "active, blocked",
        "[\"active\",\"blocked\"]",
        "map[is:blocked]",
        "{\"is\":\"blocked\"}",
        "{is=blocked}",
        "<nil>",
        "1.5e+22",
        "1.5",
    ];
    let cases = flattened.map(|status| (json!({ "status": status }), false));
    assert_reads(&GATEWAYS, IF, "/x", &cases);
    let allow = "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway\"\n[[rule]]\nid = \"r\"\n\
                 who = [\"issuer:idp\"]\nif = { status = [\"[a b]\", \"a,b\"] }\ncan = [\"read\"]\non = [\"**\"]\n";
    let policy = Policy::parse(allow).unwrap();
    for status in ["[a b]", "a,b"] {
        let claims = [("iss", "i"), ("sub", "s"), ("status", status)];
        let request = ApiRequest {
            gateway: Some(GatewayIdentity {
                authorizer: GatewayAuthorizer::Jwt,
                claims: claims.map(|(name, text)| (name.to_owned(), text.into())).into(),
            }),
            ..ask("GET", "/x")
        };
        assert!(decide(&policy, &request, None, now()).is_err(), "{status}");
    }
}

#[test]
fn a_deny_rule_for_a_group_applies_if_the_groups_are_ambiguous() {
    let cases = [
        (json!({"groups": "eng"}), true),
        (json!({"groups": "blocked2"}), true),
        (json!({"groups": ["eng", "ops team"]}), true),
        (json!({"groups": []}), true),
        (json!({"groups": "[]"}), true),
        (json!({}), true),
        (json!({"groups": null}), true),
        (json!({"groups": "blocked"}), false),
        (json!({"groups": ["eng", "blocked"]}), false),
        (json!({"groups": "[blocked]"}), false),
        (json!({"groups": "[eng blocked]"}), false),
        (json!({"groups": "eng blocked"}), false),
        (json!({"groups": "eng,blocked"}), false),
        (json!({"groups": "eng;blocked"}), false),
        (json!({"groups": "eng|blocked"}), false),
        (json!({"groups": "[\"eng\",\"blocked\"]"}), false),
        (json!({"groups": {"blocked": true}}), false),
        (json!({"groups": 7}), false),
        (json!({"groups": ["eng", ["blocked"]]}), false),
        (json!({"groups": ["eng", {"name": "blocked"}]}), false),
        (json!({"groups": true}), false),
        (json!({"_claim_names": {"groups": "src1"}}), false),
        (json!({"_claim_names": {"others": "src1"}}), true),
        (json!({"_claim_names": "map[groups:src1]"}), false),
        (json!({"hasgroups": true}), false),
        (json!({"hasgroups": "true"}), false),
        (json!({"hasgroups": false}), true),
    ];
    assert_reads(&ALL, GROUP, "/x", &cases);
    // A deny rule for the groups of tokens or of another issuer does not apply.
    for source in ALL {
        let service = Service::new(source, "who = [\"group:blocked\"]\non = [\"**\"]");
        assert!(
            service.may_read("/x", &json!({"groups": "[eng blocked]"})),
            "{source:?}"
        );
    }
}

#[test]
fn a_claim_without_a_plain_value_in_the_pattern_of_a_deny_rule_matches_everything_below() {
    let long = "r".repeat(129);
    let cases = [
        (json!({"team": "blue"}), true),
        (json!({"team": "re"}), true),
        (json!({"team": "red"}), false),
        (json!({"team": ["red"]}), false),
        (json!({"team": ["blue"]}), false),
        (json!({"team": {"name": "red"}}), false),
        (json!({"team": "red team"}), false),
        (json!({"team": "red/sub"}), false),
        (json!({"team": ".."}), false),
        (json!({"team": "réd"}), false),
        (json!({"team": long}), false),
        (json!({"team": ""}), false),
        (json!({"team": null}), false),
        (json!({"team": 1.5}), false),
        (json!({}), false),
    ];
    assert_reads(&ALL, CLAIM, "/vault/red/x", &cases);
    let flattened = ["[red]", "[red blue]", "red,blue"].map(|team| (json!({ "team": team }), false));
    assert_reads(&ALL, CLAIM, "/vault/red/x", &flattened);
    for source in ALL {
        let service = Service::new(source, CLAIM);
        assert!(service.may_read("/vault", &json!({})), "{source:?}");
        assert!(service.may_read("/other/red/x", &json!({})), "{source:?}");
        let spaced = json!({"team": "red team"});
        assert!(!service.may_read("/vault/red%20team/x", &spaced), "{source:?}");
        let service = Service::new(source, "who = [\"issuer:idp\"]\non = [\"{team}/a/{sub}\"]");
        assert!(!service.may_read("/anything", &json!({})), "{source:?}");
        assert!(service.may_read("/anything", &json!({"team": "red"})), "{source:?}");
        assert!(!service.may_read("/red/a/alice", &json!({"team": "red"})), "{source:?}");
    }
}

#[test]
fn a_deny_rule_that_cannot_be_evaluated_applies_to_every_kind_of_request() {
    let ambiguous = json!({"status": "[blocked]", "groups": "[eng blocked]", "team": "[red]"});
    let clear = json!({"status": "active", "groups": "eng", "team": "blue"});
    for source in ALL {
        for deny in [IF, GROUP, CLAIM] {
            // A verified text is exact, so it is not ambiguous for `if`.
            let ambiguous = if source == Source::Verified {
                json!({"status": ["blocked"], "groups": "[eng blocked]", "team": ["red"]})
            } else {
                ambiguous.clone()
            };
            let service = Service::new(source, deny);
            for (claims, expected) in [(&ambiguous, Err(403)), (&clear, Ok(()))] {
                for (method, path) in [
                    ("GET", "/vault/red/x"),
                    ("HEAD", "/vault/red/x"),
                    ("PUT", "/vault/red/x?url"),
                    ("DELETE", "/vault/red/x"),
                    ("POST", "/vault/red/x?uploads"),
                    ("POST", "/vault/red/"),
                    ("GET", "/vault/red/"),
                    ("GET", "/vault/red/?uploads"),
                    ("GET", "/vault/red/?form"),
                    ("GET", "/vault/red/x?view"),
                    ("GET", "/-/presign/vault/red/x?method=PUT"),
                ] {
                    let decided = service.decide(&service.request(method, path, claims)).map(|_| ());
                    assert_eq!(decided, expected, "{source:?} {deny} {method} {path} {claims}");
                }
                let body = Bytes::from_static(b"[{\"method\": \"GET\", \"key\": \"vault/red/x\"}]");
                let bulk = ApiRequest {
                    body,
                    ..service.request("POST", "/-/sign", claims)
                };
                let Ok(Decision::BulkSign(items)) = service.decide(&bulk) else {
                    panic!("{source:?} {deny}")
                };
                assert_eq!(items[0].outcome.is_ok(), expected.is_ok(), "{source:?} {deny}");
                let share = ApiRequest {
                    body: Bytes::from_static(b"{\"key\": \"vault/red/x\"}"),
                    ..service.request("POST", "/-/share", claims)
                };
                assert_eq!(service.decide(&share).map(|_| ()), expected, "{source:?} {deny}");
                let principal = service.principal(claims);
                let is_listed = service.policy.allows(&principal, Action::List, "vault/red/x");
                assert_eq!(is_listed, expected.is_ok(), "{source:?} {deny}");
                let list = service.policy.list_access(&principal, Action::List, "vault/red/");
                assert_eq!(matches!(list, Ok(ListAccess::Full(_))), expected.is_ok());
            }
        }
    }
}

/// A link whose prefix the deny rule does not cover, but which reaches a denied key.
#[test]
fn a_deny_rule_that_cannot_be_evaluated_applies_to_share_links() {
    for source in ALL {
        let service = Service::new(source, CLAIM);
        let share = ApiRequest {
            body: Bytes::from_static(b"{\"prefix\": \"a/\", \"methods\": [\"GET\", \"DELETE\"]}"),
            ..service.request("POST", "/-/share", &json!({"team": ["red"]}))
        };
        let Ok(Decision::ShareLink(new)) = service.decide(&share) else {
            panic!("{source:?}")
        };
        let token = new.token.expose();
        let denied = Service::new(source, "who = [\"issuer:idp\"]\non = [\"a/{team}/**\"]");
        let grouped = Service::new(source, GROUP);
        for method in ["GET", "DELETE"] {
            let request = ask(method, &format!("/a/red/x?share={token}"));
            assert!(service.decide(&request).is_ok(), "{source:?}");
            assert_eq!(denied.decide(&request).map(|_| ()), Err(403), "{source:?}");
            // The link contains the groups that the rules named when it was created, so others are unknown.
            assert_eq!(grouped.decide(&request).map(|_| ()), Err(403), "{source:?}");
        }
    }
}

#[test]
fn numbers_that_are_not_exact_have_no_value() {
    let numbers = [
        "12345678901234567890123",
        "12345678901234567890124",
        "18446744073709551616",
        "-9223372036854775809",
        "0.1",
        "1.0",
        "1e3",
        "-0.0",
    ];
    let exact = [
        "0",
        "7",
        "18446744073709551615",
        "-9223372036854775808",
        "9007199254740993",
    ];
    for source in ALL {
        let allow = Service::new(source, "who = [\"user:idp/nobody\"]\non = [\"**\"]");
        for (number, expected) in numbers
            .map(|number| (number, None))
            .into_iter()
            .chain(exact.map(|n| (n, Some(n))))
        {
            let claims: Value = serde_json::from_str(&format!("{{\"n\": {number}}}")).unwrap();
            let principal = allow.principal(&claims);
            assert_eq!(principal.user().unwrap().claim("n"), expected, "{source:?} {number}");
        }
    }
    // A gateway may write a rounded number as a text.
    for source in GATEWAYS {
        let service = Service::new(source, IF);
        for text in ["1.2345678901234568e+22", "1.2345678901234568E22", "0.1", "-1.5e-7"] {
            let principal = service.principal(&json!({ "n": text }));
            assert_eq!(principal.user().unwrap().claim("n"), None, "{source:?} {text}");
        }
        for text in [
            "12345678901234567890123",
            "v1.5",
            "1.5.2",
            "2026-11-30",
            "-",
            "1e",
            "abc",
        ] {
            let principal = service.principal(&json!({ "n": text }));
            assert_eq!(principal.user().unwrap().claim("n"), Some(text), "{source:?}");
        }
    }
}

#[test]
fn rules_that_can_match_nobody_prevent_the_start() {
    let issuer = |via: &str| format!("version = 1\n[[issuer]]\nname = \"idp\"\niss = \"i\"\n{via}\n");
    let rule = |effect: &str, who: &str| {
        format!("[[rule]]\nid = \"r\"\neffect = \"{effect}\"\nwho = [\"{who}\"]\ncan = [\"read\"]\non = [\"**\"]\n")
    };
    let session = "user:idp/arn:aws:sts::1:assumed-role/ci/session";
    for (via, who, problem) in [
        ("via = \"gateway\"", "group:idp/blocked", "has no `groups`"),
        ("via = \"gateway-lambda\"", "group:idp/blocked", "has no `groups`"),
        ("via = \"gateway-iam\"", "group:idp/blocked", "has no `groups`"),
        ("via = \"gateway-iam\"", session, "no session name"),
    ] {
        for effect in ["allow", "deny"] {
            let error = Policy::parse(&(issuer(via) + &rule(effect, who)))
                .unwrap_err()
                .to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
    for (via, who) in [
        ("via = \"gateway\"\ngroups = \"g\"", "group:idp/blocked"),
        ("via = \"gateway-iam\"", "user:idp/arn:aws:sts::1:assumed-role/ci"),
        ("via = \"gateway\"", session),
    ] {
        assert!(
            Policy::parse(&(issuer(via) + &rule("deny", who))).is_ok(),
            "{via} {who}"
        );
    }
}

#[test]
fn a_deny_rule_for_anonymous_callers_without_a_user_id_applies() {
    let rules = "version = 1\n[[rule]]\nid = \"a\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n\
                 [[rule]]\nid = \"d\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"homes/{user_id}/**\"]\n";
    let policy = Policy::parse(rules).unwrap();
    for (key, expected) in [
        ("homes/x/y", false),
        ("homes/x", false),
        ("homes", true),
        ("other", true),
    ] {
        let key = ObjectKey::new(key).unwrap();
        let decided = policy.decide(&Principal::Anonymous, Action::Read, &key);
        assert_eq!(decided.is_ok(), expected, "{key:?}");
    }
}

/// A message about a deny rule does not suggest that an allow rule is missing.
#[tokio::test]
async fn a_denied_request_and_a_request_without_a_rule_have_different_messages() {
    const RULES: &str = "version = 1\n[[token]]\nid = \"ann\"\n\
        sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
        [[rule]]\nid = \"all\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"list\"]\non = [\"docs/**\"]\n\
        [[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\", \"list\"]\non = [\"docs/secret/**\"]\n";
    let handler = crate::support::handler(RULES).await;
    let denied = "a rule denies this caller permission to";
    let missing = "no rule allows this caller to";
    for (path, expected, remedy) in [
        ("/docs/secret/a", denied, "which another rule cannot override"),
        ("/docs/secret/", denied, "which another rule cannot override"),
        ("/other/a", missing, "Ask the operator for a rule that allows it."),
        ("/other/", missing, "Ask the operator for a rule that allows it."),
    ] {
        let request = crate::support::With::with(crate::support::ask("GET", path), "authorization", "Bearer secret");
        let request = crate::support::With::with(request, "accept", "application/json");
        let response = handler.handle(&request, crate::support::now()).await;
        let problem = crate::support::json(&response);
        assert_eq!(
            (response.status().as_u16(), &problem["code"]),
            (403, &"AccessDenied".into()),
            "{path}"
        );
        assert!(
            problem["detail"].as_str().unwrap().starts_with(expected),
            "{path} {problem}"
        );
        assert!(problem["remedy"].as_str().unwrap().contains(remedy), "{path} {problem}");
        let anonymous = handler
            .handle(&crate::support::ask("GET", path), crate::support::now())
            .await;
        assert_eq!(anonymous.status(), 401, "{path}");
    }
}
