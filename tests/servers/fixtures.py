"""Real servers as fixtures: a missing one skips its tests with one loud line, or fails them.

The servers are shared by the whole session. Give each test patients of its own; a test that has to
own the whole server takes `empty_hapi` or `empty_medplum`.
"""

from collections.abc import Iterator

import pytest

from tests.servers import hapi as hapi_server
from tests.servers import mcode, postgres, synthea
from tests.servers import medplum as medplum_server
from tests.servers import toxiproxy as toxiproxy_server
from tests.servers.required import announcements, skip_or_fail


@pytest.fixture(scope="session")
def hapi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hapi_server.HapiServer]:
    """A HAPI FHIR JPA server with H2 in memory."""
    with skip_or_fail(), hapi_server.running(folder=tmp_path_factory.mktemp("hapi")) as server:
        yield server


@pytest.fixture
def empty_hapi(hapi: hapi_server.HapiServer) -> hapi_server.HapiServer:
    """The same server, with everything that other tests left on it removed."""
    hapi.empty()
    return hapi


@pytest.fixture(scope="session")
def _calling_hapi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hapi_server.HapiServer]:
    folder = tmp_path_factory.mktemp("calling-hapi")
    with skip_or_fail(), hapi_server.running(folder=folder, rest_hooks=True) as server:
        yield server


@pytest.fixture
def calling_hapi(_calling_hapi: hapi_server.HapiServer) -> hapi_server.HapiServer:
    """A HAPI that calls the endpoints of REST-hook Subscriptions, with nothing on it."""
    _calling_hapi.empty()
    return _calling_hapi


@pytest.fixture(scope="session")
def medplum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[medplum_server.MedplumServer]:
    """Medplum's FHIR router over its in-memory repository."""
    folder = tmp_path_factory.mktemp("medplum")
    with skip_or_fail(), medplum_server.running(folder=folder) as server:
        yield server


@pytest.fixture(scope="session")
def toxiproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[toxiproxy_server.Toxiproxy]:
    """Toxiproxy, which disturbs TCP connections."""
    folder = tmp_path_factory.mktemp("toxiproxy")
    with skip_or_fail(), toxiproxy_server.running(folder=folder) as proxy:
        yield proxy


@pytest.fixture
def empty_medplum(medplum: medplum_server.MedplumServer) -> medplum_server.MedplumServer:
    """The same server, with everything that other tests left on it removed."""
    medplum.empty()
    return medplum


@pytest.fixture
def mcode_on_hapi(hapi: hapi_server.HapiServer) -> str:
    """The URL of mCODE's tumor-marker-test, which is on the server with all that it needs."""
    with skip_or_fail():
        if not mcode.is_on(hapi.base_url):
            mcode.put_onto(hapi.base_url)
    return mcode.TUMOR_MARKER_TEST


@pytest.fixture(scope="module")
def synthea_patients(hapi: hapi_server.HapiServer) -> list[synthea.LoadedPatient]:
    """Women with HER2 results from Synthea, loaded into HAPI for this module."""
    with skip_or_fail():
        return synthea.load_into(hapi.base_url)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """A PostgreSQL server; `new_database()` gives a test one of its own."""
    with skip_or_fail(), postgres.running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Postgres) -> str:
    """A SQLAlchemy URL of an empty PostgreSQL database."""
    return postgres_server.new_database().sqlalchemy_url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each missing part, where nobody overlooks it, what was not tested."""
    for line in announcements:
        terminalreporter.write_line(line, red=True, bold=True)
