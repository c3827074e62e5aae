"""The database session and ``transaction()``: the only place that commits."""

import select
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import psycopg
import structlog
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Executable, MetaData, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from soulseer.domain.errors import SoulSeerError
from soulseer.domain.money import from_cents, to_cents

log = structlog.get_logger(__name__)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class Money(TypeDecorator[Decimal]):
    """Dollars (Decimal, two decimals) in Python, whole cents (bigint) in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else to_cents(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_cents(value)


def check_connection(connection: Any, *_: Any) -> None:
    """Pool event "checkout": replace a connection that the server has closed since its last use.

    The pool's own pre-ping asks the server before every request. A connection that was closed, or that has anything to
    say, is readable: looking costs two microseconds, and only then the server is asked. Raises InvalidatePoolError,
    upon which the pool connects anew.
    """
    try:
        look = select.poll()
        look.register(connection.fileno(), select.POLLIN)
        if look.poll(0):
            connection.autocommit = True
            connection.execute("SELECT 1")
            connection.autocommit = False
    except psycopg.OperationalError as error:
        raise InvalidatePoolError from error


# Whether this thread answers a request: see ``read_singly``.
_singly: ContextVar[bool] = ContextVar("singly", default=False)


def read_singly() -> None:
    """From here on, what is read outside ``transaction()`` is read by statements on their own: for the start of a request.

    A page's few reads need no BEGIN and no ROLLBACK, and a ROLLBACK makes the driver forget its prepared statements, so
    that PostgreSQL would plan each of them anew for every page. Nothing can be written that way: single statements are
    read-only (``READ_ONLY_STATEMENTS``), transactions say otherwise themselves.
    """
    _singly.set(True)


def read_together() -> None:
    """Back to one transaction for all that is read: for the end of a request."""
    _singly.set(False)
    if db.session.registry.has() and db.session.info.pop("singly", False):
        db.session.rollback()


class Read:
    """A read that is built once and run by the driver itself, on the session's own connection.

    What SQLAlchemy does anew for each execution takes twice as long as a page's usual answer; the statement, its bound
    values and the types of its columns are the same. Where somebody listens to statements (a test that counts them, a
    tracer), it goes through SQLAlchemy like any other.
    """

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._ready: _Ready | None = None

    def rows(self, values: Mapping[str, Any]) -> list[Any]:
        """All rows, as named tuples. Raises SQLAlchemy's errors, as ``db.session.execute`` does."""
        session = db.session
        connection = session.connection()
        if connection._has_events or connection.engine._has_events:
            return list(session.execute(self.statement, values))
        if session.info.get("open"):
            session.flush()
        ready = self._ready or self._prepare(connection.dialect)
        fairy = connection.connection
        cursor = fairy.info.get("reads")
        if cursor is None:
            cursor = fairy.info["reads"] = fairy.driver_connection.cursor()  # type: ignore[union-attr]
        try:
            found = cursor.execute(ready.text, ready.bound(values)).fetchall()
        except psycopg.Error as error:
            dialect = connection.dialect
            lost = dialect.is_disconnect(error, fairy.driver_connection, cursor)  # type: ignore[arg-type]
            if lost:
                connection.invalidate(error)
            raise DBAPIError.instance(
                ready.text, None, error, psycopg.Error, True, connection_invalidated=lost, dialect=dialect
            ) from error
        if not found:
            return []
        row = ready.row or ready.shaped(cursor.description)
        if not ready.converters:
            return list(map(row._make, found))
        made = []
        for values_found in found:
            changed = list(values_found)
            for place, convert in ready.converters:
                changed[place] = convert(changed[place])
            made.append(row._make(changed))
        return made

    def first(self, values: Mapping[str, Any]) -> Any | None:
        """The first row, None where there is none."""
        found = self.rows(values)
        return found[0] if found else None

    def scalar(self, values: Mapping[str, Any]) -> Any | None:
        """The first column of the first row, None where there is none."""
        found = self.rows(values)
        return found[0][0] if found else None

    def _prepare(self, dialect: Dialect) -> "_Ready":
        compiled = self.statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        if compiled.post_compile_params or compiled.literal_execute_params or compiled.escaped_bind_names:
            raise TypeError("a statement whose text depends on its values cannot be built once")
        self._ready = _Ready(compiled, dialect)
        return self._ready


class _Ready:
    """A compiled statement: its text, the values it always has, and how values go in and come out."""

    def __init__(self, compiled: Any, dialect: Dialect) -> None:
        self.text = str(compiled)
        self.fixed = {
            name: bind.effective_value for bind, name in compiled.bind_names.items() if not bind.required
        }
        self.binders = tuple(compiled._bind_processors.items())
        self.types = [column.type.dialect_impl(dialect) for column in compiled._result_columns]
        self.dialect = dialect
        self.converters: tuple[tuple[int, Callable[[Any], Any]], ...] = ()
        self.row: Any = None

    def bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {**self.fixed, **values}
        for name, bind in self.binders:
            found[name] = bind(found[name])
        return found

    def shaped(self, description: Any) -> Any:
        """The class of its rows, known from the first answer."""
        found = [
            (place, type_.result_processor(self.dialect, description[place].type_code))
            for place, type_ in enumerate(self.types)
        ]
        self.converters = tuple((place, convert) for place, convert in found if convert is not None)
        self.row = namedtuple("Row", [column.name for column in description])  # type: ignore[misc]
        return self.row


READ_ONLY_STATEMENTS = "-c default_transaction_read_only=on"


def write_in_transactions(connection: Any, *_: Any) -> None:
    """Pool event "connect": every transaction begins as READ WRITE, whatever the default of single statements."""
    connection.read_only = False


def back_to_transactions(connection: Any, *_: Any) -> None:
    """Pool event "checkin": the next one begins with a connection as new."""
    if connection is not None and not connection.closed and connection.autocommit:
        connection.autocommit = False


@event.listens_for(db.session, "after_begin")
def _begin(session: Session, _transaction: Any, connection: Connection) -> None:
    if _singly.get() and not session.info.get("open"):
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        session.info["singly"] = True


class NestedTransaction(RuntimeError):
    """A second ``transaction()`` was opened inside one: services must not open their own."""


def in_transaction() -> bool:
    """Whether a ``transaction()`` is open in this thread's session."""
    return bool(db.session.info.get("open"))


def has_written() -> bool:
    """Whether this thread's session has opened a ``transaction()``: what was read before it may be old."""
    return "open" in db.session.info


@contextmanager
def transaction() -> Iterator[Any]:
    """Open the one transaction of a request, a job's batch, a vendor's intent or its outcome.

    Commits at the end, rolls back on any exception and raises it again. An error whose ``keeps_changes`` is true
    (see ``SoulSeerError``) commits and is raised. After the commit, the registered hooks run in order.
    """
    session = db.session
    if in_transaction():
        raise NestedTransaction
    # What was read before must not be served from memory: start from a fresh snapshot.
    session.rollback()
    session.expire_all()
    session.info["open"] = True
    session.info["hooks"] = []
    refusal: SoulSeerError | None = None
    try:
        try:
            yield session
        except SoulSeerError as error:
            if not error.keeps_changes:
                raise
            refusal = error
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["open"] = False
        hooks: list[Callable[[], None]] = session.info.pop("hooks", [])
    run_hooks(hooks)
    if refusal is not None:
        raise refusal


def after_commit(hook: Callable[[], None]) -> None:
    """Have ``hook`` run once this transaction has committed; never if it rolls back."""
    if not in_transaction():
        raise RuntimeError("after_commit() needs an open transaction()")
    db.session.info["hooks"].append(hook)


def run_hooks(hooks: list[Callable[[], None]]) -> None:
    """Run hooks; one that fails is logged, since what it would have hastened is due in the database anyway."""
    for hook in hooks:
        try:
            hook()
        except Exception:
            log.exception("after_commit_hook_failed", hook=getattr(hook, "__qualname__", repr(hook)))
