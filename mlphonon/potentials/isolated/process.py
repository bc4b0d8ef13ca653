"""A worker process in another Python, and the two pipes to it."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.batches import OUT_OF_MEMORY
from mlphonon.potentials.isolated import worker
from mlphonon.potentials.isolated.spec import WorkerSpec

LOG_TAIL = 300
"""How many characters of a dead worker's output an error quotes."""


class WorkerProcess:
    """A running worker.

    Parameters
    ----------
    spec : WorkerSpec
        Where and what.
    name : str
        Of the potential, for errors.
    timeout : float
        Seconds without an answer after which it is taken to hang.

    Attributes
    ----------
    description : dict
        What the worker reports of its calculator: ``properties``, ``versions``, ``batched``.

    Raises
    ------
    PotentialError
        If it cannot be started, or is no worker.
    """

    def __init__(self, spec: WorkerSpec, name: str, timeout: float) -> None:
        self._spec, self._name, self._timeout = spec, name, timeout
        self._timed_out = False
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        try:
            # -E and -s: neither PYTHONPATH nor the user's site-packages leak into the environment.
            self.process = subprocess.Popen(
                [str(spec.python), "-E", "-s", worker.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
            )
        except OSError as error:
            self.log.close()
            raise PotentialError(
                f"cannot run {spec.python}",
                error.strerror or str(error),
                "give the folder that holds bin/python, or the interpreter",
            ) from error
        self._requests = cast(IO[bytes], self.process.stdin)
        self._answers = cast(IO[bytes], self.process.stdout)
        request = {
            "module": spec.module,
            "factory": spec.factory,
            "arguments": dict(spec.arguments),
            "packages": list(spec.packages),
        }
        try:
            self.send(request, {})
            self.description, _ = self.receive("load")
            if self.description.keys() != {"kind", *worker.DESCRIPTION}:
                raise self._no_worker("it describes no calculator")
        except BaseException:
            self.close()
            raise

    def send(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Send a request; a worker that is gone is noticed when its answer is awaited."""
        with suppress(BrokenPipeError):
            worker.write_message(self._requests, header, arrays)

    def receive(self, doing: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Wait for one message.

        Raises
        ------
        PotentialError
            If the worker reports an error, has died, answers what no worker does, or does not
            answer in time.
        """
        try:
            with self._killed_when_late():
                header, arrays = worker.read_message(self._answers)
        except EOFError:
            raise self._death(doing) from None
        except worker.MessageError as error:
            raise self._no_worker(str(error)) from None
        if header.get("kind") == "error":
            reason = str(header.get("error"))
            raise PotentialError(
                f"potential '{self._name}' could not {doing}", reason, _advice(doing, reason)
            )
        return header, arrays

    @contextmanager
    def _killed_when_late(self) -> Iterator[None]:
        def kill() -> None:
            self._timed_out = True
            self.process.kill()

        timer = threading.Timer(self._timeout, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _no_worker(self, reason: str) -> PotentialError:
        return PotentialError(
            f"{self._spec.python} does not answer potential '{self._name}' as a worker does",
            reason,
            "give the Python of an environment with ASE",
        )

    def _death(self, doing: str) -> PotentialError:
        """Return an error that says how the worker died, with the end of its output."""
        code = self.process.wait()
        if self._timed_out:
            how = f"it did not answer for {self._timeout:g} s and was ended"
        elif code == -signal.SIGKILL:
            how = "it was killed, as the system does when memory runs out"
        elif code < 0:
            how = f"it was ended by signal {-code} ({signal.Signals(-code).name})"
        else:
            how = f"it left with exit code {code}"
        self.log.seek(0)
        output = " ".join(self.log.read().decode(errors="replace").split())[-LOG_TAIL:]
        return PotentialError(
            f"the worker of potential '{self._name}' died while it was to {doing}",
            how + (f"; its output ends: {output}" if output else ""),
            "ask again for a fresh worker, with smaller structures if memory ran out",
        )

    def close(self) -> None:
        """End the process."""
        close_process(self.process, self.log)


def close_process(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """End a worker: it leaves by itself when its pipe is closed, or is made to."""
    if process.stdin is not None and process.poll() is None:
        with suppress(BrokenPipeError):  # it may have gone first
            process.stdin.close()
        try:
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
    log.close()


def _advice(doing: str, error: str) -> str:
    if OUT_OF_MEMORY.search(error):
        return "use a smaller supercell, --dtype float32 or --device cpu"
    if doing == "load":
        return "look at the module, the factory and its arguments, and at that environment"
    return "choose one that knows these elements, or look at the structure"
