//! Random plans, signed by Signpost and by the complete signer of `aws-sigv4`. The URLs must be identical.
//!
//! `SIGNPOST_SIGNATURE_CASES` sets the number of plans: 10,000 by default, and 100,000 in CI. Before a release, compare
//! 10,000,000:
//! `SIGNPOST_SIGNATURE_CASES=10000000 cargo test --release --test core signer_oracle`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use serde_json::json;
use signpost::key::ObjectKey;
use signpost::operation::Operation;
use signpost::outbound::aws::Presigner;
use signpost::plan::PresignPlan;
use signpost::policy::GrantScope;

use crate::support::settings;

const CASES: usize = 10_000;

/// Numbers that depend only on the seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    fn text(&mut self, alphabet: &str, max: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let length = self.below(max + 1);
        (0..length).map(|_| *self.pick(&alphabet)).collect()
    }
}

/// A presigner, with the region that its signatures must contain.
struct Place {
    presigner: Presigner,
    bucket_url: String,
    region: &'static str,
}

async fn place(region: &'static str, bucket: &str, more: &[(&str, &str)], bucket_url: &str) -> Place {
    let env = [&[("AWS_REGION", region), ("SIGNPOST_BUCKET", bucket)], more].concat();
    Place {
        presigner: Presigner::resolve(&settings(&env)).await.unwrap(),
        bucket_url: bucket_url.to_owned(),
        region,
    }
}

/// Plain buckets, other partitions, path style and custom endpoints.
async fn places() -> Vec<Place> {
    let endpoint = |url| [("SIGNPOST_ENDPOINT", url)];
    let fips = [("AWS_USE_FIPS_ENDPOINT", "true")];
    vec![
        place(
            "eu-central-1",
            "bucket",
            &[],
            "https://bucket.s3.eu-central-1.amazonaws.com",
        )
        .await,
        place(
            "us-east-1",
            "1-bucket",
            &[],
            "https://1-bucket.s3.us-east-1.amazonaws.com",
        )
        .await,
        place(
            "cn-north-1",
            "bucket",
            &[],
            "https://bucket.s3.cn-north-1.amazonaws.com.cn",
        )
        .await,
        place(
            "us-gov-west-1",
            "bucket",
            &fips,
            "https://bucket.s3-fips.us-gov-west-1.amazonaws.com",
        )
        .await,
        place("eu-west-1", "a.b.c", &[], "https://s3.eu-west-1.amazonaws.com/a.b.c").await,
        place(
            "us-east-1",
            "bucket",
            &endpoint("http://127.0.0.1:9000"),
            "http://127.0.0.1:9000/bucket",
        )
        .await,
        place(
            "us-east-1",
            "bucket",
            &endpoint("https://s3.example.com"),
            "https://s3.example.com/bucket",
        )
        .await,
    ]
}

/// A plan with its credentials and its time.
struct Case {
    place: usize,
    plan: PresignPlan,
    credentials: Credentials,
    time: SystemTime,
}

const KEY: &str = "abcXYZ019-._~/ +%&=?#'\"()*!;:@,$<>[]{}|\\^`é☃🦀";
const VALUE: &str = "abcXYZ019-._~/ +%&=?#'\"();:@,é🦀";
const NAMES: [&str; 12] = [
    "response-content-disposition",
    "response-content-type",
    "uploads",
    "uploadId",
    "x-id",
    "x-signpost",
    "x-amz-meta-a",
    "x-amz-meta-a-b",
    "A",
    "X-Amz-Content",
    "X-Amz-Expect",
    "a b",
];
const HEADERS: [&str; 8] = [
    "content-length",
    "content-type",
    "if-none-match",
    "x-amz-meta-a",
    "x-amz-meta-a-b",
    "x-amz-checksum-sha256",
    "host2",
    "a",
];

fn case(random: &mut Random, places: usize) -> Case {
    let key = ObjectKey::new(format!("k{}", random.text(KEY, 40)))
        .or_else(|_| ObjectKey::new("k"))
        .unwrap();
    let operations = [
        Operation::GetObject,
        Operation::HeadObject,
        Operation::PutObject,
        Operation::DeleteObject,
    ];
    let mut query: Vec<(String, String)> = Vec::new();
    for _ in 0..random.below(4) {
        let name = *random.pick(&NAMES);
        // No plan contains a name twice.
        if query.iter().all(|(other, _)| other != name) {
            query.push((name.to_owned(), random.text(VALUE, 12)));
        }
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for _ in 0..random.below(4) {
        headers.push(((*random.pick(&HEADERS)).to_owned(), random.text("aB1-  ;=/\"", 12)));
    }
    Case {
        place: random.below(places),
        plan: PresignPlan {
            operation: *random.pick(&operations),
            public_key: key.clone(),
            key,
            headers,
            query,
            expires: Duration::from_secs(random.next() % 900 + 1),
            reuse_url_for: None,
            scope: GrantScope::default(),
            link_use: None,
        },
        credentials: credentials(random),
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + random.next() % 40 * 40_000),
    }
}

/// Few access keys, each with several secrets and tokens, so that cached signers do not fit.
fn credentials(random: &mut Random) -> Credentials {
    let token = match random.below(4) {
        0 => None,
        1 => Some("IQoJb3JpZ2luX2VjEXAMPLE/+=".repeat(30)),
        _ => Some(random.text(VALUE, 3)),
    };
    let number = random.below(10);
    let secret = format!("secret{}", random.below(2));
    Credentials::new(format!("AKIA{number}"), secret, token, None, "test")
}

/// Returns the URL that `aws-sigv4` signs, with its parameters in the canonical order.
fn oracle(place: &Place, case: &Case) -> String {
    let mut url = format!("{}{}", place.bucket_url, case.plan.key.to_path());
    let mut pairs: Vec<_> = case
        .plan
        .query
        .iter()
        .map(|(name, value)| (escape(name), escape(value)))
        .collect();
    for (number, (name, value)) in pairs.iter().enumerate() {
        write!(url, "{}{name}={value}", if number == 0 { '?' } else { '&' }).unwrap();
    }
    let headers = case
        .plan
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let method = case.plan.operation.method();
    let request = SignableRequest::new(method.as_str(), &url, headers, SignableBody::UnsignedPayload).unwrap();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(case.plan.expires);
    settings.excluded_headers = None;
    let identity = case.credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(place.region)
        .name("s3")
        .time(case.time)
        .settings(settings)
        .build()
        .unwrap();
    let (instructions, signature) = sign(request, &params.into()).unwrap().into_parts();
    let added = instructions
        .params()
        .iter()
        .filter(|(name, _)| *name != "X-Amz-Signature");
    pairs.extend(added.map(|(name, value)| (escape(name), escape(value))));
    pairs.sort();
    let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (address, _) = url.split_once('?').unwrap_or((&url, ""));
    format!("{address}?{}&X-Amz-Signature={signature}", query.join("&"))
}

/// Escapes all but the unreserved characters.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => write!(escaped, "%{byte:02X}").unwrap(),
        }
        escaped
    })
}

fn signed(place: &Place, case: &Case) -> String {
    let instruction = place.presigner.sign(case.plan.clone(), &case.credentials, case.time);
    instruction.unwrap().url.expose().to_owned()
}

/// The number of plans and the seed.
fn cases() -> usize {
    std::env::var("SIGNPOST_SIGNATURE_CASES").map_or(CASES, |cases| cases.parse().expect("a number"))
}

#[tokio::test]
async fn every_url_equals_the_url_of_the_complete_signer() {
    let places = places().await;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let places = &places;
            scope.spawn(move || {
                let mut random = Random(u64::try_from(thread).unwrap());
                for number in 0..cases().div_ceil(threads) {
                    let case = case(&mut random, places.len());
                    let place = &places[case.place];
                    assert_eq!(
                        signed(place, &case),
                        oracle(place, &case),
                        "plan {number} of seed {thread}"
                    );
                }
            });
        }
    });
}

/// Writes plans for `tests/peers/test_signatures.py`, which signs them with botocore.
#[tokio::test]
#[ignore = "writes a file for another suite"]
async fn write_plans() {
    let file = std::env::var("SIGNPOST_SIGNATURE_FILE").expect("SIGNPOST_SIGNATURE_FILE names the file");
    let mut file = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
    let places = places().await;
    let mut random = Random(42);
    for _ in 0..cases() {
        let case = case(&mut random, places.len());
        let place = &places[case.place];
        let line = json!({
            "method": case.plan.operation.method().as_str(),
            "url": format!("{}{}", place.bucket_url, case.plan.key.to_path()),
            "query": case.plan.query,
            "headers": case.plan.headers,
            "expires": case.plan.expires.as_secs(),
            "region": place.region,
            "access_key_id": case.credentials.access_key_id(),
            "secret_access_key": case.credentials.secret_access_key(),
            "session_token": case.credentials.session_token(),
            "time": case.time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
            "signed": signed(place, &case),
        });
        writeln!(file, "{line}").unwrap();
    }
}
