//! The properties of the command, by running it; one binary, so that it links once.

mod cases;
mod check;
mod explain;
mod manual;
mod secrets;
mod support;
