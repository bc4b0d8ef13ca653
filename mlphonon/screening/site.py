"""Where a campaign runs: how many workers, on what, and how long one crystal may take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mlphonon.errors import SettingsError, shortened
from mlphonon.io.plain_yaml import read_settings_file

COUNTS = ("nodes_per_block", "init_blocks", "min_blocks", "max_blocks")
"""Options of Parsl's providers that say how many."""

MOST_WORKERS = 1024
"""Of one machine."""


class ParslSettings(BaseModel):
    """A cluster, as Parsl knows it.

    Attributes
    ----------
    provider : str
        ``local``, ``slurm``, ``pbs``, ``torque``, ``lsf``, ``grid-engine`` or ``kubernetes``.
    options : dict
        Arguments of Parsl's provider, such as ``partition``, ``account``, ``nodes_per_block``,
        ``max_blocks``, ``walltime``, ``scheduler_options``, ``worker_init``.
    accelerators : int or list of str
        GPUs of a node; each worker gets one of its own.
    address : str, optional
        Of this machine, as the nodes see it; Parsl finds out otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["local", "slurm", "pbs", "torque", "lsf", "grid-engine", "kubernetes"]
    options: dict[str, Any] = Field(default_factory=dict)
    accelerators: Annotated[int, Field(ge=0)] | list[str] = 0
    address: str | None = None

    @field_validator("options")
    @classmethod
    def _counts_are_numbers(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name in COUNTS:
            value = options.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} is a number, not {str(value)[:80]}")
        return options

    @property
    def nodes(self) -> int:
        """Nodes of all blocks that may run, one at least."""
        blocks, each = (self.options.get(name, 1) for name in ("max_blocks", "nodes_per_block"))
        return max(1, blocks * each)


class Site(BaseModel):
    """Where and how a campaign runs; of no influence on its numbers.

    Attributes
    ----------
    workers : int
        Processes; on a cluster, those of one node.
    threads : int, optional
        Of each worker; an even share of the cores by default.
    device : str
        Of the potential: ``auto``, ``cpu`` or ``cuda``.
    seconds, gigabytes : float, optional
        Limits of one crystal.
    crashes : int
        How many times the process may end under a crystal before it is set aside.
    together : int
        Crystals that a worker computes at once, so that their structures share batches; for GPUs.
    lease : float
        Seconds after which another run may take over what this one does not renew.
    cheapest_first : bool
        Compute the cheapest crystals first, to have many soon. The costliest come first otherwise,
        so that at the end no worker is alone with a long one.
    keep_phonons : bool
        Keep each crystal's phonons, not only its numbers.
    parsl : ParslSettings, optional
        A cluster; this machine by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    workers: int = Field(default=1, ge=1, le=MOST_WORKERS)
    threads: int | None = Field(default=None, ge=1, le=MOST_WORKERS)
    device: str = "auto"
    seconds: float | None = Field(default=None, gt=0)
    gigabytes: float | None = Field(default=None, gt=0)
    crashes: int = Field(default=3, ge=1)
    together: int = Field(default=1, ge=1, le=MOST_WORKERS)
    lease: float = Field(default=120.0, ge=1)
    cheapest_first: bool = False
    keep_phonons: bool = True
    parsl: ParslSettings | None = None

    @property
    def capacity(self) -> int:
        """Workers of all nodes, when all jobs that may run do run."""
        return self.workers * (1 if self.parsl is None else self.parsl.nodes)

    @classmethod
    def read(cls, path: str | Path, **changes: Any) -> Site:
        """Read a YAML file; `changes` go before what it says.

        Raises
        ------
        SettingsError
            If it cannot be read or says something that cannot be.
        """
        return make_site({**read_settings_file(Path(path)), **changes}, str(path))


def make_site(values: dict[str, Any], where: str = "") -> Site:
    """Check what describes a site.

    Raises
    ------
    SettingsError
        If a name is unknown or a value cannot be; one line that names it.
    """
    try:
        return Site.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        given = shortened(repr(first["input"]), 80)
        raise SettingsError(
            f"{where + ': ' if where else ''}'{name}' cannot be {given}",
            first["msg"].removeprefix("Value error, "),
            f"a site is described by {', '.join(Site.model_fields)}",
        ) from error
