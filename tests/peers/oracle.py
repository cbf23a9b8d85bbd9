"""What botocore signs for a request: the canonical request and the signature, at a chosen second."""

import datetime
from dataclasses import dataclass
from unittest import mock

import botocore.auth
import botocore.credentials
from botocore.awsrequest import AWSRequest

from presigned import Presigned, encode

AMZ_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, repr=False)
class Signed:
    """A canonical request and its signature, which no printout shows."""

    canonical_request: str
    signature: str

    def differences(self, other):
        """The lines in which two canonical requests differ, and whether the signatures do."""
        mine, theirs = self.canonical_request.split("\n"), other.canonical_request.split("\n")
        lines = [f"  line {n}: {a!r} against {b!r}" for n, (a, b) in enumerate(zip(mine, theirs)) if a != b]
        if len(mine) != len(theirs):
            lines.append(f"  {len(mine)} lines against {len(theirs)}")
        if self.signature != other.signature:
            lines.append("  the signatures differ")
        return lines


def sent(method, url: Presigned, headers):
    """What a verifying S3 reads from the request that follows `url` with `headers`: SigV4 by the specification."""
    query = sorted((encode(name), encode(value)) for name, value in url.query if name != "X-Amz-Signature")
    values = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    values["host"] = url.origin.partition("://")[2]
    lines = [f"{name}:{values.get(name, '[not sent]')}" for name in sorted(url.signed_headers)]
    canonical = [method, url.path, "&".join("=".join(pair) for pair in query), *lines, "",
                 url["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"]
    return Signed("\n".join(canonical), url["X-Amz-Signature"])


def sign(method, origin, path, headers, parameters, credentials, region, expires, amz_date):
    """Has botocore presign; returns what it signed and the URL that it made."""
    clock = datetime.datetime.strptime(amz_date, AMZ_DATE)
    keys = botocore.credentials.Credentials(credentials.access_key, credentials.secret_key, credentials.token)
    auth = _Recording(keys, "s3", region, int(expires))
    request = AWSRequest(method=method, url=origin + path, headers=headers, params=dict(parameters))
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: clock):
        auth.add_auth(request)
    url = Presigned.parse(request.url)
    return Signed(auth.canonical, url["X-Amz-Signature"]), url


class _Recording(botocore.auth.S3SigV4QueryAuth):
    """Keeps the canonical request that botocore computes on the way."""

    def canonical_request(self, request):
        self.canonical = super().canonical_request(request)
        return self.canonical
