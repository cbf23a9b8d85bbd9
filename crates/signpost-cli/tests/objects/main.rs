//! The commands for objects against the local server. All tests are in one binary, which is linked once.

mod certificates;
mod credentials;
mod descriptors;
mod doctor;
mod exit_statuses;
mod faults;
mod folders;
mod fronts;
mod hostile;
mod ids;
mod json;
mod large;
mod links;
mod mounts;
mod outputs;
mod partial_files;
mod profiles;
mod proxy;
mod resume;
mod support;
mod transfers;
