"""What a scrape says, as Prometheus' own parser reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    """One scrape: (name of the series, labels) → value. `types`: family → "gauge", "counter", …"""

    values: Mapping[tuple[str, Labels], float]
    types: Mapping[str, str]

    @classmethod
    def of(cls, text: str) -> Scrape:
        """Parse the text format; a sample that stands twice is a defect."""
        values: dict[tuple[str, Labels], float] = {}
        types: dict[str, str] = {}
        for family in text_string_to_metric_families(text):
            assert family.name not in types, family.name
            types[family.name] = family.type
            assert family.documentation
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in values, key
                values[key] = sample.value
        return cls(values, types)

    def all(self, name: str, **labels: str) -> dict[Labels, float]:
        """Every sample of a series whose labels include these."""
        wanted = labels.items()
        return {
            shown: value
            for (found, shown), value in self.values.items()
            if found == name and wanted <= shown
        }

    def one(self, name: str, **labels: str) -> float:
        """The one sample of a series with these labels."""
        (value,) = self.all(name, **labels).values()
        return value

    @property
    def label_values(self) -> set[tuple[str, str]]:
        """Every label with every value it has."""
        return {pair for _, labels in self.values for pair in labels}
