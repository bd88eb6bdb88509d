"""Which of a person's links joined something in a pass, and which did not: said, never dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapter.her2.joins import names_of
from adapter.her2.model import Link
from adapter.sync.planning.reconcile import Reconciled


@dataclass
class LinkWatch:
    """Watches the links of one pass; make a new one for each."""

    links: Sequence[Link]
    _seen: set[str] = field(default_factory=set)

    def look_at(self, found: Reconciled) -> Iterator[str]:
        """Note which links lead to these patients, and give a sentence for each that joined nothing."""
        ends = {end for link in self.links for end in link.ends}
        for one in found.desired:
            self._seen |= ends & names_of(one.case.evidence)
        yield from (unused.sentence for unused in found.unused_links)

    def never_found(self) -> Iterator[str]:
        """Give a sentence for each link that led nowhere; to be asked after everybody was looked at."""
        for link in self.links:
            if self._seen.isdisjoint(link.ends):
                first, second = link.ends
                yield f"link of {first} and {second} not used: no patient here has a HER2 result of either."
