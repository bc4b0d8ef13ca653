"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "first"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "calculations",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("begun", sa.Float(precision=53), nullable=False, comment="s since 1970"),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "crystals",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("spacegroup", sa.Text(), nullable=False),
        sa.Column("n_atoms", sa.Integer(), nullable=False),
        sa.Column("duplicate_of", sa.String(length=64), nullable=True),
        sa.Column("structure", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["duplicate_of"],
            ["crystals.key"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(
        "crystals_formula", "crystals", ["formula", "spacegroup", "n_atoms"], unique=False
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("crystal", sa.String(length=64), nullable=False),
        sa.Column("calculation", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column(
            "cost", sa.Float(precision=53), nullable=False, comment="atoms in all force calls"
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True, comment="s since 1970"),
        sa.Column("cause", sa.String(length=16), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("last_words", sa.Text(), nullable=True),
        sa.Column("changed", sa.Float(precision=53), nullable=False, comment="s since 1970"),
        sa.Column("seconds", sa.Float(precision=53), nullable=True, comment="s"),
        sa.ForeignKeyConstraint(
            ["calculation"],
            ["calculations.digest"],
        ),
        sa.ForeignKeyConstraint(
            ["crystal"],
            ["crystals.key"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tasks_state", "tasks", ["calculation", "state"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="B"),
        sa.ForeignKeyConstraint(
            ["task"],
            ["tasks.id"],
        ),
        sa.PrimaryKeyConstraint("task"),
    )
    op.create_table(
        "results",
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("formula", sa.Text(), nullable=True),
        sa.Column("spacegroup", sa.Text(), nullable=True),
        sa.Column("n_atoms", sa.Integer(), nullable=True),
        sa.Column("mass", sa.Float(precision=53), nullable=True, comment="amu"),
        sa.Column("volume", sa.Float(precision=53), nullable=True, comment="A^3/atom"),
        sa.Column("density", sa.Float(precision=53), nullable=True, comment="g/cm^3"),
        sa.Column("energy", sa.Float(precision=53), nullable=True, comment="eV/atom"),
        sa.Column("volume_change", sa.Float(precision=53), nullable=True),
        sa.Column("max_frequency", sa.Float(precision=53), nullable=True, comment="THz"),
        sa.Column("min_frequency", sa.Float(precision=53), nullable=True, comment="THz"),
        sa.Column("gap", sa.Float(precision=53), nullable=True, comment="THz"),
        sa.Column("imaginary_share", sa.Float(precision=53), nullable=True),
        sa.Column("stable", sa.Boolean(), nullable=True),
        sa.Column("stable_by_share", sa.Boolean(), nullable=True),
        sa.Column("zero_point_energy", sa.Float(precision=53), nullable=True, comment="kJ/mol"),
        sa.Column("debye_temperature", sa.Float(precision=53), nullable=True, comment="K"),
        sa.Column("debye_temperature_dos", sa.Float(precision=53), nullable=True, comment="K"),
        sa.Column("sound_velocity", sa.Float(precision=53), nullable=True, comment="km/s"),
        sa.Column("bulk_modulus", sa.Float(precision=53), nullable=True, comment="GPa"),
        sa.Column("shear_modulus", sa.Float(precision=53), nullable=True, comment="GPa"),
        sa.Column("group_velocity", sa.Float(precision=53), nullable=True, comment="km/s"),
        sa.Column("isotope_rate", sa.Float(precision=53), nullable=True, comment="1/ps"),
        sa.Column("residual_force", sa.Float(precision=53), nullable=True, comment="eV/A"),
        sa.Column("residual_stress", sa.Float(precision=53), nullable=True, comment="GPa"),
        sa.Column("truncation", sa.Float(precision=53), nullable=True, comment="THz"),
        sa.Column("n_atoms_supercell", sa.Integer(), nullable=True),
        sa.Column("n_displacements", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["task"],
            ["tasks.id"],
        ),
        sa.PrimaryKeyConstraint("task"),
    )
    op.create_table(
        "thermal",
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("temperature", sa.Float(precision=53), nullable=False, comment="K"),
        sa.Column("c_v", sa.Float(precision=53), nullable=True, comment="J/K/mol"),
        sa.Column("entropy", sa.Float(precision=53), nullable=True, comment="J/K/mol"),
        sa.Column("free_energy", sa.Float(precision=53), nullable=True, comment="kJ/mol"),
        sa.ForeignKeyConstraint(
            ["task"],
            ["tasks.id"],
        ),
        sa.PrimaryKeyConstraint("task", "temperature"),
    )
