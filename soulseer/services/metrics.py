"""Counters for Prometheus. Any room may add its own here; names and labels are stable."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("soulseer_http_requests_total", "Requests answered", ["endpoint", "method", "status"])
SECONDS = Histogram(
    "soulseer_http_request_seconds",
    "Time to answer, seconds",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SIGN_INS = Counter("soulseer_sign_ins_total", "Sign-ins of browsers", ["outcome"])
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count one request; an unknown method is ``other``, so that callers cannot invent labels."""
    REQUESTS.labels(endpoint, method if method in METHODS else "other", str(status)).inc()
    SECONDS.labels(endpoint).observe(seconds)
