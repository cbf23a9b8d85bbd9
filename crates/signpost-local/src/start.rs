//! Wires the parts: settings, storage, handler, sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use signpost::config::{ConfigError, Settings, TablePlace};
use signpost::outbound::aws::CredentialSource;
use signpost::service::handler::Handler;
use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;

use crate::api::Api;
use crate::credentials::{self, DefaultChain};
use crate::environment::{EMBEDDED_BUCKET, EMBEDDED_REGION, Environment};
use crate::options::Options;
use crate::s3::{self, EmbeddedS3, EmbeddedS3Config, S3Credentials};
use crate::shutdown::Shutdown;
use crate::welcome::{Storage, Welcome};
use crate::{log, server};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting or the rules.
    #[error("{name}: {problem}")]
    Config {
        /// The option or the variable.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The address of the API.
    #[error("--listen: cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// An address that others reach, under rules that let anyone do everything.
    #[error(
        "--listen: {address} is not a loopback address, and without --rules anyone who reaches it could do everything"
    )]
    OpenToOthers {
        /// The address.
        address: SocketAddr,
    },
    /// An address that no URL can name.
    #[error("--s3-listen: {address} does not tell under which address clients reach it, and signed URLs must")]
    UnnamedS3 {
        /// The address.
        address: SocketAddr,
    },
    /// The embedded S3.
    #[error(transparent)]
    S3(#[from] s3::StartError),
    /// The embedded S3 has no STS beside it.
    #[error("SIGNPOST_SIGNER_ROLE_ARN: the embedded S3 knows no roles; name a bucket with --bucket, or unset it")]
    NoSts,
    /// The embedded S3 has no other bucket, and no Systems Manager beside it.
    #[error(
        "SIGNPOST_RULES_SOURCE: the embedded S3 keeps no rules; name a bucket with --bucket, or a file with --rules"
    )]
    NoRulesSource,
    /// The embedded S3 has no `DynamoDB` beside it.
    #[error(
        "SIGNPOST_TABLE: beside the embedded S3 the data folder has the table; name a bucket with --bucket, or unset it"
    )]
    NoDynamoDb,
    /// The bucket is elsewhere, and the SDK's chain has no credentials for it.
    #[error("no AWS credentials")]
    Credentials(#[source] CredentialsError),
    /// The signals cannot be listened for.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

/// Runs the server until a signal ends it.
pub(crate) async fn run(options: &Options) -> Result<(), StartError> {
    let shutdown = Shutdown::on_signals().map_err(StartError::Signals)?;
    let mut environment = Environment::new(options, std::env::vars_os());
    let open = environment.open_without_rules();
    if open && !options.listen.ip().is_loopback() {
        return Err(StartError::OpenToOthers {
            address: options.listen,
        });
    }
    let refused = |source| StartError::Listen {
        address: options.listen,
        source,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
    let local = listener.local_addr().map_err(refused)?;
    let prepared = if environment.names_a_bucket() {
        elsewhere(options, environment).await?
    } else {
        embedded(options, environment, local).await?
    };
    let api = Api {
        handler: prepared.handler,
        front: options.front,
        local,
        open,
    };
    let storage = prepared.storage;
    log::line(Welcome {
        local,
        base_path: api.base_path().to_owned(),
        storage,
        front: options.front,
        open,
    });
    let serving = server::serve(listener, Arc::new(api), shutdown.clone().requested());
    match prepared.s3 {
        Some(s3) => drop(tokio::join!(serving, s3.serve(shutdown.requested()))),
        None => serving.await,
    }
    Ok(())
}

/// What differs with the place of the objects.
struct Prepared {
    handler: Handler,
    storage: Storage,
    s3: Option<EmbeddedS3>,
}

async fn embedded(options: &Options, mut environment: Environment, local: SocketAddr) -> Result<Prepared, StartError> {
    if options.s3_listen.ip().is_unspecified() {
        return Err(StartError::UnnamedS3 {
            address: options.s3_listen,
        });
    }
    if environment.get("SIGNPOST_SIGNER_ROLE_ARN").is_some() {
        return Err(StartError::NoSts);
    }
    if environment.get("SIGNPOST_RULES_SOURCE").is_some() {
        return Err(StartError::NoRulesSource);
    }
    if environment.get("SIGNPOST_TABLE").is_some() {
        return Err(StartError::NoDynamoDb);
    }
    let region = options.region.as_deref().unwrap_or(EMBEDDED_REGION);
    let credentials = credentials::made_up();
    let config = EmbeddedS3Config {
        data: options.data.clone(),
        bucket: EMBEDDED_BUCKET.to_owned(),
        region: region.to_owned(),
        credentials: vec![S3Credentials {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().into(),
            session_token: None,
            expires_at: None,
        }],
        may_list: true,
        page: page_at(local),
    };
    let s3 = EmbeddedS3::bind(options.s3_listen, config).await?;
    let address = s3.local_addr();
    environment.use_embedded(&format!("http://{address}"), region);
    let source = CredentialSource::from_provider(credentials);
    let mut settings = settings(options, environment)?;
    settings.table = Some(TablePlace::Folder(options.data.join("table")));
    Ok(Prepared {
        handler: handler(options, settings, source).await?,
        storage: Storage::Embedded {
            data: options.data.clone(),
            address,
        },
        s3: Some(s3),
    })
}

/// The origin of the pages that the API at `local` serves, where its address tells it.
fn page_at(local: SocketAddr) -> Option<String> {
    (!local.ip().is_unspecified()).then(|| format!("http://{local}"))
}

async fn elsewhere(options: &Options, mut environment: Environment) -> Result<Prepared, StartError> {
    if let Some(region) = credentials::default_region().await {
        environment.default_region(region.as_ref());
    }
    let settings = settings(options, environment)?;
    let chain = DefaultChain::new(&settings.region).await;
    chain.provide_credentials().await.map_err(StartError::Credentials)?;
    let storage = Storage::Bucket {
        name: settings.bucket.clone(),
        endpoint: settings.custom_endpoint().map(str::to_owned),
    };
    Ok(Prepared {
        handler: handler(options, settings, CredentialSource::from_provider(chain)).await?,
        storage,
        s3: None,
    })
}

/// Reads the settings, and starts the log that they ask for.
fn settings(options: &Options, environment: Environment) -> Result<Settings, StartError> {
    let asks_for_log = environment.asks_for_log();
    let settings = environment.settings().map_err(|error| config_error(options, error))?;
    log::start(if asks_for_log { settings.log } else { LevelFilter::WARN });
    Ok(settings)
}

async fn handler(options: &Options, settings: Settings, source: CredentialSource) -> Result<Handler, StartError> {
    Handler::start(settings, source)
        .await
        .map_err(|error| config_error(options, error))
}

/// Names the option where the user gave one, and the variable otherwise.
fn config_error(options: &Options, error: ConfigError) -> StartError {
    StartError::Config {
        name: options.given_for(error.var).unwrap_or(error.var).to_owned(),
        problem: error.problem,
    }
}
