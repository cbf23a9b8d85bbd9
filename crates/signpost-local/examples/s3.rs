//! The embedded S3 alone, for tools that bring credentials: those of the environment count. `s3 FOLDER BUCKET` prints where it listens.

use std::error::Error;
use std::net::Ipv4Addr;

use signpost_local::s3::{EmbeddedS3, EmbeddedS3Config, S3Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(bucket)) = (arguments.next(), arguments.next()) else {
        return Err("s3 FOLDER BUCKET".into());
    };
    let credentials = S3Credentials {
        access_key_id: std::env::var("AWS_ACCESS_KEY_ID")?,
        secret_access_key: std::env::var("AWS_SECRET_ACCESS_KEY")?.into(),
        session_token: None,
        expires_at: None,
    };
    let config = EmbeddedS3Config {
        data: data.into(),
        bucket,
        region: std::env::var("AWS_REGION")?,
        credentials: vec![credentials],
        may_list: true,
        page: None,
    };
    let server = EmbeddedS3::bind((Ipv4Addr::LOCALHOST, 0).into(), config).await?;
    println!("http://{}", server.local_addr());
    server.serve(std::future::pending()).await;
    Ok(())
}
