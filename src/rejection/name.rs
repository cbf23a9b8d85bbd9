//! The names of rejections for the log. Several rejections have the same error code.

use super::Rejection;

impl Rejection {
    /// The name of the variant, which says exactly why the request was rejected. It never contains text of the client.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BadKey(_) => "BadKey",
            Self::BadQuery => "BadQuery",
            Self::UnknownParameter { .. } => "UnknownParameter",
            Self::RepeatedParameter { .. } => "RepeatedParameter",
            Self::DifferentHeader { .. } => "DifferentHeader",
            Self::ExclusiveParameters { .. } => "ExclusiveParameters",
            Self::BadValue { .. } => "BadValue",
            Self::UnsupportedHeader { .. } => "UnsupportedHeader",
            Self::PartialUpload => "PartialUpload",
            Self::Prefetch => "Prefetch",
            Self::InstructionWithBody => "InstructionWithBody",
            Self::ListingTooLarge { .. } => "ListingTooLarge",
            Self::ResponseTooLarge => "ResponseTooLarge",
            Self::NotClientSettable { .. } => "NotClientSettable",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::UnknownReservedPath => "UnknownReservedPath",
            Self::OutsideBasePath => "OutsideBasePath",
            Self::DialectOff { .. } => "DialectOff",
            Self::ObjectExists => "ObjectExists",
            Self::Lfs(rejection) => rejection.name(),
            Self::NoLength => "NoLength",
            Self::LengthRequired { .. } => "LengthRequired",
            Self::TooLarge { .. } => "TooLarge",
            Self::PartTooLarge { .. } => "PartTooLarge",
            Self::PutTooLarge { .. } => "PutTooLarge",
            Self::ObjectSizeRequired { .. } => "ObjectSizeRequired",
            Self::PathTooLong { .. } => "PathTooLong",
            Self::BodyTooLarge { .. } => "BodyTooLarge",
            Self::MediaType { .. } => "MediaType",
            Self::BadCredential { .. } => "BadCredential",
            Self::CrossSite => "CrossSite",
            Self::SignInOff => "SignInOff",
            Self::CredentialRequired => "CredentialRequired",
            Self::NotGrantedByLink => "NotGrantedByLink",
            Self::LinkForObjects => "LinkForObjects",
            Self::SharingOff => "SharingOff",
            Self::NotShareable { .. } => "NotShareable",
            Self::ConditionRequiresRead => "ConditionRequiresRead",
            Self::FormCanOverwrite => "FormCanOverwrite",
            Self::NoMount => "NoMount",
            Self::NoSuchKey => "NoSuchKey",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::ClaimsTooLong => "ClaimsTooLong",
            Self::ExistenceHidden => "ExistenceHidden",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::DeniedByRule { .. } => "DeniedByRule",
        }
    }
}
