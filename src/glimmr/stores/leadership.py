"""Which of a fleet's workers does what one alone should do: a lock of the database's that a frozen holder loses."""

import logging
import time

from sqlalchemy import Connection, exc, text

from glimmr.stores.database import Database

_LOCK = 7166453
_PING_SECONDS = 1.0
_SILENCE_SECONDS = 6
_TRY_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class Leadership:
    """A session's advisory lock on PostgreSQL (14 or newer); on SQLite everybody leads, since there is but one.

    The server ends the session of a leader that says nothing for 6 s (`idle_session_timeout`), so that a process that
    is frozen, or whose machine is gone, leads no longer. Leading twice for a moment is harmless: it saves work, and the
    fences keep it right. Not for a pool between us and the server that shares sessions (PgBouncer by transaction).
    For one thread at a time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None
        self._asked_at = float("-inf")

    def known(self) -> bool | None:
        """Whether this worker leads, without asking anybody; None when it is time to ask (`is_mine`)."""
        if self._database.is_sqlite:
            return True
        valid_seconds = _PING_SECONDS if self._session is not None else _TRY_SECONDS
        return self._session is not None if time.monotonic() - self._asked_at < valid_seconds else None

    def is_mine(self) -> bool:
        """Whether this worker leads now; tries to, when nobody else does. False while the database does not answer."""
        if (known := self.known()) is not None:
            return known
        self._asked_at = time.monotonic()
        try:
            if self._session is None:
                self._session = self._try()
            else:
                self._session.execute(text("SELECT 1"))  # an answer proves that the session, and so the lock, lives
        except exc.SQLAlchemyError as error:
            _LOG.info("not leading (any more): %s", error)
            self.let_go()
        return self._session is not None

    def let_go(self) -> None:
        """Lead no longer; another may at once."""
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()  # closes it: the lock must not go back to the pool
            session.close()

    def _try(self) -> Connection | None:
        session = self._database.own_connection()
        try:
            if session.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})")).scalar():
                session.execute(text(f"SET idle_session_timeout = '{_SILENCE_SECONDS}s'"))
                return session
        except BaseException:
            session.invalidate()
            session.close()
            raise
        session.close()
        return None
