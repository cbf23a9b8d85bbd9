//! The local server as its users meet it: the real binary, the real curl, real sockets.

mod forms;
mod fronts;
mod ids;
mod limits;
mod listings;
mod lives;
mod malformed;
mod multipart;
mod objects;
mod support;
