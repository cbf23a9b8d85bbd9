"""Computes with botocore the canonical request and the signature of a request at a given second."""

import datetime
from dataclasses import dataclass
from unittest import mock

import botocore.auth
import botocore.credentials
from botocore.awsrequest import AWSRequest

from presigned import Presigned, encode

AMZ_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, repr=False)
class SignedRequest:
    """A canonical request and its signature. Neither appears in the output of a failed test."""

    canonical_request: str
    signature: str

    def differences(self, other):
        """Lists the lines in which two canonical requests differ, and reports different signatures."""
        mine, theirs = self.canonical_request.split("\n"), other.canonical_request.split("\n")
        lines = [f"  line {n}: {a!r} against {b!r}" for n, (a, b) in enumerate(zip(mine, theirs)) if a != b]
        if len(mine) != len(theirs):
            lines.append(f"  {len(mine)} lines against {len(theirs)}")
        if self.signature != other.signature:
            lines.append("  the signatures differ")
        return lines


def signed_request(method, url: Presigned, headers):
    """The canonical request that an S3 server computes for a request to `url` with `headers`, by the SigV4 specification."""
    query = sorted((encode(name), encode(value)) for name, value in url.query if name != "X-Amz-Signature")
    values = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    values["host"] = url.origin.partition("://")[2]
    lines = [f"{name}:{values.get(name, '[not sent]')}" for name in sorted(url.signed_headers)]
    canonical = [method, url.path, "&".join("=".join(pair) for pair in query), *lines, "",
                 url["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"]
    return SignedRequest("\n".join(canonical), url["X-Amz-Signature"])


def sign(method, origin, path, headers, parameters, credentials, region, expires, amz_date):
    """Presigns with botocore. Returns the signed request and the URL."""
    clock = datetime.datetime.strptime(amz_date, AMZ_DATE)
    keys = botocore.credentials.Credentials(credentials.access_key, credentials.secret_key, credentials.token)
    auth = _Recording(keys, "s3", region, int(expires))
    request = AWSRequest(method=method, url=origin + path, headers=headers, params=dict(parameters))
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: clock):
        auth.add_auth(request)
    url = Presigned.parse(request.url)
    return SignedRequest(auth.canonical, url["X-Amz-Signature"]), url


class _Recording(botocore.auth.S3SigV4QueryAuth):
    """Records the canonical request that botocore computes while it signs."""

    def canonical_request(self, request):
        self.canonical = super().canonical_request(request)
        return self.canonical
