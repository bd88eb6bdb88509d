"""The service that is measured: `python -m benchmarks.derive_server CORE` answers until its standard input ends.

It is the whole of `run --http` but for the passes: there is no FHIR server to read, so none is begun.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from threading import Event

from adapter.bootstrap import open_adapter
from adapter.logs import configure
from adapter.service import Service
from adapter.settings import load_settings

PATH = "/fhir/$her2-derive"


@contextmanager
def service() -> Iterator[Service]:
    """Put a service together, on a free port of loopback once it answers."""
    with TemporaryDirectory(prefix="her2-benchmark-") as folder:
        given = {
            "source.url": "http://127.0.0.1:9/fhir",  # nobody asks it anything
            "store.url": f"sqlite:///{folder}/state.sqlite",
            "http.address": "127.0.0.1:0",
        }
        stop = Event()
        with open_adapter(load_settings(None, given), stop) as adapter:
            yield Service(adapter, stop)


@contextmanager
def derive_function() -> Iterator[Callable[[bytes], bytes]]:
    """Give what answers a Bundle, without HTTP."""
    with service() as made:
        yield lambda body: made.derived(body, complete=None).content


def main() -> None:
    """Answer on one core, and tell where and how large a Bundle may be."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    configure("console", "error")
    with service() as made, made.answering() as http:
        host, port = http.address
        megabytes = made.settings.http.derive_megabytes
        print(f"http://{host}:{port}{PATH} {megabytes}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
