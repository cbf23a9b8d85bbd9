//! Names whose endpoints need no resolver.

/// Returns true for a name that can be part of a host name. `--` and `-s3alias` mark directory buckets and aliases of access
/// points.
pub(super) fn is_plain_bucket(bucket: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let marked = bucket.contains("--") || bucket.ends_with("-s3alias");
    let held = !bucket.starts_with('-') && !bucket.ends_with('-') && bucket.bytes().all(plain);
    held && !marked && (3..=63).contains(&bucket.len())
}

/// Returns true for regions such as `eu-central-1`. `us-gov-west-1`, `cn-north-1` and `eu-isoe-west-1` are in other
/// partitions.
pub(super) fn is_plain_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let [area, side, number] = parts[..] else { return false };
    let areas = ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    areas.contains(&area) && letters(side) && digits(number)
}
