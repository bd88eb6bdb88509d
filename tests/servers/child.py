"""A server process that never outlives the process which started it.

The child runs under a small shell script that waits for the end of its standard input, a pipe
held by us. The system closes that pipe however we end (normally, interrupted, or killed), so
that no test run can leave a server behind.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

_UNTIL_STDIN_ENDS = """
exec 3<&0 </dev/null
stop=$1; shift
"$@" 3<&- & child=$!
{ read -r _ <&3; kill -"$stop" "$child" 2>/dev/null; } & guard=$!
wait "$child"; status=$?
kill "$guard" 2>/dev/null
exit "$status"
"""


class Child:
    """A running server process with its log; stops when told to, or when we end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: str = "TERM",
        user: str | None = None,
    ) -> None:
        """Start the command.

        Args:
            command: program and arguments.
            log: file that receives both of its output streams.
            stop_signal: the signal, by name, after which it ends in good order.
            user: account to run as; only root may name one.
        """
        self._log = log
        with log.open("ab") as output:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _UNTIL_STDIN_ENDS, "child", stop_signal, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                extra_groups=None if user is None else [],
            )

    @property
    def is_running(self) -> bool:
        """Say whether the process is still there."""
        return self._shell.poll() is None

    def last_words(self, characters: int = 2000) -> str:
        """Return the end of its log, for an error message."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-characters:]

    def stop(self, timeout_seconds: float = 20) -> None:
        """End the process in good order, or by force when it takes too long; repeatable."""
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        try:
            self._shell.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
