//! The properties of the library, by its public interface; one binary, so that it links once.

mod bearer;
mod bulk;
mod explain;
mod fake;
mod form;
mod fronts;
mod identity;
mod instruction;
mod issuer;
mod key;
mod listing;
mod multipart;
mod providers;
mod refusal;
mod rule_sources;
mod rules;
mod secrets;
mod session_policy;
mod sessions;
mod settings;
mod share;
mod sign_in;
mod signature;
mod stable;
mod sts;
mod support;
