//! An STS on loopback that responds as a test specifies, and records its requests.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use percent_encoding::percent_decode_str;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};

/// The response to the next calls.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A session that expires at this time.
    SessionUntil(SystemTime),
    /// A session that expires at this time, in a response with this number of spaces at its end.
    LargeSession(SystemTime, usize),
    /// 403, which clients do not retry.
    Refusal,
    /// A session that expires at this time, if the session policy has at most this many characters. Otherwise 400.
    SessionForPolicy(SystemTime, usize),
}

#[derive(Clone)]
pub(crate) struct FakeSts {
    pub(crate) endpoint: String,
    fake: Fake,
}

impl FakeSts {
    pub(crate) async fn start(answer: Answer) -> Self {
        let fake = Fake::start(answering(answer, 0)).await;
        let endpoint = fake.endpoint.clone();
        Self { endpoint, fake }
    }

    /// Sets the response for the following calls.
    pub(crate) fn answer(&self, answer: Answer) {
        self.fake.answer(answering(answer, self.fake.requests().len()));
    }

    /// Delays the following responses.
    pub(crate) fn delay(&self, delay: Duration) {
        self.fake.delay(delay);
    }

    /// The number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.fake.connections()
    }

    /// The parameters of all calls.
    pub(crate) fn calls(&self) -> Vec<BTreeMap<String, String>> {
        self.fake.requests().iter().map(|request| form(&request.body)).collect()
    }
}

/// Responds to the calls after the first `calls`.
fn answering(answer: Answer, calls: usize) -> impl FnMut(&ReceivedRequest) -> FakeResponse {
    let mut number = calls;
    move |request: &ReceivedRequest| {
        number += 1;
        let policy = form(&request.body).remove("Policy").unwrap_or_default();
        let (status, body) = match answer {
            Answer::SessionForPolicy(_, max) if policy.len() > max => (400, POLICY_TOO_LARGE.to_owned()),
            Answer::SessionForPolicy(end, _) | Answer::SessionUntil(end) => (200, session(number, end)),
            Answer::LargeSession(end, spaces) => (200, session(number, end) + &" ".repeat(spaces)),
            Answer::Refusal => (403, REFUSAL.to_owned()),
        };
        (status, vec![("content-type", "text/xml".to_owned())], body)
    }
}

/// The token of the session that call `number`, counted from 1, returned.
pub(crate) fn token(number: usize) -> String {
    format!("session-token-{number}")
}

const REFUSAL: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
    <Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";

const POLICY_TOO_LARGE: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
    <Type>Sender</Type><Code>PackedPolicyTooLarge</Code>\
    <Message>Packed size of session policy consumes 112% of allotted space, please use smaller policy.</Message>\
    </Error></ErrorResponse>";

fn session(number: usize, end: SystemTime) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>session-secret-{number}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration>\
         </Credentials><PackedPolicySize>6</PackedPolicySize></AssumeRoleResult></AssumeRoleResponse>",
        token(number),
        format_rfc3339_seconds(end)
    )
}

fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}
