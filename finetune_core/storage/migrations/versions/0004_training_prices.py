"""What services take for training, by model."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; services that are there have no such prices yet."""
    op.add_column("provider", sa.Column("training_usd_per_million", sa.JSON(), nullable=False, server_default="{}"))
