"""Protects the rule about missing real parts: a loud skip here, a failure where they are required.

Needs none of those parts: a suite that silently tests nothing is what this is against.
"""

from pathlib import Path

import pytest

from tests.servers.cache import download
from tests.servers.required import Announcements, MissingPartError, executable, skip_or_fail

A_SERVER = MissingPartError("a teapot", "apt install teapot")


def test_missing_part_skips_and_is_announced_with_its_remedy() -> None:
    told = Announcements()
    with pytest.raises(pytest.skip.Exception, match="a teapot is missing"), skip_or_fail({}, told):
        raise A_SERVER
    assert list(told) == ["NOT TESTED: a teapot is missing; to get it: apt install teapot"]


def test_missing_part_fails_where_real_parts_are_required() -> None:
    required = {"REQUIRE_REAL": "1"}
    with (
        pytest.raises(pytest.fail.Exception, match=r"a teapot is missing.*REQUIRE_REAL=1"),
        skip_or_fail(required, Announcements()),
    ):
        raise A_SERVER


def test_part_missing_for_many_tests_is_announced_once() -> None:
    told = Announcements()
    for _ in range(3):
        with pytest.raises(pytest.skip.Exception), skip_or_fail({}, told):
            raise A_SERVER
    assert len(list(told)) == 1


@pytest.mark.parametrize("environment", [{}, {"REQUIRE_REAL": "1"}], ids=["at-home", "required"])
def test_any_other_error_of_a_real_part_is_never_skipped(environment: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="does not start"), skip_or_fail(environment):
        raise RuntimeError("HAPI does not start")


def test_present_part_changes_nothing() -> None:
    told = Announcements()
    with skip_or_fail({"REQUIRE_REAL": "1"}, told):
        found = executable("sh", "it is everywhere")
    assert Path(found).exists()
    assert list(told) == []


def test_command_that_is_not_installed_is_a_missing_part() -> None:
    with pytest.raises(MissingPartError, match="the command no-such-teapot is missing"):
        executable("no-such-teapot", "nowhere")


def test_registry_that_cannot_be_reached_is_a_missing_part(tmp_path: Path) -> None:
    unreachable = ["sh", "-c", "echo 'cannot find the host' >&2; exit 1"]
    with pytest.raises(MissingPartError, match="cannot find the host"):
        download(unreachable, what="a package", folder=tmp_path)
