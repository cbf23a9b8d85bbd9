//! The listings that Signpost requests from S3 itself, and the query parameters of each one.

use super::Action;
use super::parameter::{ListingParameter, Parameter, ParameterKind, UPLOADS, parameter};

/// A kind of listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The objects and folders below a prefix:
    /// [ListObjectsV2](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)
    Objects,
    /// The multipart uploads below a prefix that are in progress:
    /// [ListMultipartUploads](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html)
    Uploads,
}

/// The maximum number of entries on one page. S3 has the same limit.
pub const MAX_KEYS: u32 = 1000;

/// The maximum number of entries of a listing that is not in pages.
pub const MAX_ENTRIES: usize = 10_000;

const NEXT: Parameter = own("next", ListingParameter::Next);
const PAGE_SIZE: Parameter = own("max-keys", ListingParameter::MaxKeys);

const JSON: Parameter = own("json", ListingParameter::Json);

const OBJECTS: &[Parameter] = &[
    own("recursive", ListingParameter::Recursive),
    own("simple", ListingParameter::Simple),
    JSON,
    own("q", ListingParameter::Search),
    own("sort", ListingParameter::Sort),
    own("order", ListingParameter::Order),
    NEXT,
    PAGE_SIZE,
];

const IN_PROGRESS: &[Parameter] = &[UPLOADS, JSON, NEXT, PAGE_SIZE];

const fn own(name: &'static str, option: ListingParameter) -> Parameter {
    parameter(name, ParameterKind::Listing(option))
}

impl Listing {
    /// Every kind of listing.
    pub const ALL: [Self; 2] = [Self::Objects, Self::Uploads];

    /// The listing that a query requests.
    pub fn from_query(query: &[(String, String)]) -> Self {
        if query.iter().any(|(name, _)| name == UPLOADS.name) {
            Self::Uploads
        } else {
            Self::Objects
        }
    }

    /// The name in the S3 API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "ListObjectsV2",
            Self::Uploads => "ListMultipartUploads",
        }
    }

    /// The actions that rules must allow below the prefix. The permissions of the first one apply. Uploads in progress
    /// require `write`, as their parts do, and `list`, because the listing contains the names of other callers' uploads.
    pub const fn actions(self) -> &'static [Action] {
        match self {
            Self::Objects => &[Action::List],
            Self::Uploads => &[Action::Write, Action::List],
        }
    }

    /// The query parameters that the listing accepts.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Objects => OBJECTS,
            Self::Uploads => IN_PROGRESS,
        }
    }
}
