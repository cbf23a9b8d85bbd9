//! Encryption of the continuation token of a listing. The token of S3 contains the key of the last entry, which the rules
//! may hide from the caller.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::keyring::{Keyring, Purpose};

/// Encrypts `cursor` for the listing `context`; returns `None` without keys.
pub fn encrypt(keys: &Keyring, context: &str, cursor: &str) -> Option<String> {
    // The nonce is derived from the context and the text, so no nonce is used for two different texts.
    let derived = keys.derive(Purpose::Cursor, &format!("nonce {}\n{context}{cursor}", context.len()))?;
    let nonce = derived.first_chunk::<NONCE_LEN>()?;
    let mut buffer = cursor.as_bytes().to_vec();
    cipher(&keys.derive(Purpose::Cursor, KEY)?)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut buffer)
        .ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &buffer].concat()))
}

/// Decrypts the result of [`encrypt`] for the same context, with any of the keys.
pub fn decrypt(keys: &Keyring, context: &str, token: &str) -> Option<String> {
    let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (nonce, ciphertext) = token.split_first_chunk::<NONCE_LEN>()?;
    let cursor = keys.derive_by_each(Purpose::Cursor, KEY).find_map(|key| {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut buffer = ciphertext.to_vec();
        let decrypted = cipher(&key)?.open_in_place(nonce, Aad::from(context), &mut buffer);
        decrypted.ok().map(|cursor| cursor.to_vec())
    })?;
    String::from_utf8(cursor).ok()
}

const KEY: &str = "key";

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}
