//! The preview on the page of an object.

use crate::key::ObjectKey;
use crate::plan::{ObjectLocation, PresignPlan};

/// The element that shows the content of an object. The file extension selects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewKind {
    /// An image, in which scripts do not run.
    Image,
    /// Audio.
    Audio,
    /// Video.
    Video,
    /// A document that browsers can show, such as a PDF.
    Document,
    /// Plain text.
    Text,
}

/// The file extensions with a preview, and the media type that S3 must return for each one.
const EXTENSIONS: &[(&str, PreviewKind, &str)] = &[
    ("avif", PreviewKind::Image, "image/avif"),
    ("bmp", PreviewKind::Image, "image/bmp"),
    ("gif", PreviewKind::Image, "image/gif"),
    ("ico", PreviewKind::Image, "image/x-icon"),
    ("jpeg", PreviewKind::Image, "image/jpeg"),
    ("jpg", PreviewKind::Image, "image/jpeg"),
    ("png", PreviewKind::Image, "image/png"),
    ("svg", PreviewKind::Image, "image/svg+xml"),
    ("webp", PreviewKind::Image, "image/webp"),
    ("aac", PreviewKind::Audio, "audio/aac"),
    ("flac", PreviewKind::Audio, "audio/flac"),
    ("m4a", PreviewKind::Audio, "audio/mp4"),
    ("mp3", PreviewKind::Audio, "audio/mpeg"),
    ("oga", PreviewKind::Audio, "audio/ogg"),
    ("ogg", PreviewKind::Audio, "audio/ogg"),
    ("opus", PreviewKind::Audio, "audio/ogg"),
    ("wav", PreviewKind::Audio, "audio/wav"),
    ("m4v", PreviewKind::Video, "video/mp4"),
    ("mov", PreviewKind::Video, "video/quicktime"),
    ("mp4", PreviewKind::Video, "video/mp4"),
    ("ogv", PreviewKind::Video, "video/ogg"),
    ("webm", PreviewKind::Video, "video/webm"),
    ("pdf", PreviewKind::Document, "application/pdf"),
    ("conf", PreviewKind::Text, TEXT),
    ("css", PreviewKind::Text, TEXT),
    ("csv", PreviewKind::Text, TEXT),
    ("go", PreviewKind::Text, TEXT),
    ("ini", PreviewKind::Text, TEXT),
    ("js", PreviewKind::Text, TEXT),
    ("json", PreviewKind::Text, TEXT),
    ("log", PreviewKind::Text, TEXT),
    ("md", PreviewKind::Text, TEXT),
    ("py", PreviewKind::Text, TEXT),
    ("rs", PreviewKind::Text, TEXT),
    ("sh", PreviewKind::Text, TEXT),
    ("toml", PreviewKind::Text, TEXT),
    ("ts", PreviewKind::Text, TEXT),
    ("tsv", PreviewKind::Text, TEXT),
    ("txt", PreviewKind::Text, TEXT),
    ("xml", PreviewKind::Text, TEXT),
    ("yaml", PreviewKind::Text, TEXT),
    ("yml", PreviewKind::Text, TEXT),
];

const TEXT: &str = "text/plain; charset=utf-8";

impl PreviewKind {
    pub(super) fn from_key(key: &ObjectKey) -> Option<(Self, &'static str)> {
        let (_, extension) = key.as_str().rsplit_once('.')?;
        let (_, kind, media_type) = EXTENSIONS
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(extension))?;
        Some((*kind, media_type))
    }

    /// Makes S3 return the media type of the extension. No script can run in a preview: an SVG remains an attachment,
    /// which is valid for images but not for documents.
    pub(super) fn apply(self, mut plan: PresignPlan<ObjectLocation>, media_type: &str) -> PresignPlan<ObjectLocation> {
        plan.query.push(("response-content-type".into(), media_type.into()));
        if matches!(self, Self::Document | Self::Text) {
            plan.query.retain(|(name, _)| name != "response-content-disposition");
            plan.query
                .push(("response-content-disposition".into(), "inline".into()));
        }
        plan
    }
}
