//! Runs only the embedded S3, with the credentials of the environment. `s3 FOLDER BUCKET` prints its address.

use std::error::Error;
use std::net::Ipv4Addr;

use signpost_local::s3::{EmbeddedS3, EmbeddedS3Config, S3Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(bucket)) = (arguments.next(), arguments.next()) else {
        return Err("usage: s3 FOLDER BUCKET".into());
    };
    let credentials = S3Credentials {
        access_key_id: std::env::var("AWS_ACCESS_KEY_ID")?,
        secret_access_key: std::env::var("AWS_SECRET_ACCESS_KEY")?.into(),
        session_token: None,
        expires_at: None,
    };
    let config = EmbeddedS3Config {
        data_dir: data.into(),
        bucket,
        region: std::env::var("AWS_REGION")?,
        credentials: vec![credentials],
        allow_listing: true,
        page_origins: Vec::new(),
    };
    let server = EmbeddedS3::bind((Ipv4Addr::LOCALHOST, 0).into(), config).await?;
    println!("http://{}", server.local_addr());
    server.serve(std::future::pending()).await;
    Ok(())
}
