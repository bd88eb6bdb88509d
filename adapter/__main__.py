"""`her2-adapter` and `python -m adapter`."""

from contextlib import suppress

from adapter.cli import main as cli


def without_core_dumps() -> None:
    """See to it that no memory image of this process is written: it would hold secrets and results."""
    with suppress(ImportError, OSError, ValueError):  # not every system has such a limit
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main() -> int:
    """Run the command line; returns the exit code."""
    without_core_dumps()
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
