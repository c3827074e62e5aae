"""Calendar months as a person lives them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone(name: str) -> ZoneInfo:
    """An IANA zone; UTC where the name is not known (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def month_of(instant: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """Beginning and end (UTC, the end excluded) of the calendar month in that zone which ``instant`` falls in."""
    local = instant.astimezone(zone(time_zone))
    begins = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    later = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    ends = begins.replace(year=later[0], month=later[1])
    return begins.astimezone(UTC), ends.astimezone(UTC)
