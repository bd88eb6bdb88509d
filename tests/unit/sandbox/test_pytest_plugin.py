"""Protects the fixture that other people's tests use: found by itself, cheap to load, chosen by markers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from adapter.sandbox.pytest_plugin import HostileFhir
from tests.unit.sandbox.habits.page import PAGE

pytest_plugins = ["pytester"]

CLIENT = """
    import json
    import urllib.error
    import urllib.request

    import pytest

    def put(base_url, resource):
        request = urllib.request.Request(
            f"{base_url}/Patient/{resource['id']}",
            data=json.dumps(resource).encode(),
            headers={"Content-Type": "application/fhir+json"},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code

    PATIENT = {"resourceType": "Patient", "id": "a"}
"""


def test_a_server_without_habits_is_there_for_a_test_that_names_none(
    hostile_fhir: HostileFhir,
) -> None:
    assert hostile_fhir.base_url.startswith("http://127.0.0.1:")
    assert hostile_fhir.habits.on == {}
    assert (hostile_fhir.requests, hostile_fhir.writes, hostile_fhir.accesses) == (0, 0, ())


@pytest.mark.hostile_fhir(profile="hapi", habits={"late-commits": 5})
def test_a_marker_names_profile_and_habits(hostile_fhir: HostileFhir) -> None:
    assert hostile_fhir.habits.on["late-commits"] == "5"
    assert hostile_fhir.habits.on["search-cache"] == "60"
    hostile_fhir.behave()
    assert hostile_fhir.habits.on == {}


def test_loading_the_plugin_loads_no_server() -> None:
    heavy = ("starlette", "uvicorn", "sqlite3", "requests", "adapter.sandbox.server")
    code = f"""
import sys
import adapter.sandbox.pytest_plugin
print([name for name in {heavy!r} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_nearest_marker_wins_habit_by_habit(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLIENT
        + """
    pytestmark = pytest.mark.hostile_fhir(
        profile="hapi", habits={"late-commits": 5, "no-client-ids": 405}
    )

    @pytest.mark.hostile_fhir(habits={"no-client-ids": 400, "search-cache": False})
    def test_near(hostile_fhir):
        assert hostile_fhir.habits.on["late-commits"] == "5"
        assert "search-cache" not in hostile_fhir.habits.on
        assert put(hostile_fhir.base_url, PATIENT) == 400

    def test_far(hostile_fhir):
        assert put(hostile_fhir.base_url, PATIENT) == 405
"""
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=2)


def test_it_counts_logs_backs_up_and_restores(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLIENT
        + """
    def test_it(hostile_fhir):
        number = hostile_fhir.snapshot()
        assert put(hostile_fhir.base_url, PATIENT) == 201
        assert put(hostile_fhir.base_url, PATIENT) == 200
        hostile_fhir.restore(number)
        assert put(hostile_fhir.base_url, PATIENT) == 201
        assert hostile_fhir.requests == hostile_fhir.writes == 3
        assert hostile_fhir.counts["interactions"] == {"update": 3}
        assert [one.status for one in hostile_fhir.accesses] == [201, 200, 201]
        hostile_fhir.habits.switch({"rejected-writes": 1})
        assert put(hostile_fhir.base_url, PATIENT) == 422
"""
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_options_choose_for_tests_that_do_not_and_a_failure_tells_how_to_repeat_it(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
    def test_it(hostile_fhir):
        assert "search-cache" not in hostile_fhir.habits.on
""")
    ended = pytester.runpytest("--hostile-fhir-profile=hapi", "--hostile-fhir-seed=7")

    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["*profile hapi, seed 7, habits {*'search-cache': '60'*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"evil"', "*hostile_fhir takes profile=, habits= and seed= only*"),
        ('profil="evil"', "*hostile_fhir takes profile=, habits= and seed= only*"),
        ('profile="saintly"', "*there is no sandbox profile 'saintly'*"),
        ('habits={"nonsense": 1}', "*there is no habit 'nonsense'*"),
    ],
)
def test_a_marker_that_says_nonsense_is_an_error(
    pytester: pytest.Pytester, marker: str, said: str
) -> None:
    pytester.makepyfile(f"""
    import pytest

    @pytest.mark.hostile_fhir({marker})
    def test_it(hostile_fhir):
        pass
""")
    ended = pytester.runpytest()

    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines([said])


def test_the_marker_is_listed_with_what_it_takes(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.hostile_fhir(profile=*"])


CAREFUL_CLIENT = """
import http.client
import json
import urllib.request

observation = {
    "resourceType": "Observation",
    "id": "ihc",
    "status": "final",
    "code": {"text": "HER2"},
    "valueString": "2+",
}
correction = {**observation, "status": "corrected", "valueString": "3+"}

class MyClient:
    def __init__(self, base_url):
        self.address = f"{base_url}/Observation"

    def asked(self, url, resource=None):
        body = None if resource is None else json.dumps(resource).encode()
        headers = {"Content-Type": "application/fhir+json"}
        method = "GET" if resource is None else "PUT"
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def write(self, resource):
        try:
            self.asked(f"{self.address}/{resource['id']}", resource)
        except (http.client.HTTPException, OSError):
            assert self.plain(self.asked(f"{self.address}/{resource['id']}")) == resource

    def read_all(self):
        return [self.plain(entry["resource"]) for entry in self.asked(self.address)["entry"]]

    def plain(self, resource):
        return {name: value for name, value in resource.items() if name != "meta"}
"""


def test_the_example_in_the_page_runs_as_it_stands(pytester: pytest.Pytester) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    pytester.makepyfile(CAREFUL_CLIENT + example)

    pytester.runpytest().assert_outcomes(passed=1)
