"""GET /metrics for Prometheus. In production from this machine itself, or with METRICS_TOKEN as bearer token."""

import hmac
import os

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from soulseer.domain import policies
from soulseer.domain.errors import Forbidden
from soulseer.services import metrics

blueprint = Blueprint("metrics", __name__)
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")


@blueprint.get("/metrics")
def show() -> Response:
    """All counters of all web processes. Raises Forbidden."""
    if not may_see():
        raise Forbidden("Metrics are shown to this machine itself, or with METRICS_TOKEN as bearer token.")
    registry = REGISTRY
    books = CollectorRegistry()
    books.register(metrics.Books())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry) + generate_latest(books), content_type=CONTENT_TYPE_LATEST)


def may_see() -> bool:
    """Whether this caller may read the metrics."""
    doors = policies.current().doors
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if doors.metrics_token and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), doors.metrics_token.encode())
    if not policies.current().production:
        return True
    # Behind a proxy on this machine, everybody seems to come from here: the header gives it away.
    return request.remote_addr in ("127.0.0.1", "::1") and not any(
        name in request.headers for name in FORWARDED
    )
