//! Where a listing goes on, as a word that tells nothing: S3 tells it by the key of the last entry, which the rules may
//! hide from the caller.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::keyring::{Keyring, Purpose};

/// Seals `cursor` for the listing of `place`; `None` without keys.
pub fn seal(keys: &Keyring, place: &str, cursor: &str) -> Option<String> {
    // Of another text, or of one elsewhere, the nonce is another.
    let unique = keys.derive(Purpose::Cursor, &format!("nonce {}\n{place}{cursor}", place.len()))?;
    let nonce = unique.first_chunk::<NONCE_LEN>()?;
    let mut sealed = cursor.as_bytes().to_vec();
    cipher(&keys.derive(Purpose::Cursor, KEY)?)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(place), &mut sealed)
        .ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// The inverse of [`seal`], for the same place and by any of the keys.
pub fn open(keys: &Keyring, place: &str, word: &str) -> Option<String> {
    let word = BASE64_URL_SAFE_NO_PAD.decode(word).ok()?;
    let (nonce, sealed) = word.split_first_chunk::<NONCE_LEN>()?;
    let cursor = keys.derive_by_each(Purpose::Cursor, KEY).find_map(|key| {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut sealed = sealed.to_vec();
        let opened = cipher(&key)?.open_in_place(nonce, Aad::from(place), &mut sealed);
        opened.ok().map(|cursor| cursor.to_vec())
    })?;
    String::from_utf8(cursor).ok()
}

const KEY: &str = "key";

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}
