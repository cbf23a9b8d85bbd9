//! Binds the port, opens the data, and serves until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::{TcpListener, TcpStream};

use super::EmbeddedS3Config;
use super::backend::{Access, Backend};
use super::cors;
use super::service::Service;
use super::store::{Store, StoreError};
use super::strict::Strict;

const HEADER_PATIENCE: Duration = Duration::from_mins(1);
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Why the embedded S3 does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens there, or this one may not.
    #[error("cannot listen on {address}")]
    Address {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Another server has the folder open.
    #[error("the data folder {} is in use by another server", folder.display())]
    InUse {
        /// The folder of the data.
        folder: PathBuf,
    },
    /// The folder cannot be made, read or written.
    #[error("cannot use the data folder {}", folder.display())]
    Folder {
        /// The folder of the data.
        folder: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// S3 would not take this name.
    #[error("{bucket:?} is not a bucket name: 3 to 63 of a-z, 0-9, '-' and '.'")]
    BucketName {
        /// The name that was asked for.
        bucket: String,
    },
}

/// An S3 server that listens and is not serving yet.
pub struct EmbeddedS3 {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
}

impl std::fmt::Debug for EmbeddedS3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedS3")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl EmbeddedS3 {
    /// Takes the folder and the port, and makes the bucket when it is missing.
    pub async fn bind(listen: SocketAddr, config: EmbeddedS3Config) -> Result<Self, StartError> {
        if !s3s::path::check_bucket_name(&config.bucket) {
            return Err(StartError::BucketName { bucket: config.bucket });
        }
        let refuse = |source| StartError::Address {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let store = Arc::new(open(config.data, config.bucket).await?);
        let strict = Arc::new(Strict::new(config.region.clone(), config.credentials));
        let backend = Backend::new(store.clone(), config.region, config.may_list);
        let mut builder = S3ServiceBuilder::new(backend);
        builder.set_auth(key_pairs(&strict));
        builder.set_access(Access {
            may_list: config.may_list,
        });
        let service = Service {
            strict,
            store,
            operations: builder.build(),
            may_list: config.may_list,
            default_cors: cors::default_rules(config.page),
        };
        Ok(Self {
            listener,
            address,
            service,
        })
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`; then finishes the requests at hand, but not forever.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let connections = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => spawn(&connections, stream, self.service.clone()),
                    // Out of file descriptors, mostly: wait for some to come free.
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                () = &mut shutdown => break,
            }
        }
        drop(self.listener);
        let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, connections.shutdown()).await;
    }
}

fn spawn(connections: &GracefulShutdown, stream: TcpStream, service: Service) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
    });
}

fn key_pairs(strict: &Strict) -> SimpleAuth {
    let mut auth = SimpleAuth::new();
    for (access_key, secret) in strict.key_pairs() {
        auth.register(access_key.to_owned(), secret.into());
    }
    auth
}

async fn open(folder: PathBuf, bucket: String) -> Result<Store, StartError> {
    let work = {
        let folder = folder.clone();
        move || {
            let store = Store::open(&folder)?;
            match store.create_bucket(&bucket) {
                Ok(()) | Err(StoreError::BucketExists) => Ok(store),
                Err(error) => Err(error),
            }
        }
    };
    let opened = tokio::task::spawn_blocking(work).await;
    match opened {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(StoreError::Index(redb::Error::DatabaseAlreadyOpen))) => Err(StartError::InUse { folder }),
        Ok(Err(error)) => Err(StartError::Folder {
            folder,
            source: error.into(),
        }),
        Err(error) => Err(StartError::Folder {
            folder,
            source: error.into(),
        }),
    }
}
