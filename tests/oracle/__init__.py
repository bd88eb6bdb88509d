"""The oracle: what must stand on a server, read from its whole content by a second, simple reader.

It shares no code with `adapter/` (tests/architecture/test_oracle.py) and follows the written rules and docs/output.md.
It knows the vocabulary of the tests' own laboratories only. Content outside it raises NotCovered: it never guesses.

- `expected(resources)`: which derived Observations must stand.
- `differences(content)`: where a server differs from that, one sentence each; empty means right.
- `content_of(base_url)`, `content_of_fake(server)`: everything that a server holds.
"""

from tests.oracle.content import Content, content_of, content_of_fake
from tests.oracle.differences import differences
from tests.oracle.expected import Expected, Record, expected
from tests.oracle.reading import NotCovered

__all__ = [
    "Content",
    "Expected",
    "NotCovered",
    "Record",
    "content_of",
    "content_of_fake",
    "differences",
    "expected",
]
