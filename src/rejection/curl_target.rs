//! The commands in advice.

/// The URL of a request, as commands in advice contain it. A placeholder represents the credential of the request, so that the
/// command does not fail without it.
#[derive(Clone, Debug)]
pub struct CurlTarget {
    url: String,
    credential: CurlCredential,
    /// The parameters that commands repeat, escaped.
    query: String,
}

/// The credential of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurlCredential {
    /// None, or the cookie of a browser.
    None,
    /// A token or another credential in a header.
    Token,
    /// A share link.
    Link,
}

impl CurlTarget {
    /// Creates the target for a URL without a query.
    pub const fn new(url: String, credential: CurlCredential) -> Self {
        Self {
            url,
            credential,
            query: String::new(),
        }
    }

    /// Returns the target for commands that repeat these parameters.
    #[must_use]
    pub fn with_query(self, query: String) -> Self {
        Self { query, ..self }
    }

    /// Returns the target for a file in the folder of this target.
    #[must_use]
    pub fn in_folder(&self, file: &str) -> Self {
        Self::new(format!("{}{file}", self.url), self.credential)
    }

    /// Returns a command that repeats the request and follows the redirect. `arguments` may be empty.
    pub fn follow(&self, arguments: &str) -> String {
        let space = if arguments.is_empty() { "" } else { " " };
        format!(
            "curl -fL{}{space}{arguments} '{}'",
            self.user(),
            self.join(&[&self.query])
        )
    }

    /// Returns the command for an upload of up to 5 GiB: request the URL without a body, then send the file to it. It declares
    /// the length, because rules with `max_bytes` require it. `tr` removes the spaces that `wc` prints on some systems.
    pub fn two_steps(&self) -> String {
        let (user, url) = (self.user(), self.join(&[&self.query, "url&contentLength="]));
        format!("curl -fT FILE \"$(curl -fsS{user} -X PUT '{url}'$(wc -c <FILE | tr -d ' '))\"")
    }

    /// Returns the URL with this query.
    pub fn url(&self, query: &str) -> String {
        self.join(&[query])
    }

    /// Returns the URL with the share link, if any, and these parts of a query, which may be empty.
    fn join(&self, parts: &[&str]) -> String {
        let share = (self.credential == CurlCredential::Link).then_some("share=TOKEN");
        let parts = parts.iter().copied().filter(|part| !part.is_empty());
        let query: Vec<_> = share.into_iter().chain(parts).collect();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{separator}{}", self.url, query.join("&"))
    }

    const fn user(&self) -> &'static str {
        match self.credential {
            CurlCredential::Token => " -u ID:SECRET",
            CurlCredential::None | CurlCredential::Link => "",
        }
    }
}
