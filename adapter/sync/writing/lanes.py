"""Some bundles under way at once, while the caller goes on reading and deciding.

Bounded: the caller waits when all lanes are busy and as many bundles are waiting. The first failure stops
everything that has not begun; what has begun is waited for, so that nothing is sent behind the caller's back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Lanes:
    """A context in which work is done on `count` threads; with one lane, at once by the caller."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="writer") if count > 1 else None
        self._under_way: deque[Future[object]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what has begun, and on a failure drop what has not."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=error is not None)

    def submit(self, work: Callable[[], object]) -> None:
        """Do some work; raises what earlier work raised."""
        if self._pool is None:
            work()
            return
        while len(self._under_way) >= 2 * self._count:
            self._under_way.popleft().result()
        self._under_way.append(self._pool.submit(work))

    def wait(self) -> None:
        """Wait until all work is done; raises what it raised."""
        while self._under_way:
            self._under_way.popleft().result()
