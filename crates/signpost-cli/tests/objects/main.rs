//! The commands for objects against the local server; one binary, so that it links once.

mod credentials;
mod doctor;
mod endings;
mod faults;
mod folders;
mod fronts;
mod hostile;
mod ids;
mod large;
mod making;
mod profiles;
mod proxy;
mod resume;
mod support;
mod transfers;
