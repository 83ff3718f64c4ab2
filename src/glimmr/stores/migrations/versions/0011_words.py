"""Hospitals are found by the words of their names; updated hospitals and addresses are counted apart.

Hospitals that are known get their words when a source lists them again.
"""

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
    op.add_column("source_answers", sa.Column("updated_hospitals", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("source_answers", "updated_hospitals")
    op.drop_table("hospital_words")
