"""Protects reading the rows of a ConceptMap: nothing invented, nothing lost, later layers win."""

from __future__ import annotations

from adapter.terminology.conceptmap import entries, index

MAP = {
    "url": "http://maps.test/m",
    "group": [
        {
            "source": "http://codes.test/a",
            "target": "http://codes.test/b",
            "element": [
                {
                    "code": "1",
                    "display": "One",
                    "target": [
                        {
                            "code": "one",
                            "display": "one",
                            "equivalence": "equal",
                            "comment": "Source: us",
                            "product": [{"property": "why", "value": "because"}],
                        }
                    ],
                },
                {"code": "2", "target": []},
            ],
        }
    ],
}


def test_a_row_keeps_what_its_file_says() -> None:
    (entry,) = entries(MAP)

    assert entry.key == ("http://codes.test/a", "1")
    assert (entry.row.map, entry.row.meaning, entry.row.display) == (
        "http://maps.test/m",
        "one",
        "One",
    )
    assert entry.path == "group[0].element[0].target[0]"
    assert (entry.target_system, entry.target_display) == ("http://codes.test/b", "one")
    assert (entry.equivalence, entry.source) == ("equal", "Source: us")


def test_a_row_gives_its_products_by_name() -> None:
    (entry,) = entries(MAP)

    assert entry.product("why") == "because"
    assert entry.product("when") == ""


def test_what_is_no_row_is_passed_over() -> None:
    assert list(entries({})) == []
    assert list(entries({"group": "none"})) == []
    assert list(entries({"group": ["none", {"element": None}]})) == []


def test_a_later_layer_replaces_a_row_of_an_earlier_one() -> None:
    other = {
        "group": [
            {
                "source": "http://codes.test/a",
                "element": [
                    {"code": "1", "target": [{"code": "uno"}]},
                    {"code": "3", "target": [{"code": "tres"}]},
                ],
            }
        ]
    }

    found = index([entries(MAP), entries(other)])

    assert {code: entry.row.meaning for (_, code), entry in found.items()} == {
        "1": "uno",
        "3": "tres",
    }
