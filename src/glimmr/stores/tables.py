"""The catalog's tables: hospitals, their price files, what addresses answered, what was read in the bytes."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC on every database (SQLite keeps no time zone: it is put back when read)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a moment without a zone is refused, since nobody could say when it was."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Back in UTC: SQLite tells no zone, PostgreSQL that of its session."""
        del dialect
        return value if value is None else value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

hospitals = Table(
    "hospitals",
    metadata,
    Column("hospital_id", String, primary_key=True),
    Column("ccn", String, index=True),
    Column("name", String, nullable=False),
    Column("address", String),
    Column("city", String),
    Column("state", String, nullable=False, index=True),
    Column("zip", String),
    Column("county", String),
    Column("phone", String),
    Column("type", String),
    Column("ownership", String),
    Column("lat", Float),
    Column("lon", Float),
    Column("npis", String),
    Column("system", String),
    Column("website", String),
    Column("exempt_reason", String),
    Column("sources", JSON, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("other_names", JSON),
    Column("field_sources", JSON),  # which source said what stands in each column
    Column("domain", String, index=True),  # of its own site
)

hospital_words = Table(
    "hospital_words",  # the words of all names of a hospital, as `scan.names` folds them
    metadata,
    Column("word", String, primary_key=True),
    Column("hospital_id", ForeignKey("hospitals.hospital_id", ondelete="CASCADE"), primary_key=True, index=True),
)

price_files = Table(
    "price_files",
    metadata,
    Column("price_file_id", String, primary_key=True),
    Column("url", String, nullable=False, unique=True),
    Column("source", String, nullable=False),
    Column("page_url", String),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("outcome", String),
    Column("reason", String),
    Column("message", String),
    Column("next_try_at", UtcTime),
    Column("current_file_id", String, index=True),
    Column("etag", String),
    Column("last_modified", String),
    Column("moved_to", String, index=True),  # the address that took its place
    Column("source_bytes", BigInteger),  # how large the source says the file is
    Column("refreshed_at", UtcTime),  # when the refresh began that put it last
)

price_file_hospitals = Table(
    "price_file_hospitals",
    metadata,
    Column("price_file_id", ForeignKey("price_files.price_file_id"), primary_key=True),
    Column("hospital_id", ForeignKey("hospitals.hospital_id"), primary_key=True, index=True),
    Column("location_name", String),
    Column("source", String, nullable=False),
    Column("match_method", String),
    Column("match_score", Float),
    Column("verified_by", String),  # the snapshot whose header was asked whether the prices are this hospital's
    Column("verified_method", String),  # what of it agreed; NULL: nothing did
    Column("verified_score", Float),
    Column("moved_to", String, index=True),  # the address that took its place for this hospital; others may stay
    Column("gave_way_at", UtcTime),  # since then that address has the hospital's prices
)

sightings = Table(
    "sightings",  # which source named which address for which hospital
    metadata,
    Column("source", String, primary_key=True),
    Column("place", String, primary_key=True),
    Column("price_file_id", ForeignKey("price_files.price_file_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("hospital_id", ForeignKey("hospitals.hospital_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("location_name", String),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("gone_at", UtcTime),  # an answer that named others did not name it any more
)

source_answers = Table(
    "source_answers",  # the last answer of each source about each place
    metadata,
    Column("source", String, primary_key=True),
    Column("place", String, primary_key=True),
    Column("asked_at", UtcTime, nullable=False),
    Column("answered_at", UtcTime),  # the last time it could say
    Column("outcome", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("message", String, nullable=False),
    Column("found", Integer, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("new", Integer, nullable=False),  # addresses
    Column("new_hospitals", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False),  # addresses
    Column("updated_hospitals", Integer, nullable=False, server_default="0"),
    Column("skipped", JSON, nullable=False),  # reason → how many
    Column("tried", JSON, nullable=False),  # what was asked on the way, and what it said
)

address_changes = Table(
    "address_changes",  # the history of every address, and of the names of hospitals
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("price_file_id", String, index=True),  # NULL: it happened to the hospital itself
    Column("hospital_id", String, index=True),
    Column("at", UtcTime, nullable=False),
    Column("what", String, nullable=False),  # new, unlisted, relisted, moved, back, gone; renamed
    Column("source", String),
    Column("detail", String, nullable=False),
)

fetches = Table(
    "fetches",
    metadata,
    Column("price_file_id", ForeignKey("price_files.price_file_id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("file_id", String, index=True),
    Column("outcome", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("http_status", Integer),
    Column("etag", String),
    Column("last_modified", String),
    Column("bytes", BigInteger, nullable=False),
    Column("fetched_at", UtcTime, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("file_id", String, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("blob_key", String, nullable=False),
    Column("content_type", String),
    Column("disposition_name", String),
    Column("container", String),
    Column("format", String),
    Column("layout", String),
    Column("template_version", String),
    Column("encoding", String),
    Column("delimiter", String),
    Column("header_row", Integer),
    Column("hospital_name", String),
    Column("last_updated_on", String),
    Column("location_names", JSON),
    Column("addresses", JSON),
    Column("license_number", String),
    Column("license_state", String),
    Column("type2_npis", JSON),
    Column("attestation_confirmed", Boolean),
    Column("attester_name", String),
    Column("financial_aid_policy", String),
    Column("contract_provisions", String),
    Column("rows_in", BigInteger),
    Column("items_out", BigInteger),
    Column("charges", BigInteger),
    Column("rates", BigInteger),
    Column("rows_rejected", BigInteger),
    Column("findings_total", BigInteger),
    Column("outcome", String),
    Column("reason", String),
    Column("message", String),
    Column("parser_version", String),
    Column("parsed_at", UtcTime),
    Column("published_at", UtcTime),
    Column("bytes_removed_at", UtcTime),  # on purpose: they are not kept (stores.keeping)
    Column("ranges", JSON(none_as_null=True)),  # of a large file: what tells whether it changed (model.Ranges)
)

findings = Table(
    "findings",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("file_id", ForeignKey("snapshots.file_id"), nullable=False, index=True),
    Column("member", String),
    Column("code", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("position", String),
    Column("field", String),
    Column("value", String),
    Column("count", BigInteger, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("host", String, primary_key=True),
    Column("slots_in_use", Integer, nullable=False, default=0),
    Column("breaker", String, nullable=False, default="closed"),  # closed, open: see net.breaker
    Column("until", UtcTime),  # it rests until then
    Column("alternates", JSON),  # the other ways of asking that helped
    Column("failures", Integer, nullable=False, default=0, server_default="0"),
    Column("opened", Integer, nullable=False, default=0, server_default="0"),
    Column("failed_since", UtcTime),
    Column("crawl_seconds", Double, nullable=False, default=0.0, server_default="0"),  # these four: see model.Pace
    Column("slower_seconds", Double, nullable=False, default=0.0, server_default="0"),
    Column("robots_at", UtcTime),
    Column("next_at", UtcTime),
)

paces = Table(
    "paces",  # when what has a pace was asked latest, and will be
    metadata,
    Column("name", String, primary_key=True),
    Column("moments", JSON, nullable=False),  # in order; seconds since 1970 of the database's clock
)

host_turns = Table(
    "host_turns",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("host", String, nullable=False, index=True),
    Column("holder", String, nullable=False),  # the process that is connected to it
    Column("token", String, nullable=False, unique=True, index=True),
    Column("lease_until", Double, nullable=False),  # on the clock of stores.clock
    Column("lease_era", String, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("name", String, nullable=False),
    Column("subject", String, nullable=False),  # what it is about, where that can be several things
    Column("text", String, nullable=False),  # what was seen, newest
    Column("seen_at", UtcTime, nullable=False),  # its condition holds since then
    Column("looked_at", UtcTime, nullable=False),
    Column("fired_at", UtcTime),
    Column("cleared_at", UtcTime),
)

alert_notices = Table(
    "alert_notices",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("channel", String, nullable=False),
    Column("notice", JSON, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("try_at", UtcTime),  # of the next try; null: it was sent, or given up
    Column("sent_at", UtcTime),
    Column("fault", String),  # why the last try failed
)

OPEN = alerts.c.cleared_at.is_(None)
_DUE = alert_notices.c.try_at.is_not(None)
Index("uq_alerts_open", alerts.c.name, alerts.c.subject, unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
Index("ix_alert_notices_due", alert_notices.c.try_at, sqlite_where=_DUE, postgresql_where=_DUE)
Index("ix_price_files_state_next_try_at", price_files.c.state, price_files.c.next_try_at)
