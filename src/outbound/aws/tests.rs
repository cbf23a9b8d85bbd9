//! The endpoints in all regions and partitions equal those of botocore. `tests/peers/endpoints.py` generates its endpoints.

use std::collections::HashMap;

use serde::Deserialize;

use super::presigner::Presigner;
use super::signed_call::AwsService;
use crate::config::Settings;
use crate::outbound::aws::CredentialSource;
use crate::outbound::https_client::HttpsClient;

const ENDPOINTS: &str = include_str!("../../../tests/peers/endpoints.json");

/// The endpoints in one region, for one choice of FIPS and dual-stack.
#[derive(Deserialize)]
struct Row {
    partition: String,
    region: String,
    variant: String,
    /// The URL and the region of the signature for each kind of bucket and each service, or nothing if there is no endpoint.
    endpoints: HashMap<String, Option<(String, String)>>,
}

impl Row {
    fn all() -> Vec<Self> {
        serde_json::from_str(ENDPOINTS).unwrap()
    }

    fn settings(&self, more: &[(&str, &str)]) -> Result<Settings, crate::config::ConfigError> {
        let switch = |name: &str| self.variant.split('+').any(|part| part == name).to_string();
        let (fips, dual_stack) = (switch("fips"), switch("dualstack"));
        let base = [
            ("SIGNPOST_BUCKET", "example-bucket"),
            ("AWS_REGION", &self.region),
            ("AWS_USE_FIPS_ENDPOINT", &fips),
            ("AWS_USE_DUALSTACK_ENDPOINT", &dual_stack),
        ];
        let env: HashMap<_, _> = base.iter().chain(more).copied().collect();
        Settings::from_env(env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    /// The place of the row in messages.
    fn place(&self, kind: &str) -> String {
        format!("{} {} {} {kind}", self.partition, self.region, self.variant)
    }
}

#[tokio::test]
async fn buckets_have_the_endpoints_of_botocore() {
    let mut compared = 0;
    for row in Row::all() {
        let point = format!("arn:{}:s3:{}:123456789012:accesspoint/files", row.partition, row.region);
        let kinds: [(&str, &[(&str, &str)]); 5] = [
            ("bucket", &[]),
            ("path_style", &[("SIGNPOST_PATH_STYLE", "true")]),
            ("dotted", &[("SIGNPOST_BUCKET", "example.bucket")]),
            ("accelerate", &[("SIGNPOST_ACCELERATE", "true")]),
            ("access_point", &[("SIGNPOST_BUCKET", &point)]),
        ];
        for (kind, more) in kinds {
            let Ok(settings) = row.settings(more) else {
                assert_eq!(row.endpoints[kind], None, "{}", row.place(kind));
                continue;
            };
            for presigner in [
                Presigner::resolve(&settings).await,
                Presigner::from_sdk(&settings).await,
            ] {
                let ours = presigner.map(|presigner| (presigner.bucket_url, presigner.region)).ok();
                assert_eq!(ours, row.endpoints[kind], "{}", row.place(kind));
                compared += 1;
            }
        }
    }
    assert!(compared > 1_500, "{compared}");
}

/// Secrets Manager has dual-stack names only in some partitions, so its standard names are used, which always exist.
#[tokio::test]
async fn services_have_the_endpoints_of_botocore() {
    let mut compared = 0;
    let rows = Row::all();
    for row in &rows {
        for name in ["sts", "ssm", "dynamodb", "secretsmanager"] {
            let without_dual_stack = row.variant.trim_end_matches("dualstack").trim_end_matches('+');
            let same_region = || rows.iter().filter(|other| other.region == row.region);
            let standard = || same_region().find(|other| other.variant == without_dual_stack).unwrap();
            let expected = if name == "secretsmanager" { standard() } else { row };
            let settings = row.settings(&[]).unwrap();
            let credentials = CredentialSource::example().0;
            let service = AwsService::new(name, &settings, None, credentials, HttpsClient::default()).unwrap();
            for endpoint in [service.endpoint().await, service.resolved_endpoint().await] {
                let ours = endpoint
                    .map(|(url, region)| (url.trim_end_matches('/').to_owned(), region))
                    .ok();
                assert_eq!(ours, expected.endpoints[name], "{}", row.place(name));
                compared += 1;
            }
        }
    }
    assert!(compared > 1_400, "{compared}");
}
