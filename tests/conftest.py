"""What every test folder may use: the real servers, started only where a test asks for one."""

pytest_plugins = ("tests.servers.fixtures",)
