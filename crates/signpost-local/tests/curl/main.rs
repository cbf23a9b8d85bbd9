//! Tests of the local server as users run it: the real binary, the real curl and real sockets.

mod advice;
mod containers;
mod form_uploads;
mod fronts;
#[path = "../shared/helpers.rs"]
mod helpers;
mod listings;
mod malformed_requests;
mod multipart_uploads;
mod object_ids;
mod objects;
mod size_limits;
mod startup;
mod support;
