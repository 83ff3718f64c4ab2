"""The ledger's tables: jobs, attempts, steps, workers (PRICE_TABLE.md section 2), and what was repaired."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    literal_column,
)

from glimmr.stores.tables import UtcTime

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})

_ID = BigInteger().with_variant(Integer, "sqlite")

jobs = Table(
    "jobs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("step", String, nullable=False),
    Column("key", String, nullable=False),
    Column("args", JSON, nullable=False),
    Column("host", String),
    Column("state", String, nullable=False),  # ready, running, done, dead, cancelled
    Column("priority", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),  # the attempt the next or present run is: 1 + failures
    Column("stalls", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),  # runs so far; the fence
    Column("owner", String),
    Column("lease_until", Double),  # on the clock of stores.clock
    Column("lease_era", String),
    Column("run_at", UtcTime, nullable=False),
    Column("progress", JSON),
    Column("cancel_requested", Boolean, nullable=False),
    Column("outcome", String),
    Column("reason", String),
    Column("message", String),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    sqlite_autoincrement=True,  # an id is never used again, so that (id, epoch) names one run for ever
)

# Literals, not parameters: SQLite uses a partial index only where the statement's text implies its condition.
READY = jobs.c.state == literal_column("'ready'")
RUNNING = jobs.c.state == literal_column("'running'")
LIVE = jobs.c.state.in_([literal_column("'ready'"), literal_column("'running'")])

Index("uq_jobs_live_key", jobs.c.key, unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
Index(
    "ix_jobs_ready",
    jobs.c.step,
    jobs.c.priority.desc(),
    jobs.c.attempt,
    jobs.c.run_at,
    jobs.c.id,
    sqlite_where=READY,
    postgresql_where=READY,
)
Index("ix_jobs_due", jobs.c.run_at, sqlite_where=READY, postgresql_where=READY)
Index("ix_jobs_running", jobs.c.owner, jobs.c.host, sqlite_where=RUNNING, postgresql_where=RUNNING)
_TO_CANCEL = READY & jobs.c.cancel_requested
Index("ix_jobs_to_cancel", jobs.c.id, sqlite_where=_TO_CANCEL, postgresql_where=_TO_CANCEL)
ENDED = jobs.c.state.in_([literal_column(f"'{state}'") for state in ("done", "dead", "cancelled")])
Index("ix_jobs_ended", jobs.c.outcome, jobs.c.finished_at, sqlite_where=ENDED, postgresql_where=ENDED)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),  # the epoch of the run
    Column("worker", String, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime, nullable=False),
    Column("ended_as", String, nullable=False),  # an outcome, or retry, rescued, handed_back
    Column("reason", String, nullable=False),
    Column("message", String, nullable=False),
    Column("traceback", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("step", String, primary_key=True),
    Column("paused", Boolean, nullable=False),
    Column("slots", Integer),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("beat_at", UtcTime, nullable=False),
    Column("slots", JSON),  # how many jobs of each step it runs at a time
)

repairs = Table(
    "repairs",
    metadata,
    Column("name", String, primary_key=True),  # of the invariant that was broken
    Column("repaired", BigInteger, nullable=False),  # how often, since the database was made
    Column("last_at", UtcTime, nullable=False),
)
