"""What every test folder may use: the real servers, started only where a test asks for one."""

import gc
import os

import structlog

pytest_plugins = ("tests.servers.fixtures",)


def pytest_collection_finish() -> None:
    """Hide what asks tests for more, once they have read it: the adapter refuses a HER2_ variable it does not know.

    Nor are 17,000 collected tests looked through for garbage again and again, which took a fifth of the time of the
    tests of passes.
    """
    os.environ.pop("HER2_PROVE", None)
    gc.freeze()


def pytest_runtest_setup() -> None:
    """Where nobody has set logging up, show tracebacks without the values in them, which take a minute to print."""
    if not structlog.is_configured():
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        shown = structlog.get_config()["processors"][:-1]
        structlog.configure(processors=[*shown, plain])
