//! Random ids for blobs, versions, uploads and requests.

use signpost::encoding::hex;

/// Returns 128 random bits in hexadecimal.
pub(crate) fn random_id() -> String {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).expect("the operating system provides random bytes");
    hex(&bits)
}
