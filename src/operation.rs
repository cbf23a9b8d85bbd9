//! The S3 operations that a client can request, and the query parameters of each one.

mod listing;
mod page;
mod parameter;
mod value_format;

use http::Method;

pub use listing::{Listing, MAX_ENTRIES, MAX_KEYS};
pub use page::ObjectPage;
pub use parameter::{CLIENT_SETTABLE, ListingParameter, OBJECT_SIZE, OwnParameter, Parameter, ParameterKind};
pub use value_format::{check_upload_value, check_value, uses_kms_key};

macro_rules! operations {
    ($($name:ident,)*) => {
        /// An S3 operation that Signpost signs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(
                #[doc = concat!(
                    "[", stringify!($name), "](https://docs.aws.amazon.com/AmazonS3/latest/API/API_",
                    stringify!($name), ".html)"
                )]
                $name,
            )*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            /// The name in the S3 API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

operations! {
    GetObject,
    HeadObject,
    PutObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    ListParts,
    CompleteMultipartUpload,
    AbortMultipartUpload,
}

/// An action that a rule allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Get an object or its metadata.
    Read,
    /// Store an object, in one request or in parts.
    Write,
    /// Delete an object.
    Delete,
    /// List the keys below a prefix.
    List,
}

impl Operation {
    /// The operations on the sub-resource that the query names, or on the object itself.
    pub fn on(query: &[(String, String)]) -> impl Iterator<Item = Self> {
        let is_in_query = |sub_resource: &&str| query.iter().any(|(name, _)| name == sub_resource);
        let sub_resource = Self::ALL.into_iter().filter_map(Self::sub_resource).find(is_in_query);
        Self::ALL
            .into_iter()
            .filter(move |operation| operation.sub_resource() == sub_resource)
    }

    /// The operation of a request with `method` and this query on the path of an object.
    pub fn from_request(method: &str, query: &[(String, String)]) -> Option<Self> {
        Self::on(query).find(|operation| operation.method() == method)
    }

    /// The query parameter that selects the operation, together with the method.
    const fn sub_resource(self) -> Option<&'static str> {
        match self {
            Self::GetObject | Self::HeadObject | Self::PutObject | Self::DeleteObject => None,
            Self::CreateMultipartUpload => Some("uploads"),
            Self::UploadPart | Self::ListParts | Self::CompleteMultipartUpload | Self::AbortMultipartUpload => {
                Some("uploadId")
            }
        }
    }

    /// The HTTP method, which is signed.
    pub const fn method(self) -> Method {
        match self {
            Self::GetObject | Self::ListParts => Method::GET,
            Self::HeadObject => Method::HEAD,
            Self::PutObject | Self::UploadPart => Method::PUT,
            Self::DeleteObject | Self::AbortMultipartUpload => Method::DELETE,
            Self::CreateMultipartUpload | Self::CompleteMultipartUpload => Method::POST,
        }
    }

    /// The action that a rule must allow.
    pub const fn action(self) -> Action {
        match self {
            Self::GetObject | Self::HeadObject => Action::Read,
            Self::PutObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::ListParts
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload => Action::Write,
            Self::DeleteObject => Action::Delete,
        }
    }

    /// The IAM action that the signing credentials need
    /// ([actions of S3](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)).
    pub const fn iam_action(self) -> &'static str {
        match self {
            Self::GetObject | Self::HeadObject => "s3:GetObject",
            Self::PutObject | Self::CreateMultipartUpload | Self::UploadPart | Self::CompleteMultipartUpload => {
                "s3:PutObject"
            }
            Self::DeleteObject => "s3:DeleteObject",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
        }
    }

    /// Returns true if S3 stores the body of the request.
    pub const fn stores_body(self) -> bool {
        match self {
            Self::PutObject | Self::UploadPart => true,
            Self::GetObject
            | Self::HeadObject
            | Self::DeleteObject
            | Self::CreateMultipartUpload
            | Self::ListParts
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload => false,
        }
    }

    /// The query parameters that the operation accepts.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::GetObject => parameter::GET,
            Self::HeadObject => parameter::HEAD,
            Self::PutObject => parameter::PUT,
            Self::DeleteObject => parameter::DELETE,
            Self::CreateMultipartUpload => parameter::CREATE_UPLOAD,
            Self::UploadPart => parameter::UPLOAD_PART,
            Self::ListParts => parameter::LIST_PARTS,
            Self::CompleteMultipartUpload => parameter::COMPLETE_UPLOAD,
            Self::AbortMultipartUpload => parameter::ABORT_UPLOAD,
        }
    }

    /// The parameter with this name.
    pub fn parameter(self, name: &str) -> Option<Parameter> {
        let mut parameters = self.parameters().iter();
        parameters.find(|parameter| parameter.matches(name)).copied()
    }

    /// Returns true if a request header, by its lower-case name, is copied into the signature.
    pub fn signs_header(self, header: &str) -> bool {
        self.parameters().iter().any(|parameter| parameter.represents(header))
    }
}

impl Action {
    /// The name in the rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }
}
