//! A request for a listing, parsed from its parameters and `Accept`.

use super::client::{is_curl, shows_page};
use super::value::{check_no_value, check_number};
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
    /// If true, the response contains every entry or is an error. Otherwise it contains one page.
    pub complete: bool,
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
    /// The HTML page for browsers, with actions.
    Page,
    /// An HTML list of links for programs. The first link of each entry is its URL.
    Index,
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
            complete: false,
        };
        parsed.read_parameters(&request.query)?;
        let is_page = request.has_parameter("next") || request.has_parameter("max-keys");
        parsed.complete = parsed.format.is_complete() && !is_page;
        Ok(parsed)
    }

    fn read_parameters(&mut self, query: &Pairs) -> Result<(), Rejection> {
        check_names(query)?;
        let has = |wanted| query.iter().any(|(name, _)| name == wanted);
        if has("json") && has("simple") {
            return Err(bad_value("json", "cannot be combined with `simple`"));
        }
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
            ListingParameter::Json => {
                check_no_value(name, value)?;
                self.format = ListingFormat::Json;
            }
        }
        Ok(())
    }
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
    /// Selects the format from `Accept`. The default is HTML, because most programs read the links of an HTML page. For curl,
    /// the default is text.
    fn negotiate(request: &ApiRequest, listing: Listing) -> Self {
        let offers: &[&str] = match listing {
            Listing::Objects if is_curl(&request.headers) => &["text/plain", "text/html", "application/json"],
            Listing::Objects => &["text/html", "application/json", "text/plain"],
            Listing::Uploads => &["text/plain", "application/json"],
        };
        match preferred_type(&request.headers, offers) {
            "application/json" => Self::Json,
            "text/plain" => Self::Text,
            _ if shows_page(&request.headers) => Self::Page,
            _ => Self::Index,
        }
    }

    /// Returns true if the readers of this format do not request further pages. Without an error, they would regard one page as
    /// the whole folder.
    const fn is_complete(self) -> bool {
        match self {
            Self::Index | Self::Text | Self::Names => true,
            Self::Page | Self::Json => false,
        }
    }
}
