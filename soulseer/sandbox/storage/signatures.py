"""AWS Signature Version 4, checked: in the Authorization header, or in a presigned address (docs.aws.amazon.com, “AWS
Signature Version 4 for API requests”)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
MOST_SKEW = timedelta(minutes=15)
LONGEST_LINK = timedelta(days=7)
_HEADER = re.compile(
    rf"{ALGORITHM} Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """A request is not what its signature says; ``code`` is S3's word for it, ``status`` the HTTP status."""

    def __init__(self, code: str, detail: str, status: int = 403) -> None:
        super().__init__(detail)
        self.code, self.status = code, status


@dataclass(frozen=True)
class Request:
    """What is signed: ``query`` is the raw query string, header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class _Claim:
    """What the caller says of the signature."""

    credential: str
    signed: str
    signature: str
    stamp: str
    payload: str


def check(request: Request, keys: Mapping[str, str], now: datetime) -> None:
    """Raise Refused unless the request was signed with one of ``keys`` (id → secret), recently, as it came in."""
    parameters = parse_qsl(request.query, keep_blank_values=True)
    presigned = dict(parameters)
    if "X-Amz-Signature" in presigned:
        claim = _by_link(presigned, now)
        parameters = [(name, value) for name, value in parameters if name != "X-Amz-Signature"]
    else:
        claim = _by_header(request, now)
    key_id, day, region, service, end = _scope(claim)
    secret = keys.get(key_id)
    if secret is None:
        raise Refused("InvalidAccessKeyId", "The access key id is not known here.")
    if not claim.stamp.startswith(day):
        raise Refused("SignatureDoesNotMatch", "The scope's day is another than the request's.")
    if "host" not in claim.signed.split(";"):
        raise Refused("SignatureDoesNotMatch", "The header host must be signed.")
    canonical = _canonical(request, parameters, claim)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, claim.stamp, f"{day}/{region}/{service}/{end}", digest))
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, claim.signature):
        raise Refused("SignatureDoesNotMatch", "The signature is not that of this request.")
    if claim.payload != UNSIGNED and claim.payload != hashlib.sha256(request.body).hexdigest():
        raise Refused("XAmzContentSHA256Mismatch", "The body is another than was signed.", 400)


def _by_header(request: Request, now: datetime) -> _Claim:
    found = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise Refused("AccessDenied", "The request is not signed.")
    stamp = request.headers.get("x-amz-date", "")
    if abs(_instant(stamp) - now) > MOST_SKEW:
        raise Refused("RequestTimeTooSkewed", "The request's time is too far from ours.")
    payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
    return _Claim(found["credential"], found["signed"], found["signature"], stamp, payload)


def _by_link(presigned: Mapping[str, str], now: datetime) -> _Claim:
    values = [
        presigned.get(f"X-Amz-{name}", "")
        for name in ("Algorithm", "Credential", "SignedHeaders", "Signature", "Date", "Expires")
    ]
    algorithm, credential, signed, signature, stamp, expires = values
    if algorithm != ALGORITHM or not re.fullmatch(r"[0-9]{1,6}", expires):
        raise Refused("AuthorizationQueryParametersError", "The address is not signed as it must be.", 400)
    began, lifetime = _instant(stamp), timedelta(seconds=int(expires))
    if lifetime > LONGEST_LINK or not began - MOST_SKEW <= now <= began + lifetime:
        raise Refused("AccessDenied", "Request has expired")
    return _Claim(credential, signed, signature, stamp, UNSIGNED)


def _scope(claim: _Claim) -> tuple[str, str, str, str, str]:
    parts = claim.credential.split("/")
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:
        raise Refused("AuthorizationHeaderMalformed", "The credential's scope is malformed.", 400)
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _canonical(request: Request, parameters: list[tuple[str, str]], claim: _Claim) -> str:
    query = "&".join(sorted(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in parameters))
    names = claim.signed.split(";")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    path = quote(request.path, safe="/-_.~")
    return "\n".join((request.method, path, query, headers, claim.signed, claim.payload))


def _instant(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused("AccessDenied", "The request has no time.") from error
