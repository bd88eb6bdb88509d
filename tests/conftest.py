"""What every test folder may use: the real servers, started only where a test asks for one."""

import os

pytest_plugins = ("tests.servers.fixtures",)


def pytest_collection_finish() -> None:
    """Hide what asks tests for more, once they have read it: the adapter refuses a HER2_ variable it does not know."""
    os.environ.pop("HER2_PROVE", None)
