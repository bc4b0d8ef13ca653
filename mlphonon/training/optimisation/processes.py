"""A training run in one process or in several that share each step."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from mlphonon.errors import MlphononError, TrainingError
from mlphonon.potentials.loading import resolve_device
from mlphonon.system.child_process import behave_as_child
from mlphonon.training.optimisation.settings import OptimisationSettings
from mlphonon.training.optimisation.trainer import Say, Trainer, TrainingJob

LOOPBACK = ("lo", "lo0")
"""Names of the network interface that does not leave the machine, on Linux and macOS."""

PATIENCE = datetime.timedelta(hours=2)
"""How long processes wait for one another: the first one judges while the others wait."""


@dataclass(frozen=True)
class SharedRun:
    """What each of several processes is told; can be pickled.

    Attributes
    ----------
    make_job : callable
        Makes the job, in every process.
    processes : int
        How many there are.
    folder : Path
        Of the run.
    device : str
        ``"cpu"`` or ``"cuda"``.
    say : callable
        Is told a line at each report.
    scratch : Path
        A folder of this run alone, by which the processes find each other.
    """

    make_job: Callable[[], TrainingJob]
    processes: int
    folder: Path
    device: str
    say: Say
    scratch: Path

    @property
    def error_file(self) -> Path:
        """Where a process leaves the line that the user is to read."""
        return self.scratch / "error"


def run_job(
    make_job: Callable[[], TrainingJob],
    settings: OptimisationSettings,
    folder: Path,
    say: Say = print,
) -> None:
    """Train in as many processes as the settings say, each with a job of its own.

    Parameters
    ----------
    make_job : callable
        Can be pickled; called in every process.
    settings : OptimisationSettings
        The job's.
    folder : Path
        Receives everything; made if it is not there. A run that was stopped there is resumed.
    say : callable
        Is told a line at each report; can be pickled.

    Raises
    ------
    TrainingError
        If a process cannot begin, or is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = resolve_device(settings.device)
    if settings.processes == 1:
        Trainer(make_job(), folder, device=device, say=say).run()
        return
    # Only this user may enter it, so nobody else can join the processes.
    scratch = Path(tempfile.mkdtemp(prefix="mlphonon-training-"))
    run = SharedRun(make_job, settings.processes, folder, device, say, scratch)
    try:
        torch.multiprocessing.spawn(_process, args=(run,), nprocs=run.processes)
    except torch.multiprocessing.ProcessExitedException as error:
        if run.error_file.exists():
            raise TrainingError(run.error_file.read_text()) from error
        raise TrainingError(
            "a training process was killed",
            str(error),
            "give it more memory or smaller batches (edges_per_batch); the same command resumes",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def join_processes(scratch: Path, rank: int, processes: int, backend: str = "gloo") -> None:
    """Let one of several processes on this machine find the others.

    They meet by a file, not at a port: a store that listens would be open to the network. What
    they exchange goes through the loopback interface.

    Parameters
    ----------
    scratch : Path
        A folder that only this user may enter.
    rank, processes : int
        Which process this is, and of how many.
    backend : {"gloo", "nccl"}
        For CPUs and GPUs.
    """
    present = {name for _, name in socket.if_nameindex()}
    if inside := next((name for name in LOOPBACK if name in present), None):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", inside)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", inside)
    dist.init_process_group(
        backend,
        init_method=(scratch / "rendezvous").as_uri(),
        rank=rank,
        world_size=processes,
        timeout=PATIENCE,
    )


def _process(rank: int, run: SharedRun) -> None:
    """Body of one of several training processes."""
    behave_as_child()
    on_gpu = torch.device(run.device).type == "cuda"
    device = run.device
    if on_gpu:
        device = f"cuda:{rank % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    else:
        # One thread each: two one-thread processes do 1.36 times the work of one with two threads.
        torch.set_num_threads(1)
    join_processes(run.scratch, rank, run.processes, "nccl" if on_gpu else "gloo")
    try:
        Trainer(run.make_job(), run.folder, rank, device, run.say).run()
    except MlphononError as error:
        # What a user can mend is told in one line by the process that the user started.
        run.error_file.write_text(str(error))
        os._exit(2)
    dist.destroy_process_group()
