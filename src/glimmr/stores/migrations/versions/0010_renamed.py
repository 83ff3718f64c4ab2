"""A hospital's own history; an address of several may be left by one; new hospitals and addresses are counted apart."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("address_changes") as table:
        table.alter_column("price_file_id", existing_type=sa.String(), nullable=True)
    op.add_column("price_file_hospitals", sa.Column("moved_to", sa.String(), nullable=True))
    op.add_column("price_file_hospitals", sa.Column("gave_way_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_price_file_hospitals_moved_to", "price_file_hospitals", ["moved_to"])
    op.add_column("source_answers", sa.Column("new_hospitals", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("source_answers", "new_hospitals")
    op.drop_index("ix_price_file_hospitals_moved_to", "price_file_hospitals")
    op.drop_column("price_file_hospitals", "gave_way_at")
    op.drop_column("price_file_hospitals", "moved_to")
    op.execute("DELETE FROM address_changes WHERE price_file_id IS NULL")
    with op.batch_alter_table("address_changes") as table:
        table.alter_column("price_file_id", existing_type=sa.String(), nullable=False)
