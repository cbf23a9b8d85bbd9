//! Form uploads: reads a form, verifies its signature and policy, and turns it into a `PutObject` request.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::BodyExt;
use multer::Multipart;
use s3s::Body;
use s3s::dto::Tagging;
use s3s::xml::{Deserialize, Deserializer};

use super::draining_body::DrainingBody;
use super::form_policy::FormPolicy;
use super::form_response::FormAction;
use super::latin1;
use super::request_adapter::{SystemHeaders, VerifiedSigner};
use super::verification::{RequestVerifier, S3Rejection, SignedForm, encode_path, encode_query};

/// Maximum size of the fields in front of the file.
const MAX_FIELD_BYTES: usize = 20 * 1024;
const MAX_KEY_BYTES: usize = 1024;

/// The fields that contain the signature.
const SIGNATURE_FIELDS: [&str; 5] = [
    "X-Amz-Signature",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "Policy",
];

/// The fields in front of the file, with lower-case names.
#[derive(Debug, Default)]
pub(crate) struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// Returns the value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields.find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn insert(&mut self, name: String, value: String) -> Result<(), S3Rejection> {
        if self.get(&name).is_some() {
            return Err(S3Rejection::RepeatedField(name));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// Replaces `${filename}` with the file name, without the directories that some browsers send.
    fn insert_file_name(&mut self, file_name: Option<&str>) {
        let Some(name) = file_name else { return };
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        for (field, value) in &mut self.0 {
            if field != "policy" && field != "x-amz-signature" {
                *value = value.replace("${filename}", name);
            }
        }
    }
}

/// Returns the `PutObject` request of a form upload, and the action after success.
pub(crate) async fn read_form(
    head: &Parts,
    body: DrainingBody,
    verifier: &RequestVerifier,
    now: SystemTime,
) -> Result<(Request<Body>, FormAction), S3Rejection> {
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(|_| S3Rejection::NotMultipart)?;
    let mut form = Multipart::new(body.into_data_stream(), boundary);
    let (mut fields, mut file) = read_fields(&mut form).await?;
    fields.insert_file_name(file.file_name());
    verify_signature(&fields, verifier, now)?;
    let key = form_key(&fields)?.to_owned();
    let bucket = head.uri.path().trim_matches('/').to_owned();
    let policy = FormPolicy::parse(fields.get("policy").unwrap_or_default())?;
    policy.check(&fields, &bucket, now)?;
    let (content, size) = read_file(&mut file, policy.max_size()).await?;
    policy.check_size(size)?;
    let request = put_request(&bucket, &key, &fields, content)?;
    Ok((request, FormAction::new(head, &fields, &bucket, &key)))
}

async fn read_fields<'a>(form: &mut Multipart<'a>) -> Result<(FormFields, multer::Field<'a>), S3Rejection> {
    let mut fields = FormFields::default();
    let mut size = 0;
    while let Some(mut field) = form.next_field().await.map_err(|_| S3Rejection::MalformedForm)? {
        let name = field.name().unwrap_or_default().to_ascii_lowercase();
        if name == "file" {
            return Ok((fields, field));
        }
        let mut value = BytesMut::new();
        while let Some(chunk) = field.chunk().await.map_err(|_| S3Rejection::MalformedForm)? {
            size += chunk.len();
            if size > MAX_FIELD_BYTES {
                return Err(S3Rejection::FieldsTooLong);
            }
            value.extend_from_slice(&chunk);
        }
        fields.insert(name, String::from_utf8_lossy(&value).into_owned())?;
    }
    Err(S3Rejection::MissingFile)
}

/// Reads the file. The bytes after `max_size` are counted, but not stored.
async fn read_file(file: &mut multer::Field<'_>, max_size: Option<u64>) -> Result<(Bytes, u64), S3Rejection> {
    let (mut content, mut size) = (BytesMut::new(), 0);
    while let Some(chunk) = file.chunk().await.map_err(|_| S3Rejection::MalformedForm)? {
        size += chunk.len() as u64;
        if max_size.is_none_or(|max| size <= max) {
            content.extend_from_slice(&chunk);
        }
    }
    Ok((content.freeze(), size))
}

fn verify_signature(fields: &FormFields, verifier: &RequestVerifier, now: SystemTime) -> Result<(), S3Rejection> {
    if fields.get("signature").is_some() || fields.get("awsaccesskeyid").is_some() {
        return Err(S3Rejection::SignatureV2);
    }
    let is_signed = |name: &&str| *name != "Policy" && fields.get(&name.to_ascii_lowercase()).is_some();
    if !SIGNATURE_FIELDS.iter().any(is_signed) {
        return Err(S3Rejection::Unsigned);
    }
    let field = |name: &'static str| {
        fields
            .get(&name.to_ascii_lowercase())
            .ok_or(S3Rejection::MissingField(name))
    };
    let [signature, algorithm, credential, date, policy] = SIGNATURE_FIELDS.map(field);
    verifier.verify_form(
        &SignedForm {
            signature: signature?,
            algorithm: algorithm?,
            credential: credential?,
            date: date?,
            policy: policy?,
            token: fields.get("x-amz-security-token"),
        },
        now,
    )
}

fn form_key(fields: &FormFields) -> Result<&str, S3Rejection> {
    match fields.get("key") {
        None => Err(S3Rejection::MissingField("key")),
        Some("") => Err(S3Rejection::EmptyKey),
        Some(key) if key.len() > MAX_KEY_BYTES => Err(S3Rejection::KeyTooLong(key.len())),
        Some(key) => Ok(key),
    }
}

fn put_request(bucket: &str, key: &str, fields: &FormFields, content: Bytes) -> Result<Request<Body>, S3Rejection> {
    let uri = format!("/{bucket}/{}", encode_path(key));
    let length = content.len();
    let mut request = Request::new(Body::from(content));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = uri.parse::<Uri>().map_err(|_| S3Rejection::InvalidUri)?;
    let (mut headers, mut system) = (HeaderMap::new(), HeaderMap::new());
    for (field, value) in fields.iter() {
        let (is_system, name, value) = match field {
            "cache-control"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-type"
            | "expires" => (true, field, value.to_owned()),
            "acl" => (false, "x-amz-acl", value.to_owned()),
            "tagging" => (false, "x-amz-tagging", form_tags(value)?),
            name if is_header_field(name) => (false, name, value.to_owned()),
            _ => continue,
        };
        let invalid = |()| S3Rejection::InvalidField(field.to_owned());
        let name = HeaderName::try_from(name).map_err(|_| invalid(()))?;
        if is_system {
            system.insert(name, latin1::encode_lossy(&value).ok_or_else(|| invalid(()))?);
        } else {
            headers.insert(
                name,
                HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid(()))?,
            );
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    *request.headers_mut() = headers;
    request.extensions_mut().insert(SystemHeaders(system));
    request.extensions_mut().insert(VerifiedSigner);
    Ok(request)
}

fn is_header_field(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["x-amz-meta-", "x-amz-server-side-encryption", "x-amz-checksum-"];
    name == "x-amz-storage-class"
        || name == "x-amz-website-redirect-location"
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Converts the document of the field `tagging` to the format of the header. Another document has no tags.
fn form_tags(document: &str) -> Result<String, S3Rejection> {
    let mut parser = Deserializer::new(document.as_bytes());
    let Ok(tagging) = Tagging::deserialize(&mut parser) else {
        return if document.trim_start().starts_with('<') {
            Ok(String::new())
        } else {
            Err(S3Rejection::MalformedXml)
        };
    };
    let pairs = tagging.tag_set.into_iter().map(|tag| {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        format!("{}={}", encode_query(&key), encode_query(&value))
    });
    Ok(pairs.collect::<Vec<_>>().join("&"))
}
