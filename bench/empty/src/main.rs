//! Answers every request with one constant redirect.

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(redirect)).await
}

async fn redirect(_: Request) -> Result<Response<String>, Error> {
    let response = Response::builder().status(307).header("location", "https://example.com/");
    Ok(response.body(String::new())?)
}
