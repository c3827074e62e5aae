"""Every table, so that one import fills the metadata."""

from soulseer.models import ledger, operations, payments, people, readers, readings

__all__ = ["ledger", "operations", "payments", "people", "readers", "readings"]
