"""`classify`: what goes in, what comes out, and what is told of broken input; its lines keep their form."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adapter.cli.printing import neutral
from tests.cli.conftest import FIXTURES, ROOT, Run

CASES = sorted(path.parent.name for path in FIXTURES.glob("*/input.json"))
SCHEMA = json.loads((ROOT / "docs/schemas/classify-line.schema.json").read_text("utf-8"))
URN = "urn:uuid:5f7a1c3e-0000-4000-8000-00000000000"


def bundle(*resources: dict[str, Any], full_urls: tuple[str, ...] = ()) -> str:
    entries: list[dict[str, Any]] = [{"resource": resource} for resource in resources]
    for entry, url in zip(entries, full_urls, strict=False):
        entry["fullUrl"] = url
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def ihc(score: str = "1+", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "ihc",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85319-2"}]},
        "subject": {"reference": "Patient/1"},
        "valueString": score,
        **more,
    }


@pytest.mark.parametrize("name", CASES)
def test_each_example_gives_what_its_folder_expects(run: Run, name: str) -> None:
    folder = FIXTURES / name
    ended = run("classify", "-o", "json", folder / "input.json")

    assert ended.code == 0
    assert json.loads(ended.out) == json.loads((folder / "expected.json").read_text("utf-8"))
    assert (folder / "why.md").read_text("utf-8").strip()


def test_every_line_is_as_the_schema_says(run: Run) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    ended = run("classify", *(FIXTURES / name / "input.json" for name in CASES))

    assert {line["kind"] for line in ended.lines} == {"case", "set-aside"}
    for line in ended.lines:
        jsonschema.validate(line, SCHEMA)


def test_the_schema_refuses_another_line() -> None:
    line = {"kind": "set-aside", "observation": "Observation/1", "subject": None, "outcome": "lost"}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA)


def test_references_by_full_url_are_followed(run: Run) -> None:
    patient = {"resourceType": "Patient"}
    specimen = {"resourceType": "Specimen", "subject": {"reference": f"{URN}1"}}
    result = ihc("2+", subject={"reference": f"{URN}1"}, specimen={"reference": f"{URN}2"})
    del result["id"]
    ended = run(
        "classify",
        text=bundle(patient, specimen, result, full_urls=(f"{URN}1", f"{URN}2", f"{URN}3")),
    )

    [line] = ended.lines
    name = URN.removeprefix("urn:uuid:")
    assert (line["subject"], line["specimen"]) == (f"Patient/{name}1", f"Specimen/{name}2")
    assert line["category"] == "equivocal"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ihc()),
        bundle(ihc()),
        json.dumps([ihc()]),
        json.dumps(ihc()) + "\n",
        json.dumps({"resourceType": "Patient", "id": "1"}) + "\n\n" + json.dumps(ihc()),
        json.dumps(ihc(), indent=2),
        json.dumps([json.loads(bundle(ihc()))]),
        bundle(ihc()).replace('"entry": [', '"entry": [\n'),
    ],
    ids=[
        "resource",
        "bundle",
        "array",
        "one-line",
        "ndjson",
        "indented",
        "array-of-bundles",
        "an-entry-a-line",
    ],
)
def test_every_form_of_input_is_read(run: Run, text: str) -> None:
    ended = run("classify", "-", text=text)

    assert ended.code == 0
    assert [line["category"] for line in ended.lines] == ["low"]


def test_several_files_are_read_as_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ihc("2+", specimen={"reference": "Specimen/1"})))
    fish = ihc("not amplified", id="fish", specimen={"reference": "Specimen/1"})
    fish["code"]["coding"][0]["code"] = "85318-4"
    (tmp_path / "b.json").write_text(json.dumps(fish))
    ended = run("classify", "a.json", "b.json")

    assert [line["category"] for line in ended.lines] == ["low"]
    assert ended.lines[0]["sources"] == ["Observation/fish", "Observation/ihc"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "stdin: the input is empty"),
        ("hello", "stdin: not JSON at line 1"),
        ("{}", "stdin: no resourceType"),
        ('{"a": 1}\n{"b": 2}\n', "stdin, line 1: no resourceType"),
        ("[1, 2]", "stdin, item 1: no resourceType"),
        ('{"resourceType": "Observation", "resourceType": "Patient"}', "same key twice"),
        (json.dumps(ihc(), indent=2)[:-3], "stdin: not JSON at line"),
    ],
    ids=["empty", "text", "object", "lines", "array", "key-twice", "cut-off"],
)
def test_what_is_no_fhir_at_all_ends_in_2(run: Run, text: str, told: str) -> None:
    ended = run("classify", text=text)

    assert ended.code == 2
    assert told in ended.err
    assert ended.out == ""


def test_a_broken_line_is_named_and_the_rest_is_read(run: Run) -> None:
    text = f'{json.dumps(ihc())}\n{{"resourceType": "Observation", "id": NaN}}\n'
    ended = run("classify", text=text)

    assert ended.code == 0
    assert "stdin, line 2: NaN and Infinity are not JSON" in ended.err
    assert "1 part of the input could not be read" in ended.err
    assert len(ended.lines) == 1


def test_a_broken_entry_is_named_and_the_rest_is_read(run: Run) -> None:
    broken = json.loads(bundle(ihc(), {"id": "nameless"}))
    broken["entry"] += [{"resource": "text"}, 7, {"resource": json.loads(bundle({"id": "inner"}))}]
    ended = run("classify", text=json.dumps(broken))

    assert ended.code == 0
    assert "stdin, entry 2 (?/nameless): no resourceType" in ended.err
    assert "stdin, entry 3: its resource is no JSON object" in ended.err
    assert "stdin, entry 4: no JSON object" in ended.err
    assert "stdin, entry 5, entry 1 (?/inner): no resourceType" in ended.err
    assert len(ended.lines) == 1


def test_one_file_of_several_that_is_no_fhir_does_not_stop_the_others(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_text(json.dumps(ihc()))
    ended = run("classify", "missing.json", "good.json")

    assert ended.code == 2
    assert "missing.json: cannot be read" in ended.err
    assert len(ended.lines) == 1


def test_an_observation_of_any_shape_is_set_aside_with_a_reason(run: Run) -> None:
    shapes: list[dict[str, Any]] = [
        {"resourceType": "Observation", "id": "bare"},
        ihc(id="unread", valueString="see report"),
        ihc(id="odd", code=17, subject=[]),
    ]
    ended = run("classify", text=bundle(*shapes))

    found = {line["observation"]: line["outcome"] for line in ended.lines}
    assert found == {
        "Observation/bare": "not-her2",
        "Observation/unread": "unreadable",
        "Observation/odd": "not-her2",
    }


def test_every_observation_is_used_or_set_aside(run: Run) -> None:
    results = [
        ihc(id="one"),
        ihc(id="one"),
        ihc(id="two", status="entered-in-error"),
        ihc(id="three", status="preliminary", specimen={"reference": "Specimen/3"}),
        ihc(id="four", subject={"reference": "Group/1"}),
    ]
    ended = run("classify", text=bundle(*results))

    used = [source for line in ended.lines if line["kind"] == "case" for source in line["sources"]]
    aside = [line["observation"] for line in ended.lines if line["kind"] == "set-aside"]
    assert sorted(used + aside) == sorted(f"Observation/{one['id']}" for one in results)


def test_the_basic_policy_is_used_when_asked_for(run: Run) -> None:
    text = json.dumps(ihc("0+"))

    assert run("classify", text=text).lines[0]["category"] == "ultralow"
    assert run("classify", "--policy", "basic", text=text).lines[0]["category"] == "needs-review"


def test_fail_on_ends_in_4_only_when_it_occurs(run: Run) -> None:
    review = FIXTURES / "two-scores-contradict" / "input.json"

    assert run("classify", review).code == 0
    assert run("classify", "--fail-on", "unmapped", review).code == 0
    assert run("classify", "--fail-on", "unmapped,review", review).code == 4
    unread = json.dumps(ihc("see report"))
    assert run("classify", "--fail-on", "unmapped", text=unread).code == 4
    assert run("classify", "--fail-on", "nothing", review).code == 2


def test_csv_holds_both_kinds_of_line_under_one_heading(run: Run) -> None:
    ended = run("classify", "-o", "csv", text=bundle(ihc(), ihc(id="late", status="registered")))

    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["kind"] for row in rows] == ["case", "set-aside"]
    assert rows[0]["sources"] == "Observation/ihc"
    assert rows[0]["review"] == "false"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_csv_cell_never_begins_as_a_formula(run: Run, start: str) -> None:
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    subject = {"reference": f"urn:oid:{start}HYPERLINK"}
    ended = run("classify", "-o", "csv", text=json.dumps(ihc(subject=subject)))

    cells = [cell for row in csv.reader(io.StringIO(ended.out)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(start)]


def test_a_terminal_never_obeys_what_a_file_says(run: Run) -> None:
    subject = {"reference": "urn:oid:1\u001b[31mred"}
    ended = run("classify", "-o", "table", text=json.dumps(ihc(subject=subject)))

    assert "\u001b" not in ended.out


def test_stdout_carries_data_only(run: Run) -> None:
    ended = run("classify", text=bundle(ihc(), {"id": "x"}))

    assert [json.loads(line)["kind"] for line in ended.out.splitlines()] == ["case"]
    assert "1 Observation (1 used); 1 sample" in ended.err
