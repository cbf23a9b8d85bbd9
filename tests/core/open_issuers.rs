//! Issuers that everyone can get tokens of: a rule must name the owners of the tokens that it accepts.

use signpost::policy::Policy;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const COGNITO: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc";

/// Rules with an issuer, and a rule with these lines.
fn parse(iss: &str, issuer: &str, rule: &str) -> Result<Policy, String> {
    let text = format!(
        "version = 1\n[[issuer]]\nname = \"i\"\niss = {iss:?}\naud = [\"signpost\"]\nalg = [\"RS256\"]\n{issuer}\n\
         [[token]]\nid = \"ci\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
         [[rule]]\nid = \"r\"\ncan = [\"read\"]\non = [\"a/**\"]\n{rule}\n"
    );
    Policy::parse(&text).map_err(|error| error.to_string())
}

const EVERYONE: &str = "who = [\"issuer:i\"]";

#[test]
fn a_rule_for_everyone_at_an_open_issuer_is_rejected() {
    for iss in [
        GITHUB,
        "https://gitlab.com",
        "https://accounts.google.com",
        "https://agent.buildkite.com",
        "https://app.terraform.io",
        "https://oidc.vercel.com",
        "https://oidc.codefresh.io",
        "https://appleid.apple.com",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://oauth2.sigstore.dev/auth",
        "https://slack.com",
        "https://login.salesforce.com",
        "https://www.facebook.com",
        "https://www.linkedin.com/oauth",
        "https://id.twitch.tv/oauth2",
        "https://discord.com",
        COGNITO,
        "https://acme.eu.auth0.com/",
        "https://acme.okta.com/oauth2/default",
        "https://securetoken.google.com/project",
        "https://abc.supabase.co/auth/v1",
        "https://acme.ciamlogin.com/11111111-2222-3333-4444-555555555555/v2.0",
    ] {
        let error = parse(iss, "", EVERYONE).expect_err(iss);
        assert!(
            error.contains("rule \"r\": who: ") && error.contains("matches everyone"),
            "{iss}: {error}"
        );
        assert!(error.contains("allow_open_issuer = true"), "{iss}: {error}");
        parse(iss, "", &format!("{EVERYONE}\nallow_open_issuer = true")).expect(iss);
        parse(iss, "", &format!("{EVERYONE}\nif = {{ sub = [\"x\"] }}")).expect(iss);
        parse(iss, "", "who = [\"user:i/x\"]").expect(iss);
        parse(iss, "", "who = [\"anyone\", \"token:ci\"]").expect(iss);
        parse(iss, "", "who = [\"issuer:i\"]\neffect = \"deny\"").expect(iss);
        let error = parse(iss, "", "who = [\"token:ci\", \"authenticated\"]").expect_err(iss);
        assert!(
            error.contains("\"authenticated\"") && error.contains("matches everyone"),
            "{iss}: {error}"
        );
    }
}

#[test]
fn issuers_of_one_organization_need_no_condition() {
    for iss in [
        "https://login.example.com",
        "https://token.actions.githubusercontent.com/acme",
        "https://gitlab.example.com",
        "https://oidc.circleci.com/org/11111111-2222-3333-4444-555555555555",
        "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        "https://oidc.vercel.com/acme",
        "https://abc123.tokens.sts.global.api.aws",
        "https://example.com/cognito-idp.eu-central-1.amazonaws.com",
        "https://auth0.com.example.com",
    ] {
        parse(iss, "", EVERYONE).expect(iss);
    }
}

#[test]
fn only_claims_that_name_the_owner_count() {
    for (iss, condition, is_accepted) in [
        (GITHUB, "repository_owner_id = [\"1\"]", true),
        (GITHUB, "repository_id = [\"1\"], ref = [\"refs/heads/main\"]", true),
        (GITHUB, "repository_owner = [\"acme\"]", true),
        (GITHUB, "sub = [\"repo:acme/app:ref:refs/heads/main\"]", true),
        (GITHUB, "ref = [\"refs/heads/main\"]", false),
        (GITHUB, "environment = [\"production\"]", false),
        (
            GITHUB,
            "job_workflow_ref = [\"acme/app/.github/workflows/a.yml@main\"]",
            false,
        ),
        (GITHUB, "actor = [\"ann\"], event_name = [\"push\"]", false),
        ("https://gitlab.com", "namespace_id = [\"1\"]", true),
        ("https://gitlab.com", "ref_protected = [\"true\"]", false),
        ("https://accounts.google.com", "hd = [\"example.com\"]", true),
        ("https://accounts.google.com", "email = [\"a@example.com\"]", false),
        (
            "https://accounts.google.com",
            "email = [\"a@example.com\"], email_verified = [\"true\"]",
            true,
        ),
        (
            "https://accounts.google.com",
            "email = [\"a@example.com\"], email_verified = [\"true\", \"false\"]",
            false,
        ),
        (
            "https://www.facebook.com",
            "email = [\"a@example.com\"], email_verified = [\"true\"]",
            false,
        ),
        ("https://agent.buildkite.com", "pipeline_slug = [\"app\"]", false),
        ("https://agent.buildkite.com", "organization_slug = [\"acme\"]", true),
        (COGNITO, "email = [\"a@example.com\"]", false),
        (
            COGNITO,
            "email = [\"a@example.com\"], email_verified = [\"true\"]",
            true,
        ),
        (COGNITO, "\"custom:team\" = [\"blue\"]", false),
        (COGNITO, "token_use = [\"id\"]", false),
        (
            "https://acme.auth0.com/",
            "\"https://acme.com/team\" = [\"blue\"]",
            true,
        ),
        ("https://acme.auth0.com/", "nickname = [\"ann\"]", false),
    ] {
        let result = parse(iss, "", &format!("{EVERYONE}\nif = {{ {condition} }}"));
        assert_eq!(result.is_ok(), is_accepted, "{iss} {condition}: {:?}", result.err());
    }
}

#[test]
fn groups_count_if_users_cannot_choose_them() {
    for (iss, groups, is_accepted) in [
        (COGNITO, "cognito:groups", true),
        (COGNITO, "custom:team", false),
        ("https://acme.auth0.com/", "https://acme.com/groups", true),
        (GITHUB, "repository_owner", true),
        (GITHUB, "ref", false),
        ("https://accounts.google.com", "email", false),
    ] {
        let result = parse(iss, &format!("groups = {groups:?}"), "who = [\"group:i/x\"]");
        assert_eq!(result.is_ok(), is_accepted, "{iss} {groups}: {:?}", result.err());
    }
}

#[test]
fn the_operator_can_state_who_can_sign_up() {
    for (iss, sign_up, is_accepted) in [
        (COGNITO, "closed", true),
        (COGNITO, "open", false),
        ("https://keycloak.example.com/realms/a", "open", false),
        ("https://keycloak.example.com/realms/a", "closed", true),
        ("https://acme.okta.com", "closed", true),
    ] {
        let result = parse(iss, &format!("sign_up = {sign_up:?}"), EVERYONE);
        assert_eq!(result.is_ok(), is_accepted, "{iss} {sign_up}: {:?}", result.err());
    }
    let error = parse(GITHUB, "sign_up = \"closed\"", "who = [\"token:ci\"]").unwrap_err();
    assert!(
        error.contains("issuer \"i\": sign_up: everyone can get tokens"),
        "{error}"
    );
    for alias in ["common", "organizations", "consumers"] {
        let error = parse(
            &format!("https://login.microsoftonline.com/{alias}/v2.0"),
            "",
            "who = [\"token:ci\"]",
        );
        assert!(
            error.unwrap_err().contains("add one [[issuer]] for each tenant"),
            "{alias}"
        );
    }
}

/// A gateway that verifies the tokens accepts those of every owner, too.
#[test]
fn the_verifier_of_the_tokens_makes_no_difference() {
    let text = format!(
        "version = 1\n[[issuer]]\nname = \"i\"\niss = {GITHUB:?}\nvia = \"gateway\"\n\
         [[rule]]\nid = \"r\"\ncan = [\"read\"]\non = [\"a/**\"]\n{EVERYONE}\n"
    );
    assert!(
        Policy::parse(&text)
            .unwrap_err()
            .to_string()
            .contains("matches everyone")
    );
}

#[test]
fn a_host_of_aws_is_an_issuer_with_sign_up_only_if_it_is_cognito() {
    for (iss, needs_owner) in [
        (COGNITO, true),
        ("https://cognito-idp.example.com/pool", false),
        ("https://oidc.eks.eu-central-1.amazonaws.com/id/1", false),
    ] {
        let result = parse(iss, "", EVERYONE);
        assert_eq!(result.is_err(), needs_owner, "{iss}: {:?}", result.err());
    }
}

#[test]
fn the_error_names_the_claim_of_the_owner_as_a_key_of_toml() {
    for (iss, key) in [
        (GITHUB, "`if = { repository_owner_id = [\"…\"] }`"),
        (
            "https://slack.com",
            "`if = { \"https://slack.com/team_id\" = [\"…\"] }`",
        ),
    ] {
        let error = parse(iss, "", EVERYONE).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}
