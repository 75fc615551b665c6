"""Become a command that ends with the platform: ``python launch.py PARENT PROGRAM ARGUMENT...``.

Linux kills the command when the process PARENT ends, however that ends. The standard library is enough to run this
file; it is never imported.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the command."""
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)
    # A shell starts background jobs with SIGINT ignored, which a command would inherit: it could not be cancelled.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(program, [program, *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
