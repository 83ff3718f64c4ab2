"""Hospitals are found by the words of their names. Those that are known get theirs when a source names them again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hospital_words",
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.hospital_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("word", "hospital_id", name="pk_hospital_words"),
    )
    op.create_index("ix_hospital_words_hospital_id", "hospital_words", ["hospital_id"])


def downgrade() -> None:
    op.drop_table("hospital_words")
