//! The embedded S3 server: binds the port, opens the data directory and serves until shutdown.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

use super::backend::{S3Backend, SignerAccess};
use super::config::EmbeddedS3Config;
use super::cors;
use super::http_service::S3HttpService;
use super::store::{ObjectStore, StoreError};
use super::verification::RequestVerifier;
use crate::connections;

/// Maximum time for open requests to finish after the shutdown signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// An error that prevents the embedded S3 from starting.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedS3Error {
    /// Another process listens on the address, or this process is not permitted to.
    #[error(
        "the embedded S3 cannot listen on {address}: {cause}; use another port, or port 0 to let the system choose one"
    )]
    Address {
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Another server uses the data directory.
    #[error("the data directory {} is in use by another server", folder.display())]
    InUse {
        /// The data directory.
        folder: PathBuf,
    },
    /// The directory cannot be created, read or written.
    #[error("cannot use the data directory {}", folder.display())]
    Folder {
        /// The data directory.
        folder: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A bucket cannot be created.
    #[error("cannot create a bucket of the rules")]
    CreateBucket {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// S3 does not allow this bucket name.
    #[error("{bucket:?} is not a valid bucket name: it must have 3 to 63 characters from a-z, 0-9, '-' and '.'")]
    BucketName {
        /// The requested name.
        bucket: String,
    },
}

/// An S3 server that is bound to its address but does not serve yet.
pub struct EmbeddedS3 {
    listener: TcpListener,
    address: SocketAddr,
    service: S3HttpService,
}

/// The buckets of an embedded S3.
#[derive(Clone)]
pub(crate) struct EmbeddedBuckets(Arc<ObjectStore>);

impl EmbeddedBuckets {
    /// Creates the buckets that do not exist.
    pub(crate) fn create(&self, names: &[String]) -> Result<(), EmbeddedS3Error> {
        for bucket in names {
            if !s3s::path::check_bucket_name(bucket) {
                return Err(EmbeddedS3Error::BucketName { bucket: bucket.clone() });
            }
            match self.0.create_bucket(bucket) {
                Ok(()) | Err(StoreError::BucketExists) => {}
                Err(error) => {
                    return Err(EmbeddedS3Error::CreateBucket {
                        source: Box::new(error),
                    });
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for EmbeddedBuckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedBuckets")
    }
}

impl std::fmt::Debug for EmbeddedS3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedS3")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl EmbeddedS3 {
    /// Opens the data directory, binds the address, and creates the bucket if it does not exist.
    pub async fn bind(listen: SocketAddr, config: EmbeddedS3Config) -> Result<Self, EmbeddedS3Error> {
        if !s3s::path::check_bucket_name(&config.bucket) {
            return Err(EmbeddedS3Error::BucketName { bucket: config.bucket });
        }
        let bind_error = |cause| EmbeddedS3Error::Address { address: listen, cause };
        let listener = TcpListener::bind(listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let store = Arc::new(open_store(config.data_dir, config.bucket).await?);
        let verifier = Arc::new(RequestVerifier::new(config.region.clone(), config.credentials));
        let backend = S3Backend::new(store.clone(), config.region, config.allow_listing);
        let mut builder = S3ServiceBuilder::new(backend);
        builder.set_auth(register_key_pairs(&verifier));
        builder.set_access(SignerAccess {
            allow_listing: config.allow_listing,
        });
        let service = S3HttpService {
            verifier,
            store,
            operations: builder.build(),
            allow_listing: config.allow_listing,
            default_cors: cors::default_rules(config.page_origins),
        };
        Ok(Self {
            listener,
            address,
            service,
        })
    }

    /// Returns the buckets of the server.
    pub(crate) fn buckets(&self) -> EmbeddedBuckets {
        EmbeddedBuckets(Arc::clone(&self.service.store))
    }

    /// Returns the address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then waits for the open requests for a limited time.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let connections = connections::accept_until(self.listener, shutdown, |connections, stream, _| {
            let builder = connections::http1_builder();
            connections::spawn_watched(connections, &builder, stream, self.service.clone());
        })
        .await;
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
    }
}

fn register_key_pairs(verifier: &RequestVerifier) -> SimpleAuth {
    let mut auth = SimpleAuth::new();
    for (access_key, secret) in verifier.key_pairs() {
        auth.register(access_key.to_owned(), secret.into());
    }
    auth
}

async fn open_store(folder: PathBuf, bucket: String) -> Result<ObjectStore, EmbeddedS3Error> {
    let open_or_create = {
        let folder = folder.clone();
        move || {
            let store = ObjectStore::open(&folder)?;
            match store.create_bucket(&bucket) {
                Ok(()) | Err(StoreError::BucketExists) => Ok(store),
                Err(error) => Err(error),
            }
        }
    };
    let opened = tokio::task::spawn_blocking(open_or_create).await;
    match opened {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(StoreError::Index(redb::Error::DatabaseAlreadyOpen))) => Err(EmbeddedS3Error::InUse { folder }),
        Ok(Err(error)) => Err(EmbeddedS3Error::Folder {
            folder,
            source: error.into(),
        }),
        Err(error) => Err(EmbeddedS3Error::Folder {
            folder,
            source: error.into(),
        }),
    }
}
