//! Runs the command and checks its output. All tests are in one binary, which is linked once.

mod cases;
mod check;
mod explain;
mod manual;
mod prove;
mod secrets;
mod support;
