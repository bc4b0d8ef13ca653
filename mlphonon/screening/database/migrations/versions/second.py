"""Results say how far to believe them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "second"
down_revision = "first"


def upgrade() -> None:
    """Add columns, empty for results that are there."""
    for column in (
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("doubts", sa.Text(), nullable=True),
        sa.Column("numerical_error", sa.Float(precision=53), nullable=True, comment="THz"),
        sa.Column("expected_error", sa.Float(precision=53), nullable=True, comment="THz"),
    ):
        op.add_column("results", column)
