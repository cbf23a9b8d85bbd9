//! The parts of the address of a bucket, as settings and rules files write them. Each function checks one of them.

use http::{Uri, uri::Scheme};

use crate::encoding::without_default_port;

/// Checks a name that S3 has allowed since 2018, or an access point ARN
/// ([bucket naming rules](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)).
pub fn check_bucket(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_name = (3..=63).contains(&name.len()) && name.bytes().all(is_plain);
    if !is_name && !name.starts_with("arn:") {
        return Err(format!(
            "{name:?} is not a bucket name (3 to 63 lower-case letters, digits, `-` and `.`)"
        ));
    }
    Ok(())
}

/// Checks a bucket whose endpoint is not resolved before its first use.
pub fn check_mounted_bucket(name: &str) -> Result<(), String> {
    check_bucket(name)?;
    if name.ends_with("--x-s3") {
        return Err(format!(
            "{name:?} is a directory bucket (S3 Express One Zone), which is not supported, because its requests require \
             sessions of its own"
        ));
    }
    let mut parts = name.splitn(6, ':').skip(2);
    let mut next = || parts.next().unwrap_or_default();
    let (service, region, _account, resource) = (next(), next(), next(), next());
    if name.starts_with("arn:") && service == "s3" && region.is_empty() && resource.starts_with("accesspoint") {
        return Err(format!(
            "{name:?} is a multi-region access point, which is not supported, because it uses other signatures (SigV4A)"
        ));
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'/' | b'-');
    let is_access_point = resource.starts_with("accesspoint/") || resource.starts_with("outpost/");
    if name.starts_with("arn:") && (!is_access_point || !name.bytes().all(is_word)) {
        return Err(format!("{name:?} is not the ARN of an access point"));
    }
    Ok(())
}

/// Returns the region in the ARN of an access point.
pub fn arn_region(bucket: &str) -> Option<&str> {
    let region = bucket.strip_prefix("arn:")?.split(':').nth(2)?;
    Some(region).filter(|region| !region.is_empty())
}

/// Checks the name of a region.
pub fn check_region(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(format!("{name:?} is not a region such as eu-central-1"));
    }
    Ok(())
}

/// Returns an origin as browsers write it: in lower case, without a default port and without a trailing slash. Clients send
/// the host in this form, and a signature contains it.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let invalid = || format!("{text:?} is not an origin such as https://s3.example.com");
    let uri: Uri = text.parse().map_err(|_| invalid())?;
    let is_http = uri
        .scheme()
        .is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let authority = uri
        .authority()
        .filter(|authority| is_http && !authority.as_str().contains('@'))
        .ok_or_else(invalid)?;
    if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return Err(invalid());
    }
    let scheme = uri.scheme().ok_or_else(invalid)?;
    let host = authority.host().to_ascii_lowercase();
    let authority = match authority.as_str()[host.len()..].trim_start_matches(':') {
        "" => host,
        port => format!("{host}:{}", port.parse::<u16>().map_err(|_| invalid())?),
    };
    Ok(format!("{scheme}://{}", without_default_port(scheme, &authority)))
}

/// Checks the ARN of a role. Servers other than AWS omit the account.
pub fn check_role_arn(arn: &str) -> Result<(), String> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (start, partition, service, region, account, role) = (next(), next(), next(), next(), next(), next());
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&byte);
    let is_role = role
        .strip_prefix("role/")
        .is_some_and(|path| !path.is_empty() && path.bytes().all(is_name));
    if start != "arn"
        || partition.is_empty()
        || !is_word(partition)
        || service != "iam"
        || !region.is_empty()
        || !is_word(account)
        || !is_role
    {
        return Err(format!(
            "{arn:?} is not a role such as arn:aws:iam::123456789012:role/signer"
        ));
    }
    Ok(())
}

/// Checks the name of an access key, which is a part of the name of an environment variable.
pub fn check_access_key_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(format!("{name:?} must have only capital letters, digits and `_`"));
    }
    Ok(())
}
