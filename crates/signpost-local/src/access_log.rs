//! The line that the server prints for each request. It never contains the query or a header of the request or the response.
//!
//! The library logs the caller and the rule of a request as fields of an event. A layer of the subscriber stores them for
//! the task that handles the request.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use signpost::encoding::escape_invisible;
use signpost::service::handler::Handler;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

tokio::task_local! {
    static FIELDS: RefCell<AccessFields>;
}

/// The fields of the library's event that the line contains.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessFields {
    user_id: Option<String>,
    rule: Option<String>,
    code: Option<String>,
    /// The name of the rejection, which is more exact than the code.
    rejection: Option<String>,
    /// The id of a request that was not successful.
    request_id: Option<String>,
    /// True for the event of a complete request, and not of a part of a bulk request.
    is_complete: bool,
}

/// One line of the access log.
#[derive(Debug)]
pub(crate) struct AccessLine<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) fields: AccessFields,
}

/// Handles a request, and returns the fields that the library logs meanwhile.
pub(crate) async fn record<T>(request: impl Future<Output = T>) -> (T, AccessFields) {
    let recorded = async {
        let response = request.await;
        (response, FIELDS.with(RefCell::take))
    };
    FIELDS.scope(RefCell::default(), recorded).await
}

/// Stores the fields of the event of each request.
pub(crate) struct AccessLayer;

impl<S: Subscriber> Layer<S> for AccessLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = AccessFields::default();
        event.record(&mut fields);
        if fields.is_complete {
            // Events outside a request have no place to store the fields.
            let _ = FIELDS.try_with(|stored| stored.replace(fields));
        }
    }
}

impl Visit for AccessFields {
    fn record_u64(&mut self, field: &Field, _value: u64) {
        self.is_complete |= field.name() == "status";
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let target = match field.name() {
            "user_id" => &mut self.user_id,
            "rule" => &mut self.rule,
            "code" => &mut self.code,
            "rejection" => &mut self.rejection,
            "request.id" => &mut self.request_id,
            _ => return,
        };
        *target = Some(value.to_owned());
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

impl AccessLine<'_> {
    /// Replaces the user id by the id of the token, if the user is a token of the rules.
    pub(crate) async fn with_caller(mut self, handler: &Handler) -> Self {
        let Some(user_id) = self.fields.user_id.take() else {
            return self;
        };
        let policy = handler.policy(SystemTime::now()).await;
        let mut tokens = policy.iter().flat_map(|policy| &policy.authenticators.tokens);
        let token = tokens.find(|token| token.user().user_id() == user_id);
        self.fields.user_id = Some(match token {
            _ if user_id == "-" => "anyone".to_owned(),
            Some(token) => format!("token:{}", token.id),
            None => user_id,
        });
        self
    }
}

impl fmt::Display for AccessLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.duration.as_secs_f64() * 1000.0;
        write!(
            f,
            "{} {:<7} {milliseconds:>7.1} ms  {}",
            self.status.as_u16(),
            escape_invisible(self.method),
            escape_invisible(self.path)
        )?;
        let is_success = !self.status.is_client_error() && !self.status.is_server_error();
        let fields = [
            ("caller", &self.fields.user_id),
            ("rule", &self.fields.rule),
            ("code", &self.fields.code),
            ("rejection", &self.fields.rejection),
            ("request", if is_success { &None } else { &self.fields.request_id }),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                write!(f, "  {name}={}", escape_invisible(value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_of_the_line_can_change_or_hide_other_text() {
        for (text, logged) in [
            ("a\n200 GET b\u{1b}[2J ☃", "a\\u000a200 GET b\\u001b[2J ☃"),
            ("a\u{202e}gpj.exe", "a\\u202egpj.exe"),
            ("\u{200e}\u{61c}\u{feff}\u{e0041}", "\\u200e\\u061c\\ufeff\\ue0041"),
        ] {
            let fields = AccessFields {
                user_id: Some(text.to_owned()),
                ..AccessFields::default()
            };
            let line = AccessLine {
                method: "GET",
                path: text,
                status: StatusCode::OK,
                duration: Duration::from_millis(3),
                fields,
            };
            assert_eq!(
                line.to_string(),
                format!("200 GET         3.0 ms  {logged}  caller={logged}")
            );
        }
    }

    #[test]
    fn the_line_of_a_rejected_request_contains_caller_rule_rejection_and_request_id() {
        let fields = AccessFields {
            user_id: Some("token:ci".to_owned()),
            rule: Some("nobody-deletes".to_owned()),
            code: Some("AccessDenied".to_owned()),
            rejection: Some("DeniedByRule".to_owned()),
            request_id: Some("7c2a".to_owned()),
            is_complete: true,
        };
        let line = AccessLine {
            method: "DELETE",
            path: "a\nb",
            status: StatusCode::FORBIDDEN,
            duration: Duration::from_micros(100),
            fields,
        };
        assert_eq!(
            line.to_string(),
            "403 DELETE      0.1 ms  a\\u000ab  caller=token:ci  rule=nobody-deletes  code=AccessDenied  rejection=DeniedByRule  request=7c2a"
        );
    }
}
