"""Phonons at a temperature."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "third"
down_revision = "second"


def upgrade() -> None:
    """Add their table."""
    number = sa.Float(precision=53)
    op.create_table(
        "at_temperature",
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("temperature", number, nullable=False, comment="K"),
        sa.Column("max_frequency", number, nullable=True, comment="THz"),
        sa.Column("min_frequency", number, nullable=True, comment="THz"),
        sa.Column("stable", sa.Boolean(), nullable=True),
        sa.Column("frequency_error", number, nullable=True, comment="THz"),
        sa.Column("c_v", number, nullable=True, comment="J/K/mol"),
        sa.Column("entropy", number, nullable=True, comment="J/K/mol"),
        sa.Column("free_energy", number, nullable=True, comment="kJ/mol"),
        sa.Column("volume", number, nullable=True, comment="A^3/atom"),
        sa.Column("n_snapshots", sa.Integer(), nullable=True),
        sa.Column("converged", sa.Boolean(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("task", "method", "temperature"),
    )
