"""What a process that another one started owes it: to end with it, and to be quiet."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from multiprocessing import parent_process
from multiprocessing.connection import wait


def behave_as_child() -> None:
    """End when the parent ends, however it ends, and keep libraries' warnings from the terminal.

    A parent that is killed cannot tell its children to stop; and the filters that it set for
    warnings are not inherited.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        logging.getLogger().setLevel(logging.ERROR)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
