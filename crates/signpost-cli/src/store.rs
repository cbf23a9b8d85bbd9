//! S3: sends what Signpost has signed, and reads S3's refusals.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use crate::explain;
use crate::http::{self, Http};
use crate::instruction::Instruction;
use crate::problem::{Problem, Retry};
use crate::progress::Progress;
use crate::report::Ending;
use crate::source::Source;

/// How long S3 may take to put an object together from its parts.
const ASSEMBLY: Duration = Duration::from_mins(15);

/// S3, as far as presigned URLs reach it. It has no credential.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    http: Http,
}

/// [Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ErrorDocument {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Store {
    pub(crate) const fn new(http: Http) -> Self {
        Self { http }
    }

    /// Sends a request that has no body, with these headers besides those of the instruction.
    pub(crate) async fn send(&self, instruction: &Instruction, headers: &[(&str, &str)]) -> Result<Response, Problem> {
        let mut request = self.request(instruction)?;
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request, http::SILENCE).await
    }

    /// Sends a request with a document, and reads the one that is its answer.
    pub(crate) async fn exchange(&self, instruction: &Instruction, document: String) -> Result<Bytes, Problem> {
        // Putting an object together may take S3 minutes.
        let request = self.request(instruction)?.body(document);
        http::body(answer(request, ASSEMBLY).await?).await
    }

    /// Sends a request with a body.
    pub(crate) async fn upload(
        &self,
        instruction: &Instruction,
        source: &Source,
        progress: &Progress,
    ) -> Result<Response, Problem> {
        let mut request = self.request(instruction)?;
        if !instruction.headers.contains_key(CONTENT_LENGTH.as_str()) {
            request = request.header(CONTENT_LENGTH, source.len());
        }
        let (body, flow) = source.body(progress);
        let sent = tokio::select! {
            sent = request.body(body).send() => sent.map_err(Problem::network),
            () = flow.stalled(http::SILENCE) => Err(silent()),
        };
        let stored = match sent {
            Ok(response) => accepted(response).await,
            Err(problem) => Err(problem),
        };
        if stored.is_err() {
            flow.failed();
            // The connection broke because there was nothing more to send.
            if source.is_cut_short() {
                return Err(Problem::new(
                    Ending::Conflict,
                    "the file has become shorter while it was being sent",
                ));
            }
        }
        stored
    }

    fn request(&self, instruction: &Instruction) -> Result<RequestBuilder, Problem> {
        let mut request = self.http.request(method(instruction)?, instruction.url.expose());
        for (name, value) in &instruction.headers {
            request = request.header(name, value);
        }
        Ok(request)
    }
}

async fn answer(request: RequestBuilder, patience: Duration) -> Result<Response, Problem> {
    let sent = tokio::time::timeout(patience, request.send()).await;
    accepted(sent.map_err(|_| silent())?.map_err(Problem::network)?).await
}

fn method(instruction: &Instruction) -> Result<Method, Problem> {
    instruction
        .method
        .parse()
        .map_err(|_| Problem::new(Ending::Failed, "the service names a method that is none"))
}

fn silent() -> Problem {
    Problem::temporary("S3 has stopped answering")
}

/// The answer, if it is a success.
async fn accepted(response: Response) -> Result<Response, Problem> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let passing = http::retry(status, response.headers());
    let body = http::body(response).await.unwrap_or_default();
    Err(refusal(status, passing, &document(&body)))
}

/// What an answer means that began as a success and tells of an error.
pub(crate) fn late_refusal(body: &[u8]) -> Problem {
    let told = document(body);
    match told.code.as_str() {
        "" => Problem::new(Ending::Failed, "the answer of S3 is not what it should be"),
        "InternalError" | "ServiceUnavailable" | "SlowDown" => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, Some(Retry::Later(None)), &told)
        }
        "PreconditionFailed" => refusal(StatusCode::PRECONDITION_FAILED, None, &told),
        "NoSuchUpload" => refusal(StatusCode::NOT_FOUND, None, &told),
        _ => refusal(StatusCode::BAD_REQUEST, None, &told),
    }
}

/// The error that a body tells; a HEAD has none, and a proxy's is no XML.
pub(crate) fn document(body: &[u8]) -> ErrorDocument {
    let text = std::str::from_utf8(body).unwrap_or_default();
    quick_xml::de::from_str(text).unwrap_or_default()
}

/// What a refusal of S3 means.
pub(crate) fn refusal(status: StatusCode, passing: Option<Retry>, told: &ErrorDocument) -> Problem {
    let (ending, retry) = match (status, told.code.as_str(), passing) {
        (_, "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch", _) => {
            (Ending::Checksum, Retry::Never)
        }
        (_, "RequestTimeout" | "ConditionalRequestConflict" | "OperationAborted", None) => {
            (Ending::Temporary, Retry::Later(None))
        }
        (_, _, Some(retry)) => (Ending::Temporary, retry),
        (StatusCode::FORBIDDEN, ..) | (_, "ExpiredToken", _) => (Ending::NotAllowed, Retry::FreshUrl),
        (StatusCode::NOT_FOUND, ..) => (Ending::NotFound, Retry::Never),
        (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, ..) => (Ending::Conflict, Retry::Never),
        _ => (Ending::Failed, Retry::Never),
    };
    let why = match (told.code.as_str(), told.message.as_str()) {
        ("", _) => wordless(status),
        (code, "") => format!("S3 says {code}"),
        (code, message) => format!("S3 says {code}: {}", message.trim_end_matches('.')),
    };
    let code = if told.code.is_empty() {
        status.as_str()
    } else {
        &told.code
    };
    Problem {
        remedy: explain::remedy(code).map(str::to_owned),
        ..Problem::new(ending, why).coded(code).retrying(retry)
    }
}

fn wordless(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => "there is no such object".into(),
        StatusCode::FORBIDDEN => "S3 refuses the request".into(),
        status => format!("S3 answered {status}"),
    }
}
