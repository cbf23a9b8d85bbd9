//! Signpost: plain URLs for a private S3 bucket.
