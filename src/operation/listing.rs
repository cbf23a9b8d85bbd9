//! The listings that Signpost carries out itself, and what each takes from the client.

use super::{Action, Carrier, Parameter, UPLOADS, parameter};

/// What a listing is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The objects and folders below a prefix:
    /// [ListObjectsV2](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)
    Objects,
    /// The uploads in parts that have begun there and not ended:
    /// [ListMultipartUploads](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html)
    Uploads,
}

/// The most entries of one page, of S3 and so of Signpost.
pub const MAX_KEYS: u32 = 1000;

const NEXT: Parameter = parameter("next", Carrier::Signpost);
const MAX: Parameter = parameter("max-keys", Carrier::Number(1, MAX_KEYS));

const OBJECTS: &[Parameter] = &[
    parameter("recursive", Carrier::Signpost),
    parameter("simple", Carrier::Signpost),
    parameter("q", Carrier::Signpost),
    parameter("sort", Carrier::Signpost),
    parameter("order", Carrier::Signpost),
    NEXT,
    MAX,
];

const PENDING: &[Parameter] = &[UPLOADS, NEXT, MAX];

impl Listing {
    /// Every listing.
    pub const ALL: [Self; 2] = [Self::Objects, Self::Uploads];

    /// Its name in the S3 API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "ListObjectsV2",
            Self::Uploads => "ListMultipartUploads",
        }
    }

    /// What a rule must allow below the prefix. Uploads that have not ended concern those who upload, as their parts do.
    pub const fn action(self) -> Action {
        match self {
            Self::Objects => Action::List,
            Self::Uploads => Action::Write,
        }
    }

    /// The query parameters that it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Objects => OBJECTS,
            Self::Uploads => PENDING,
        }
    }
}
