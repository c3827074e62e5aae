"""Counters for Prometheus. Any room may add its own here; names and labels are stable."""

from collections.abc import Iterator

import structlog
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from soulseer.services import books_health

log = structlog.get_logger(__name__)

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


class Books(Collector):
    """Whether the books are in order, read from the database when somebody asks; every process says the same.

    Without the database the other metrics are still told, and ``soulseer_books_readable`` is 0.
    """

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Gauges as of now. Needs an application context."""
        readable = GaugeMetricFamily("soulseer_books_readable", "Whether the books could be read")
        try:
            found = books_health.health()
        except SQLAlchemyError:
            log.exception("books_not_readable")
            readable.add_metric([], 0)
            yield readable
            return
        readable.add_metric([], 1)
        yield readable
        alerts = GaugeMetricFamily("soulseer_ledger_alerts_open", "Ledger alerts that nobody has resolved")
        alerts.add_metric([], found.open_alerts)
        yield alerts
        cents = GaugeMetricFamily(
            "soulseer_reconciliation_unexplained_cents",
            "Cents between the books and Stripe that nothing explains",
        )
        cents.add_metric([], found.unexplained_cents)
        yield cents
        compared = GaugeMetricFamily(
            "soulseer_reconciliation_last_seconds", "When the books were last compared with Stripe's list"
        )
        compared.add_metric([], found.compared_at)
        yield compared
        differences = GaugeMetricFamily(
            "soulseer_reconciliation_differences_open", "Open differences with Stripe", labels=["class"]
        )
        for name, count in found.differences.items():
            differences.add_metric([name], count)
        yield differences
