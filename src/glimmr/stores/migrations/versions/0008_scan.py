"""What sources say is remembered: who named which address, how they answered, what changed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_NEW = {
    "hospitals": {"other_names": sa.JSON(), "field_sources": sa.JSON(), "domain": sa.String()},
    "price_files": {"moved_to": sa.String()},
    "price_file_hospitals": {
        "verified_by": sa.String(),
        "verified_method": sa.String(),
        "verified_score": sa.Float(),
    },
}


def upgrade() -> None:
    for table, columns in _NEW.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_hospitals_domain", "hospitals", ["domain"])
    op.create_index("ix_price_files_moved_to", "price_files", ["moved_to"])
    op.create_table(
        "sightings",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("price_file_id", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.String(), nullable=False),
        sa.Column("location_name", sa.String(), nullable=True),
        sa.Column("first_seen", _TIME, nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.Column("gone_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["price_file_id"], ["price_files.price_file_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.hospital_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source", "place", "price_file_id", "hospital_id", name="pk_sightings"),
    )
    op.create_index("ix_sightings_price_file_id", "sightings", ["price_file_id"])
    op.create_index("ix_sightings_hospital_id", "sightings", ["hospital_id"])
    op.create_table(
        "source_answers",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("found", "listed", "new", "updated")),
        sa.Column("skipped", sa.JSON(), nullable=False),
        sa.Column("tried", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", "place", name="pk_source_answers"),
    )
    op.create_table(
        "address_changes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("price_file_id", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.String(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_address_changes"),
    )
    op.create_index("ix_address_changes_price_file_id", "address_changes", ["price_file_id"])
    op.create_index("ix_address_changes_hospital_id", "address_changes", ["hospital_id"])


def downgrade() -> None:
    for table in ("address_changes", "source_answers", "sightings"):
        op.drop_table(table)
    op.drop_index("ix_price_files_moved_to", "price_files")
    op.drop_index("ix_hospitals_domain", "hospitals")
    for table, columns in _NEW.items():
        for name in columns:
            op.drop_column(table, name)
