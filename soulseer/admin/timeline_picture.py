"""A session on one axis of time as a picture: where each thing stands in it. Units of the SVG's own, x from left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from soulseer.domain.connections import Sample
from soulseer.domain.readings import State
from soulseer.models.readings import ReadingSession
from soulseer.services import console_instants
from soulseer.services.connection_evidence import Evidence
from soulseer.services.console_instants import Balances, Standing
from soulseer.services.console_timeline import Facts

WIDTH, LEFT, RIGHT = 1000, 108, 12
PLOT = WIDTH - LEFT - RIGHT
LANES = {"state": 24, "client": 16, "reader": 16, "quality": 46, "wallet": 46, "earnings": 46, "messages": 30}
GAP, TOP = 10, 20
# What a page measures is drawn in so many columns: the worst of each.
COLUMNS = 240
UNBROKEN = timedelta(seconds=45)
# Distances of the axis's labels, seconds.
STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
MOST_LABELS = 10
NOTHING = Decimal("0.00")
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Span:
    """From ``x``, ``width`` wide; ``kind`` is a class of its look, ``words`` are its title."""

    x: float
    width: float
    kind: str
    words: str


@dataclass(frozen=True)
class Lane:
    """One row: ``top`` and ``height``; lines are SVG points, bars stand on its foot (x, y, width, height, kind)."""

    name: str
    label: str
    top: int
    height: int
    spans: Sequence[Span] = ()
    lines: Sequence[tuple[str, str]] = ()
    bars: Sequence[tuple[float, float, float, float, str]] = ()
    marks: Sequence[Span] = ()
    high: str = ""
    low: str = ""

    @property
    def foot(self) -> int:
        return self.top + self.height


@dataclass
class Picture:
    """``seconds`` long from ``since``; ``labels`` are (x, words) of the axis; ``late`` is what came after its end."""

    since: datetime
    seconds: int
    height: int = 0
    lanes: list[Lane] = field(default_factory=list)
    labels: list[tuple[float, str]] = field(default_factory=list)
    minutes: list[Markup] = field(default_factory=list)
    width: int = WIDTH
    left: int = LEFT
    plot: int = PLOT

    def x(self, at: datetime) -> float:
        """Where an instant stands; what is outside stands at the edge."""
        share = (at - self.since).total_seconds() / self.seconds
        return round(LEFT + PLOT * min(1.0, max(0.0, share)), 1)

    @property
    def until(self) -> datetime:
        return self.since + timedelta(seconds=self.seconds)


def axis(session: ReadingSession, now: datetime, facts: Facts) -> Picture:
    """The empty picture: from the request to the end (a live session's to now), and a little beyond."""
    last = session.ended_at or max([now, *(moment.at for moment in facts.events)])
    whole = max(30, round((last - session.created_at).total_seconds()))
    return Picture(session.created_at, whole + max(2, whole // 60))


def draw(
    picture: Picture, facts: Facts, found: Sequence[Standing], evidence: Evidence, money: Balances
) -> Picture:
    """Fill the picture with every lane that has something to show."""
    stretches = _stretches(found, picture.until)
    told = any(evidence.samples.values())
    marks = [
        Span(picture.x(move.at), 0, "money", move.kind.replace("_", " "))
        for move in money.moves
        if move.at <= picture.until
    ]
    charges = [Span(picture.x(one.at), 0, "charge", f"minute {one.minute}") for one in facts.charges]
    parts: dict[str, dict[str, Any]] = {
        "state": {"label": "State", "spans": _states(picture, stretches)},
        "client": {"label": "Client", **_presence(picture, stretches, evidence, "client")},
        "reader": {"label": "Reader", **_presence(picture, stretches, evidence, "reader")},
        "quality": {"label": "Round trip", **_quality(picture, evidence)} if told else {},
        "wallet": {"label": "Wallet", "marks": charges, **_steps(picture, found, "wallet", "wallet")},
        "earnings": {"label": "Pending", "marks": marks, **_steps(picture, found, "earnings", "earnings")},
        "messages": {"label": "Messages", **_messages(picture, facts)} if facts.messages else {},
    }
    top = TOP
    for name, part in parts.items():
        if part:
            picture.lanes.append(_placed(name, top, part))
            top += LANES[name] + GAP
    picture.height = top + 4
    picture.labels = _labels(picture)
    picture.minutes = _minutes(picture, facts, evidence)
    return picture


def _placed(name: str, top: int, part: dict[str, Any]) -> Lane:
    """A lane whose heights, given as shares of one, are brought to its place."""
    height = LANES[name]
    lines = [
        (kind, " ".join(f"{x},{round(top + height * (1 - share), 1)}" for x, share in points))
        for kind, points in part.pop("lines", ())
    ]
    bars = [
        (x, round(top + height * (1 - base - share), 1), width, round(height * share, 1), kind)
        for x, width, base, share, kind in part.pop("bars", ())
    ]
    return Lane(name, part.pop("label"), top, height, lines=lines, bars=bars, **part)


def _stretches(found: Sequence[Standing], until: datetime) -> list[tuple[Standing, datetime]]:
    ends = [*(one.at for one in found[1:]), until]
    return [(one, end) for one, end in zip(found, ends, strict=True) if end > one.at]


def _joined(
    picture: Picture, stretches: Iterable[tuple[Standing, datetime]], word: str
) -> list[tuple[str, Span]]:
    """Neighbours with the same word of ``word`` are one span."""
    runs: list[list[Any]] = []
    for one, end in stretches:
        value = getattr(one, word)
        if runs and runs[-1][0] == value:
            runs[-1][2] = end
        else:
            runs.append([value, one.at, end])
    found = []
    for value, since, until in runs:
        x = picture.x(since)
        words = f"{value} {since.astimezone(UTC):%H:%M:%S}–{until.astimezone(UTC):%H:%M:%S}"
        found.append(
            (value, Span(x, round(max(1.0, picture.x(until) - x), 1), value.replace(" ", "-"), words))
        )
    return found


def _states(picture: Picture, stretches: Sequence[tuple[Standing, datetime]]) -> list[Span]:
    return [span for value, span in _joined(picture, stretches, "state") if value != State.CREATED]


def _presence(
    picture: Picture, stretches: Sequence[tuple[Standing, datetime]], evidence: Evidence, role: str
) -> dict[str, Any]:
    spans = [span for value, span in _joined(picture, stretches, role) if value in ("here", "away")]
    holes = next((side.holes for side in evidence.measured if side.role == role), ())
    for began, ended in holes:
        x = picture.x(began)
        words = f"nothing told {began.astimezone(UTC):%H:%M:%S}–{ended.astimezone(UTC):%H:%M:%S}"
        spans.append(Span(x, round(picture.x(ended) - x, 1), "hole", words))
    marks = [
        Span(picture.x(notice.at), 0, "joined" if notice.joined else "left", _notice_words(notice))
        for notice in evidence.notices
        if notice.role == role
    ]
    return {"spans": spans, "marks": marks}


def _notice_words(notice: Any) -> str:
    return f"{'joined' if notice.joined else 'left'} the call {notice.at.astimezone(UTC):%H:%M:%S}"


def _quality(picture: Picture, evidence: Evidence) -> dict[str, Any]:
    worst = max([one.round_trip_ms or 0 for samples in evidence.samples.values() for one in samples] or [0])
    scale = max(100, worst)
    hole = max(1.0, UNBROKEN / timedelta(seconds=picture.seconds) * COLUMNS)
    lines, bars = [], []
    for role, samples in evidence.samples.items():
        points: list[tuple[float, float]] = []
        before = None
        for column, part in _columns(picture, samples):
            x = round(LEFT + PLOT * (column + 0.5) / COLUMNS, 1)
            trips = [one.round_trip_ms for one in part if one.round_trip_ms is not None]
            loss = max((one.loss_percent or NOTHING for one in part), default=NOTHING)
            if loss > 0 or any(one.quality == "lost" for one in part):
                lost = any(one.quality == "lost" for one in part)
                share = 1.0 if lost else min(1.0, max(0.06, float(loss) / 100))
                bars.append((x, PLOT / COLUMNS, 0.0, share, "lost" if lost else "loss"))
            # Where nothing was told for long there is a hole in the line, not a straight.
            if trips and before is not None and column - before > hole:
                lines.append((role, _visible(points)))
                points = []
            if trips:
                points.append((x, max(trips) / scale))
                before = column
        lines.append((role, _visible(points)))
    return {"lines": [line for line in lines if line[1]], "bars": bars, "high": f"{scale} ms", "low": "0 ms"}


def _visible(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A single point as a short stroke."""
    return [*points, (points[0][0] + 3, points[0][1])] if len(points) == 1 else points


def _columns(picture: Picture, samples: Sequence[Sample]) -> list[tuple[int, list[Sample]]]:
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        share = (sample.at - picture.since).total_seconds() / picture.seconds
        found.setdefault(min(COLUMNS - 1, max(0, int(share * COLUMNS))), []).append(sample)
    return sorted(found.items())


def _steps(picture: Picture, found: Sequence[Standing], name: str, kind: str) -> dict[str, Any]:
    """A balance as a line of steps, between its least and its most."""
    within = [one for one in found if one.at <= picture.until]
    amounts = [getattr(one, name) for one in within]
    low, high = min(amounts), max(amounts)
    span = (high - low) or Decimal(1)
    points: list[tuple[float, float]] = []
    for one in within:
        x, share = picture.x(one.at), round(float((getattr(one, name) - low) / span), 4)
        if points and points[-1][1] != share:
            points.append((x, points[-1][1]))
        if not points or points[-1] != (x, share):
            points.append((x, share))
    points.append((float(LEFT + PLOT), points[-1][1]))
    return {
        "lines": [(kind, points)],
        "high": _dollars(high),
        "low": _dollars(low) if low != high else "",
    }


def _messages(picture: Picture, facts: Facts) -> dict[str, Any]:
    counts: dict[int, list[int]] = {}
    for message in facts.messages:
        minute = int((message.at - picture.since).total_seconds() // 60)
        counts.setdefault(minute, [0, 0])[0 if message.by_client else 1] += 1
    most = max(sum(pair) for pair in counts.values())
    bars = []
    for minute, (client, reader) in sorted(counts.items()):
        x = picture.x(picture.since + timedelta(minutes=minute))
        end = picture.x(picture.since + timedelta(minutes=minute + 1))
        wide = round(max(1.5, (end - x) * 0.8), 1)
        bars.append((x, wide, 0.0, client / most, "client"))
        bars.append((x, wide, client / most, reader / most, "reader"))
    return {"bars": [bar for bar in bars if bar[3] > 0], "high": f"{most} a minute"}


def _labels(picture: Picture) -> list[tuple[float, str]]:
    step = next((one for one in STEPS if picture.seconds / one <= MOST_LABELS), STEPS[-1])
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    first = picture.since.astimezone(UTC).replace(microsecond=0)
    past = (first.hour * 3600 + first.minute * 60 + first.second) % step
    at = first + timedelta(seconds=(step - past) % step)
    found = []
    while at < picture.until:
        found.append((picture.x(at), at.strftime(form)))
        at += timedelta(seconds=step)
    return found


def _minutes(picture: Picture, facts: Facts, evidence: Evidence) -> list[Markup]:
    """The same by the minute, as rows of a table: messages, worst round trip and loss of each side. Empty ones are left
    out."""
    rows: dict[int, list[Any]] = {}
    # A row: messages of client and reader, round trips of both, losses of both.
    sides = {"client": 0, "reader": 1}
    for message in facts.messages:
        minute = int((message.at - picture.since).total_seconds()) // 60
        rows.setdefault(minute, [0, 0, None, None, None, None])[0 if message.by_client else 1] += 1
    for role, samples in evidence.samples.items():
        for sample in samples:
            minute = int((sample.at - picture.since).total_seconds()) // 60
            row = rows.setdefault(minute, [0, 0, None, None, None, None])
            for place, value in ((2, sample.round_trip_ms), (4, sample.loss_percent)):
                at = place + sides[role]
                if value is not None and (row[at] is None or value > row[at]):
                    row[at] = value
    found = []
    for minute in sorted(rows):
        started = picture.since + timedelta(minutes=minute)
        client, reader, *measured = rows[minute]
        units = (" ms", " ms", " %", " %")
        words = ["–" if v is None else f"{v}{unit}" for v, unit in zip(measured, units, strict=True)]
        found.append(_cells([f"{started.astimezone(UTC):%H:%M:%S}", str(client), str(reader), *words]))
    return found


def shown(
    session: ReadingSession, facts: Facts, evidence: Evidence, now: datetime, typed: str
) -> dict[str, Any]:
    """What templates/admin/session_timeline.html needs; ``typed`` is the chosen second, nonsense is the last. Two
    statements."""
    picture = axis(session, now, facts)
    money = console_instants.balances(session, picture.until)
    found = console_instants.standings(session, facts, money)
    draw(picture, facts, found, evidence, money)
    fits = typed.isascii() and typed.isdigit() and len(typed) < 10
    second = min(int(typed), picture.seconds) if fits else picture.seconds
    at = picture.since + timedelta(seconds=second)
    standing = words_of(console_instants.standing_at(found, at)) | {"clock": f"{at.astimezone(UTC):%H:%M:%S}"}
    words = [words_of(one) for one in found]
    offsets = [int((one.at - picture.since) / MILLISECOND) for one in found]
    rows = [
        (offset, {name: word for name, word in told.items() if name != "clock"})
        for offset, told in zip(offsets, words, strict=True)
    ]
    return {
        "picture": picture,
        "standings": [_cells(told.values()) for told in words],
        "standing": {"words": standing},
        "rows": rows,
        "second": second,
    }


def _dollars(amount: Decimal) -> str:
    return f"{'−' if amount < 0 else ''}${abs(amount):,.2f}"


def _cells(values: Iterable[str]) -> Markup:
    """The cells of a row, escaped; drawn here since three hours have thousands of them."""
    return Markup("<td>") + Markup("</td><td>").join(values) + Markup("</td>")


def words_of(one: Standing) -> dict[str, str]:
    """A standing in the words of the page; the script shows the very same."""
    kept = max(0, int(one.kept.total_seconds()))
    waits = f"{kept // 60}:{kept % 60:02d} kept" if kept else "–"
    return {
        "clock": f"{one.at.astimezone(UTC):%H:%M:%S}",
        "change": one.change,
        "state": one.state,
        "paid_until": f"{one.paid_until.astimezone(UTC):%H:%M:%S}" if one.paid_until else waits,
        "minutes": str(one.minutes),
        "wallet": _dollars(one.wallet),
        "earnings": _dollars(one.earnings),
        "client": one.client,
        "reader": one.reader,
    }
