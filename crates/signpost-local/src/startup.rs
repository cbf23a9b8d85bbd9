//! Starts the server: connects settings, storage, handler and sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use signpost::config::{ConfigError, IdTableLocation, LocalMounts, Settings};
use signpost::mount::{Mount, MountCredentials};
use signpost::outbound::aws::CredentialSource;
use signpost::policy::Policy;
use signpost::service::handler::Handler;
use signpost::service::local_rules;
use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;

use crate::credentials::{self, CredentialChain};
use crate::environment::{EMBEDDED_BUCKET, EMBEDDED_REGION, ServerEnvironment};
use crate::options::ServerOptions;
use crate::policy_summary::PolicySummary;
use crate::redirect_api::RedirectApi;
use crate::rules_reload::{ReloadingHandler, WatchedRules};
use crate::s3::{self, EmbeddedS3, EmbeddedS3Config, EmbeddedS3Error, S3Credentials};
use crate::shutdown::ShutdownSignal;
use crate::welcome::{StorageLocation, WelcomeText};
use crate::{http_server, logging, private_files};

/// An error that prevents the server from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A setting is invalid, or the rules are.
    #[error("{name}: {problem}")]
    Config {
        /// The option or the environment variable.
        name: String,
        /// The description of the problem.
        problem: String,
    },
    /// The API cannot listen on its address.
    #[error("--listen: cannot listen on {address}: {cause}; use another port, or port 0 to let the system choose one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Other machines can reach the address, and no rules restrict access.
    #[error(
        "--listen: {address} is not a loopback address, and without --rules anyone who can reach it can do anything; \
         specify --rules FILE or a loopback address"
    )]
    PublicWithoutRules {
        /// The address.
        address: SocketAddr,
    },
    /// The address is a wildcard, which a presigned URL cannot contain.
    #[error(
        "--s3-listen: {address} is a wildcard address, and presigned URLs need an address that clients can reach; \
         specify one of this machine's addresses, or --s3-url ORIGIN"
    )]
    WildcardS3Address {
        /// The address.
        address: SocketAddr,
    },
    /// The embedded S3 cannot start.
    #[error(transparent)]
    S3(#[from] s3::EmbeddedS3Error),
    /// The embedded S3 does not include STS.
    #[error(
        "SIGNPOST_SIGNER_ROLE_ARN: the embedded S3 does not support roles; specify --bucket, or unset the variable"
    )]
    NoSts,
    /// The embedded S3 has only one bucket and does not include Systems Manager.
    #[error(
        "SIGNPOST_RULES_SOURCE: not supported with the embedded S3; specify --bucket, or a rules file with --rules"
    )]
    NoRulesSource,
    /// The embedded S3 does not include `DynamoDB`.
    #[error(
        "SIGNPOST_TABLE: with the embedded S3, the data directory contains the id table; specify --bucket, or unset the variable"
    )]
    NoDynamoDb,
    /// The bucket is external, and the SDK's chain has no credentials for it.
    #[error("no AWS credentials found; configure them as for the AWS CLI")]
    Credentials(#[source] CredentialsError),
    /// The process cannot listen for signals.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

/// Runs the server until a signal stops it.
pub(crate) async fn run(options: &ServerOptions) -> Result<(), StartupError> {
    let shutdown = ShutdownSignal::on_signals().map_err(StartupError::Signals)?;
    let mut environment = ServerEnvironment::new(options, std::env::vars_os());
    let allows_all = environment.allow_all_without_rules();
    if allows_all && !options.listen.ip().is_loopback() {
        return Err(StartupError::PublicWithoutRules {
            address: options.listen,
        });
    }
    let bind_error = |cause| StartupError::Listen {
        address: options.listen,
        cause,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(bind_error)?;
    let local = listener.local_addr().map_err(bind_error)?;
    let setup = if environment.has_external_bucket() {
        set_up_external_bucket(options, environment).await?
    } else {
        set_up_embedded_s3(options, environment, local).await?
    };
    let summary = PolicySummary::of_handler(&setup.handler);
    let rules_file = setup.rules.as_ref().map(WatchedRules::file);
    let api = RedirectApi {
        handlers: ReloadingHandler::new(setup.handler, setup.rules),
        front: options.front,
        local,
        allows_all,
    };
    let storage = setup.storage;
    logging::print_line(WelcomeText {
        local,
        base_path: api.base_path(),
        storage,
        front: options.front,
        allows_all,
        rules_file,
        summary,
    });
    let api = Arc::new(api);
    let serving = http_server::serve(listener, Arc::clone(&api), shutdown.clone().requested());
    let serving = async {
        match setup.s3 {
            Some(s3) => drop(tokio::join!(serving, s3.serve(shutdown.requested()))),
            None => serving.await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = api.handlers.watch() => {}
    }
    Ok(())
}

/// The parts that depend on the storage location.
struct StorageSetup {
    handler: Handler,
    rules: Option<WatchedRules>,
    storage: StorageLocation,
    s3: Option<EmbeddedS3>,
}

async fn set_up_embedded_s3(
    options: &ServerOptions,
    mut environment: ServerEnvironment,
    local: SocketAddr,
) -> Result<StorageSetup, StartupError> {
    if options.s3_listen.ip().is_unspecified() && options.s3_url.is_none() {
        return Err(StartupError::WildcardS3Address {
            address: options.s3_listen,
        });
    }
    if environment.get("SIGNPOST_SIGNER_ROLE_ARN").is_some() {
        return Err(StartupError::NoSts);
    }
    if environment.get("SIGNPOST_RULES_SOURCE").is_some() {
        return Err(StartupError::NoRulesSource);
    }
    if environment.get("SIGNPOST_TABLE").is_some() {
        return Err(StartupError::NoDynamoDb);
    }
    let region = options.region.as_deref().unwrap_or(EMBEDDED_REGION);
    let credentials = environment
        .s3_credentials(options)
        .map_err(|problem| StartupError::Config {
            name: S3_KEY_OPTIONS.to_owned(),
            problem: problem.to_owned(),
        })?;
    let given_key_id = credentials.as_ref().map(|given| given.access_key_id().to_owned());
    let credentials = credentials.unwrap_or_else(credentials::generate_credentials);
    let config = EmbeddedS3Config {
        data_dir: options.data.clone(),
        bucket: EMBEDDED_BUCKET.to_owned(),
        region: region.to_owned(),
        credentials: vec![S3Credentials {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().into(),
            session_token: None,
            expires_at: None,
        }],
        allow_listing: true,
        page_origins: page_origins(local, &environment),
    };
    let machine = machine(options, &environment).await?;
    let s3 = EmbeddedS3::bind(options.s3_listen, config).await?;
    let address = s3.local_addr();
    let origin = options.s3_url.clone().unwrap_or_else(|| format!("http://{address}"));
    environment.use_embedded_s3(&origin, region);
    let source = CredentialSource::from_provider(credentials);
    let mut settings = load_settings(options, environment)?;
    let table = options.data.join("table");
    private_files::create_dir_all(&table).map_err(|error| EmbeddedS3Error::Folder {
        folder: table.clone(),
        source: error.into(),
    })?;
    settings.table = Some(IdTableLocation::Folder(table));
    settings.local_mounts = Some(LocalMounts {
        emulate: true,
        added: machine
            .as_ref()
            .map(|machine| machine.mounts.clone())
            .unwrap_or_default(),
    });
    // The handler reports rules that cannot be read.
    let rules = local_rules(&settings).ok().flatten();
    s3.buckets()
        .create(&rules.map_or_else(Vec::new, |(_, text)| emulated_buckets(&text)))?;
    let chain = machine.map(|machine| machine.credentials);
    Ok(StorageSetup {
        rules: WatchedRules::new(&settings, Some(s3.buckets())),
        handler: start_handler(options, settings, source, chain).await?,
        storage: StorageLocation::Embedded {
            data_dir: options.data.clone(),
            address,
            region: region.to_owned(),
            key_id: given_key_id,
        },
        s3: Some(s3),
    })
}

/// Real buckets in addition to the embedded S3, and their credentials.
struct MachineMounts {
    mounts: Vec<Mount>,
    credentials: CredentialSource,
}

/// Returns the mounts of `--mount`, with the region and the credentials of the SDK's default chain.
async fn machine(
    options: &ServerOptions,
    environment: &ServerEnvironment,
) -> Result<Option<MachineMounts>, StartupError> {
    if options.mount.is_empty() {
        return Ok(None);
    }
    let region = credentials::default_region().await;
    let region = region.ok_or_else(|| StartupError::Config {
        name: "--mount".to_owned(),
        problem: "no region is configured; set AWS_REGION to the region of the bucket".to_owned(),
    })?;
    let chain = CredentialChain::new(region.as_ref()).await;
    chain.provide_credentials().await.map_err(StartupError::Credentials)?;
    let endpoint = environment
        .get("AWS_ENDPOINT_URL_S3")
        .or(environment.get("AWS_ENDPOINT_URL"));
    let mounts = options.mount.iter().map(|argument| Mount {
        at: argument.at.clone(),
        bucket: argument.bucket.clone(),
        region: Some(region.to_string()),
        endpoint: endpoint.map(str::to_owned),
        credentials: MountCredentials::Machine,
        ..Mount::default()
    });
    Ok(Some(MachineMounts {
        mounts: mounts.collect(),
        credentials: CredentialSource::from_provider(chain),
    }))
}

/// Returns the buckets of the mounts that the embedded S3 stores. Invalid rules are reported when the handler starts.
pub(crate) fn emulated_buckets(rules: &str) -> Vec<String> {
    let policy = Policy::parse(rules).unwrap_or_default();
    let mounts = policy.mounts.with_lines().filter(|(mount, _)| mount.endpoint.is_none());
    mounts.map(|(mount, _)| mount.emulated().bucket).collect()
}

/// The options with the key pair of the embedded S3.
const S3_KEY_OPTIONS: &str = "--s3-access-key-id, --s3-secret-access-key";

/// Returns the origins whose pages may use the embedded S3. These are the pages that the API at `local` serves, unless the
/// address is a wildcard, those of the public URL, and those that may use the API. The value `*` includes the origin
/// `null`, with which browsers follow a redirect.
fn page_origins(local: SocketAddr, environment: &ServerEnvironment) -> Vec<String> {
    let own = (!local.ip().is_unspecified()).then(|| format!("http://{local}"));
    let public = environment.get("SIGNPOST_PUBLIC_URL").map(str::to_owned);
    own.into_iter()
        .chain(public)
        .chain(environment.cors_origins())
        .collect()
}

async fn set_up_external_bucket(
    options: &ServerOptions,
    mut environment: ServerEnvironment,
) -> Result<StorageSetup, StartupError> {
    if let Some(region) = credentials::default_region().await {
        environment.set_default_region(region.as_ref());
    }
    let mut settings = load_settings(options, environment)?;
    let added = options.mount.iter().map(|argument| Mount {
        at: argument.at.clone(),
        bucket: argument.bucket.clone(),
        ..Mount::default()
    });
    settings.local_mounts = Some(LocalMounts {
        emulate: false,
        added: added.collect(),
    });
    let chain = CredentialChain::new(&settings.region).await;
    chain.provide_credentials().await.map_err(StartupError::Credentials)?;
    let storage = StorageLocation::Bucket {
        name: settings.bucket.clone().unwrap_or_default(),
        endpoint: settings.custom_endpoint().map(str::to_owned),
    };
    Ok(StorageSetup {
        rules: WatchedRules::new(&settings, None),
        handler: start_handler(options, settings, CredentialSource::from_provider(chain), None).await?,
        storage,
        s3: None,
    })
}

/// Parses the settings and starts logging with the configured level.
fn load_settings(options: &ServerOptions, environment: ServerEnvironment) -> Result<Settings, StartupError> {
    let sets_log_level = environment.sets_log_level();
    let settings = environment.settings().map_err(|error| config_error(options, error))?;
    logging::init_tracing(if sets_log_level {
        settings.log
    } else {
        LevelFilter::WARN
    });
    Ok(settings)
}

async fn start_handler(
    options: &ServerOptions,
    settings: Settings,
    source: CredentialSource,
    machine: Option<CredentialSource>,
) -> Result<Handler, StartupError> {
    Handler::start_local(settings, source, machine)
        .await
        .map_err(|error| config_error(options, error))
}

/// Converts an error and names the option if the user specified one, otherwise the variable.
fn config_error(options: &ServerOptions, error: ConfigError) -> StartupError {
    StartupError::Config {
        name: options.option_for_setting(error.var).unwrap_or(error.var).to_owned(),
        problem: error.problem,
    }
}
