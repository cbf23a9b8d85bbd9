//! A request for a listing, parsed from its parameters and `Accept`.

use super::value::check_number;
use super::{ApiRequest, Pairs, bad_value, check_names, preferred_type};
use crate::key::ObjectKey;
use crate::operation::{Listing, ListingParameter, MAX_KEYS, ParameterKind};
use crate::rejection::Rejection;

/// A request for a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingRequest {
    /// The kind of listing.
    pub listing: Listing,
    /// The prefix: empty, or ends in `/`.
    pub prefix: String,
    /// If true, the listing includes the objects in folders.
    pub recursive: bool,
    /// The cursor: the `next` of the previous page.
    pub next: Option<String>,
    /// The maximum number of entries to request from S3.
    pub max_keys: u32,
    /// The column to sort the page by.
    pub sort: SortColumn,
    /// The sort direction.
    pub order: SortOrder,
    /// The text that names on the page must contain, in lower case.
    pub search: Option<String>,
    /// The format of the response.
    pub format: ListingFormat,
}

/// The column that a page is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortColumn {
    /// The name, by its bytes, as S3 sorts.
    #[default]
    Name,
    /// The size.
    Size,
    /// The time of the last modification.
    Modified,
}

/// The direction that a page is sorted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

/// The format of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingFormat {
    /// An HTML page.
    Html,
    /// JSON.
    Json,
    /// One line for each entry, like `ls -l`.
    Text,
    /// One line with the name of each entry.
    Names,
}

impl ListingRequest {
    /// Parses a request for a listing of `prefix`; `None` is the root.
    pub fn parse(request: &ApiRequest, listing: Listing, prefix: Option<&ObjectKey>) -> Result<Self, Rejection> {
        let mut parsed = Self {
            listing,
            prefix: prefix.map_or_else(String::new, |prefix| prefix.as_str().to_owned()),
            recursive: false,
            next: None,
            max_keys: MAX_KEYS,
            sort: SortColumn::default(),
            order: SortOrder::default(),
            search: None,
            format: ListingFormat::negotiate(request, listing),
        };
        parsed.read_parameters(&request.query)?;
        Ok(parsed)
    }

    fn read_parameters(&mut self, query: &Pairs) -> Result<(), Rejection> {
        check_names(query)?;
        query
            .iter()
            .try_for_each(|(name, value)| self.read_parameter(name, value))
    }

    fn read_parameter(&mut self, name: &str, value: &str) -> Result<(), Rejection> {
        let parameters = self.listing.parameters();
        let parameter = parameters.iter().find(|parameter| parameter.matches(name));
        match parameter.map(|parameter| parameter.kind) {
            Some(ParameterKind::Listing(option)) => self.read_option(option, name, value),
            // The route has been computed from `uploads`.
            Some(ParameterKind::SubResource) => check_no_value(name, value),
            Some(
                ParameterKind::Own(_)
                | ParameterKind::SignedQuery
                | ParameterKind::Number(..)
                | ParameterKind::SignedHeader(_)
                | ParameterKind::SignedQueryHeader(_)
                | ParameterKind::SignedQueryHeaderPrefix(_),
            )
            | None => Err(Rejection::UnknownParameter {
                name: name.to_owned(),
                operation: self.listing.name(),
                allowed: parameters,
            }),
        }
    }

    fn read_option(&mut self, option: ListingParameter, name: &str, value: &str) -> Result<(), Rejection> {
        match option {
            ListingParameter::MaxKeys => {
                check_number(name, value, 1, MAX_KEYS)?;
                self.max_keys = value.parse().unwrap_or(MAX_KEYS);
            }
            ListingParameter::Next if value.is_empty() => {
                return Err(bad_value(name, "must be the `next` of the previous page"));
            }
            ListingParameter::Next => self.next = Some(value.to_owned()),
            ListingParameter::Search => self.search = Some(value.to_lowercase()).filter(|text| !text.is_empty()),
            ListingParameter::Sort => self.sort = SortColumn::parse(value)?,
            ListingParameter::Order => self.order = SortOrder::parse(value)?,
            ListingParameter::Recursive => {
                check_no_value(name, value)?;
                self.recursive = true;
            }
            ListingParameter::Simple => {
                check_no_value(name, value)?;
                self.format = ListingFormat::Names;
            }
        }
        Ok(())
    }
}

fn check_no_value(name: &str, value: &str) -> Result<(), Rejection> {
    if value.is_empty() {
        return Ok(());
    }
    Err(bad_value(name, "must not have a value"))
}

impl SortColumn {
    /// The name in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Modified => "modified",
        }
    }

    fn parse(text: &str) -> Result<Self, Rejection> {
        let all = [Self::Name, Self::Size, Self::Modified];
        let found = all.into_iter().find(|sort| sort.name() == text);
        found.ok_or_else(|| bad_value("sort", "must be name, size or modified"))
    }
}

impl SortOrder {
    /// The name in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    fn parse(text: &str) -> Result<Self, Rejection> {
        let found = [Self::Ascending, Self::Descending]
            .into_iter()
            .find(|order| order.name() == text);
        found.ok_or_else(|| bad_value("order", "must be asc or desc"))
    }
}

impl ListingFormat {
    /// Text, unless `Accept` names another format: clients in a terminal rarely send a useful `Accept`.
    fn negotiate(request: &ApiRequest, listing: Listing) -> Self {
        let preferred = preferred_type(&request.headers, &["application/json", "text/plain", "text/html"]);
        match (preferred, listing) {
            (Some("application/json"), _) => Self::Json,
            (Some("text/html"), Listing::Objects) => Self::Html,
            _ => Self::Text,
        }
    }
}
