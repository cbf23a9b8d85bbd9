//! The request for a listing, as its parameters and `Accept` say it.

use super::object::check_number;
use super::{ApiRequest, Pairs, bad_value, check_names, preferred};
use crate::key::ObjectKey;
use crate::operation::{Carrier, Listing, MAX_KEYS};
use crate::rejection::Rejection;

/// A request for a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Of what.
    pub listing: Listing,
    /// Below which prefix: empty, or it ends in `/`.
    pub prefix: String,
    /// Whether everything below is listed, and not this folder alone.
    pub recursive: bool,
    /// Where to go on: the `next` of the page before.
    pub next: Option<String>,
    /// The most entries to ask S3 for.
    pub max_keys: u32,
    /// By what to sort the page.
    pub sort: Sort,
    /// In which direction.
    pub order: Order,
    /// What a name on the page must contain, in lower case.
    pub q: Option<String>,
    /// How to tell it.
    pub form: ListForm,
}

/// By what a page is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name, byte for byte, as S3 does.
    #[default]
    Name,
    /// By size.
    Size,
    /// By the time of the last change.
    Modified,
}

/// In which direction a page is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// The form in which a listing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// A page.
    Html,
    /// JSON.
    Json,
    /// A line for each entry, as `ls -l` writes it.
    Text,
    /// A line with the name of each entry.
    Names,
}

impl ListRequest {
    /// Parses a request for a listing of `prefix`; `None` is the root.
    pub fn parse(request: &ApiRequest, prefix: Option<&ObjectKey>) -> Result<Self, Rejection> {
        let asks_for_uploads = request.query.iter().any(|(name, _)| name == "uploads");
        let listing = if asks_for_uploads {
            Listing::Uploads
        } else {
            Listing::Objects
        };
        let mut parsed = Self {
            listing,
            prefix: prefix.map_or_else(String::new, |prefix| prefix.as_str().to_owned()),
            recursive: false,
            next: None,
            max_keys: MAX_KEYS,
            sort: Sort::default(),
            order: Order::default(),
            q: None,
            form: ListForm::negotiate(request),
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
        let takes = self.listing.parameters();
        let Some(parameter) = takes.iter().find(|parameter| parameter.name == name) else {
            return Err(Rejection::UnknownParameter {
                name: name.to_owned(),
                operation: self.listing.name(),
                takes,
            });
        };
        if let Carrier::Number(min, max) = parameter.carrier {
            check_number(name, value, min, max)?;
        }
        match name {
            "max-keys" => self.max_keys = value.parse().unwrap_or(MAX_KEYS),
            "next" if value.is_empty() => return Err(bad_value(name, "must be the `next` of the page before")),
            "next" => self.next = Some(value.to_owned()),
            "q" => self.q = Some(value.to_lowercase()).filter(|q| !q.is_empty()),
            "sort" => self.sort = Sort::parse(value)?,
            "order" => self.order = Order::parse(value)?,
            _ if !value.is_empty() => return Err(bad_value(name, "takes no value")),
            "recursive" => self.recursive = true,
            "simple" => self.form = ListForm::Names,
            _ => {} // `uploads` has been read.
        }
        Ok(())
    }
}

impl Sort {
    /// Its name in the query.
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

impl Order {
    /// Its name in the query.
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

impl ListForm {
    /// Lines unless `Accept` names another form: who says nothing sits at a terminal.
    fn negotiate(request: &ApiRequest) -> Self {
        match preferred(&request.headers, &["application/json", "text/plain", "text/html"]) {
            Some("application/json") => Self::Json,
            Some("text/html") if !request.query.iter().any(|(name, _)| name == "uploads") => Self::Html,
            _ => Self::Text,
        }
    }
}
