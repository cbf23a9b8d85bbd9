"""Presigned S3 URLs with any parameter and any signing time, with the standard library only."""

import hashlib
import hmac
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


def presign(credentials, region, method, url, signed_at, query=None, expires=900, headers=None):
    """Returns the URL with a signature. `headers` must be sent unchanged. `signed_at` is a time in UTC."""
    parts = urlsplit(url)
    moment = signed_at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    signed = {"host": parts.netloc} | {name.lower(): value for name, value in (headers or {}).items()}
    parameters = {
        **(query or {}),
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials['AccessKeyId']}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    if credentials.get("SessionToken"):
        parameters["X-Amz-Security-Token"] = credentials["SessionToken"]
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in parameters.items())
    canonical_query = "&".join(f"{name}={value}" for name, value in encoded)
    canonical_headers = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join([method, parts.path, canonical_query, canonical_headers, parameters["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"])
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in (moment[:8], region, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{canonical_query}&X-Amz-Signature={key.hex()}"
