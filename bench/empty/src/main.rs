//! A Lambda function that responds to every request with the same redirect.

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(redirect)).await
}

async fn redirect(_: Request) -> Result<Response<String>, Error> {
    let response = Response::builder().status(307).header("location", "https://example.com/");
    Ok(response.body(String::new())?)
}
