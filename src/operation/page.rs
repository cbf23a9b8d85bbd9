//! The pages about one object, and what each takes from the client.

use http::Method;

use super::{Carrier, Parameter, parameter};

/// A page about one object, at the object's own path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectPage {
    /// Shows the object, and what can be done with it.
    View,
    /// Asks whether to delete it; its form is sent to the same place, and Signpost deletes the object itself, since a
    /// form can't send a DELETE.
    Delete,
}

const VIEW: &[Parameter] = &[parameter("view", Carrier::SubResource)];
const DELETE: &[Parameter] = &[parameter("delete", Carrier::SubResource)];

impl ObjectPage {
    /// Every page.
    pub const ALL: [Self; 2] = [Self::View, Self::Delete];

    /// Its name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "the page of an object",
            Self::Delete => "the page that deletes an object",
        }
    }

    /// The query parameters that it takes, by the first of which it is asked for.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::View => VIEW,
            Self::Delete => DELETE,
        }
    }

    /// The methods that mean something there.
    pub fn methods(self) -> Vec<Method> {
        match self {
            Self::View => vec![Method::GET],
            Self::Delete => vec![Method::GET, Method::POST],
        }
    }

    /// The page that a query asks for.
    pub fn asked_for(query: &[(String, String)]) -> Option<Self> {
        let named = |page: &Self| query.iter().any(|(name, _)| name == page.parameters()[0].name);
        Self::ALL.into_iter().find(named)
    }
}
