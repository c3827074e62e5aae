"""Who is there: from the last signs of life to cover and silence (design §4, Presence). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from soulseer.domain.readings import PauseCause, Role

PARTICIPANTS = (Role.CLIENT, Role.READER)


@dataclass(frozen=True)
class Verdict:
    """``covered_until``: time up to it was served to both. ``silent``: who dropped, as of ``covered_until``."""

    covered_until: datetime
    silent: frozenset[Role]

    @property
    def cause(self) -> PauseCause | None:
        """Why the session must pause: one silent has dropped, both silent is the platform's fault."""
        if not self.silent:
            return None
        if len(self.silent) == 2:
            return PauseCause.PLATFORM
        return PauseCause.CLIENT_DROPPED if Role.CLIENT in self.silent else PauseCause.READER_DROPPED


def judge(
    at: datetime,
    covered_until: datetime,
    seen: dict[Role, datetime | None],
    remembers_since: datetime,
    timeout: timedelta,
    *,
    active_since: datetime | None = None,
    caller: Role | None = None,
    closing: bool = False,
) -> Verdict:
    """Judge an active session at ``at``.

    ``seen`` are the last signs before this call; ``covered_until`` is itself a sign of both, but where it equals
    ``active_since``: then it only says where paid time began, and a gap counts from the sign before. ``caller`` is
    here now, but only if the gap before is no longer than ``timeout``. ``closing`` (an explicit leave or end): the
    other, if not silent, covers until now. Nobody is judged silent on a memory younger than ``timeout``.
    """
    witnessed = covered_until != active_since
    signs: dict[Role, datetime] = {}
    silent: set[Role] = set()
    for role in PARTICIPANTS:
        known = seen.get(role)
        sign = min(at, max(known, covered_until) if known else covered_until)
        last = known if known and not witnessed else sign
        # Up to covered_until, which a simulation may have moved on, there is nothing to judge.
        gap = at > covered_until and at - last > timeout
        if gap and known is None and at - remembers_since <= timeout:
            gap = False  # Redis has just lost its memory: wait one time-out
        elif not gap and role is caller:
            sign = at
        if gap:
            silent.add(role)
        elif closing:
            sign = at
        signs[role] = sign
    return Verdict(min(signs.values()), frozenset(silent))
