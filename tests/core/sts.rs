//! An STS on loopback that gives what a test tells it to give, and remembers what it was asked for.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use percent_encoding::percent_decode_str;

use crate::fake::{Asked, Fake, Told};

/// What the next calls are answered with.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A session that ends then.
    SessionUntil(SystemTime),
    /// 403, which no client repeats.
    Refusal,
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

    /// Answers so from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.fake.answer(answering(answer, self.fake.asked().len()));
    }

    /// Takes so long for each answer from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.fake.delay(delay);
    }

    /// The parameters of each call so far.
    pub(crate) fn calls(&self) -> Vec<BTreeMap<String, String>> {
        self.fake.asked().iter().map(|asked| form(&asked.body)).collect()
    }
}

/// Answers after so many calls.
fn answering(answer: Answer, calls: usize) -> impl FnMut(&Asked) -> Told {
    let mut number = calls;
    move |_: &Asked| {
        number += 1;
        let (status, body) = match answer {
            Answer::SessionUntil(end) => (200, session(number, end)),
            Answer::Refusal => (403, REFUSAL.to_owned()),
        };
        (status, vec![("content-type", "text/xml".to_owned())], body)
    }
}

/// The token of the session that the `number`th call, counted from 1, was given.
pub(crate) fn token(number: usize) -> String {
    format!("session-token-{number}")
}

const REFUSAL: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
    <Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";

fn session(number: usize, end: SystemTime) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>session-secret-{number}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>",
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
