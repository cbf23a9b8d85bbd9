//! The HTML pages about one object, and the query parameter of each one.

use http::Method;

use super::parameter::{Parameter, ParameterKind, parameter};

/// An HTML page about one object, at the path of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectPage {
    /// Shows the object and the actions that the user may take.
    View,
    /// Asks the user to confirm the deletion. The page posts its form to the same path, and Signpost deletes the
    /// object, because an HTML form cannot send a DELETE.
    Delete,
}

const VIEW: &[Parameter] = &[parameter("view", ParameterKind::SubResource)];
const DELETE: &[Parameter] = &[parameter("delete", ParameterKind::SubResource)];

impl ObjectPage {
    /// Every page.
    pub const ALL: [Self; 2] = [Self::View, Self::Delete];

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "the page of an object",
            Self::Delete => "the page that deletes an object",
        }
    }

    /// The query parameters that the page accepts. The first one selects the page.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::View => VIEW,
            Self::Delete => DELETE,
        }
    }

    /// The methods that the page supports.
    pub fn methods(self) -> Vec<Method> {
        match self {
            Self::View => vec![Method::GET],
            Self::Delete => vec![Method::GET, Method::POST],
        }
    }

    /// The page that a query selects.
    pub fn from_query(query: &[(String, String)]) -> Option<Self> {
        let is_selected = |page: &Self| query.iter().any(|(name, _)| name == page.parameters()[0].name);
        Self::ALL.into_iter().find(is_selected)
    }
}
