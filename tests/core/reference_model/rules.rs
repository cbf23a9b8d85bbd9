//! Rule sets as plain data, and their TOML.

use std::fmt::Write as _;

/// The verifier of the issuer `idp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verifier {
    Signpost,
    Jwt,
    Lambda,
    Iam,
}

#[derive(Clone, Debug)]
pub(crate) struct RuleSet {
    pub(crate) issuer: Option<Verifier>,
    pub(crate) rules: Vec<RuleData>,
}

/// One rule; its strings are written as in the file.
#[derive(Clone, Debug)]
pub(crate) struct RuleData {
    pub(crate) id: String,
    pub(crate) is_deny: bool,
    pub(crate) who: Vec<&'static str>,
    pub(crate) can: Vec<&'static str>,
    pub(crate) conditions: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) on: Vec<String>,
    pub(crate) rewrite: Option<&'static str>,
    pub(crate) limits: Limits,
}

/// The constraints of an allow rule. Times are in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) content_types: Option<&'static str>,
    pub(crate) overwrite: bool,
    pub(crate) expires: u64,
    pub(crate) share: Vec<&'static str>,
    pub(crate) share_expires: u64,
    pub(crate) temporary_share_expires: u64,
}

/// The tokens of every rule set: the id, which is also the secret, and the groups.
pub(crate) const TOKENS: [(&str, &[&str]); 3] = [("ann", &["eng"]), ("bob", &["eng", "ops"]), ("cat", &[])];

impl RuleSet {
    pub(crate) fn to_toml(&self) -> String {
        let mut text = "version = 1\n".to_owned();
        for (id, groups) in TOKENS {
            let sha256 = sha256(id);
            writeln!(text, "[[token]]\nid = {id:?}\nsha256 = {sha256:?}\ngroups = {groups:?}").unwrap();
        }
        if let Some(verifier) = self.issuer {
            let verifier = match verifier {
                Verifier::Signpost => "aud = [\"files\"]\nalg = [\"EdDSA\"]\nclient_id = \"web\"",
                Verifier::Jwt => "via = \"gateway\"",
                Verifier::Lambda => "via = \"gateway-lambda\"",
                Verifier::Iam => "via = \"gateway-iam\"",
            };
            writeln!(
                text,
                "[[issuer]]\nname = \"idp\"\niss = \"https://id.example.com\"\ngroups = \"groups\"\n{verifier}"
            )
            .unwrap();
        }
        for rule in &self.rules {
            text += &rule.to_toml();
        }
        text
    }
}

impl RuleData {
    fn to_toml(&self) -> String {
        let Self { id, who, can, on, .. } = self;
        let mut text = format!("[[rule]]\nid = {id:?}\nwho = {who:?}\ncan = {can:?}\non = {on:?}\n");
        if !self.conditions.is_empty() {
            let conditions = self
                .conditions
                .iter()
                .map(|(claim, values)| format!("{claim} = {values:?}"));
            writeln!(text, "if = {{ {} }}", conditions.collect::<Vec<_>>().join(", ")).unwrap();
        }
        if self.is_deny {
            return text + "effect = \"deny\"\n";
        }
        if let Some(rewrite) = self.rewrite {
            writeln!(text, "rewrite = {rewrite:?}").unwrap();
        }
        let changes = can.contains(&"write") || can.contains(&"delete");
        if changes && who.contains(&"anyone") {
            text += "allow_anonymous_write = true\n";
        }
        text + &self.limits.to_toml()
    }
}

impl Limits {
    fn to_toml(&self) -> String {
        let mut text = format!(
            "overwrite = {}\nexpires = \"{}s\"\nshare = {:?}\nshare_expires = \"{}s\"\ntemporary_share_expires = \"{}s\"\n",
            self.overwrite, self.expires, self.share, self.share_expires, self.temporary_share_expires
        );
        if let Some(bytes) = self.max_bytes {
            writeln!(text, "max_bytes = {bytes}").unwrap();
        }
        if let Some(content_type) = self.content_types {
            writeln!(text, "content_types = [{content_type:?}]").unwrap();
        }
        text
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text);
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
