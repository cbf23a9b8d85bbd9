"""Generated tokens: their digests in a rules file, and the credentials that clients send."""

import base64
import hashlib


def digest(secret):
    """The SHA-256 digest that a `[[token]]` table contains."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_table(token_id, secret):
    """The `[[token]]` table of a rules file."""
    return f'[[token]]\nid = "{token_id}"\nsha256 = "{digest(secret)}"\n'


def bearer(secret):
    """The headers of a request that sends the token as a bearer token."""
    return {"authorization": f"Bearer {secret}"}


def basic(token_id, secret):
    """The headers of a request that sends the token as a password."""
    return {"authorization": "Basic " + base64.b64encode(f"{token_id}:{secret}".encode()).decode()}


def base64url(data):
    """Base64url without padding, as JWTs use it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
