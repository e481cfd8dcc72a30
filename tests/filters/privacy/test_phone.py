"""Telephone numbers: cases met in real text."""

from __future__ import annotations

import pytest
from pii_matches import matches

from eyas.filters.privacy.phone import find_phones


def phones(text: str, *regions: str) -> list[str]:
    return matches(lambda text: find_phones(text, regions), text)


@pytest.mark.parametrize(
    ("text", "regions", "wanted"),
    [
        ("Tel +44 (0)20 7499 2264, fax: +353-1-6204901 x12", (), ["+44 (0)20 7499 2264", "+353-1-6204901"]),
        ("+353 1 8064276 2300", (), ["+353 1 8064276"]),
        ("i+4930901820 = +33554432 and +40.712776123 and +658981/41472*u", (), []),
        ("@@ -1,2 +1,2 @@\n+4930901820\n", (), []),
        ("call 415-555-2671", (), []),
        ("call 415-555-2671 or (415) 555-2672", ("US",), ["415-555-2671", "(415) 555-2672"]),
        ("Tel. 089/12 34 56-0, marie 05-11-22-33-44", ("DE", "FR"), ["089/12 34 56-0", "05-11-22-33-44"]),
        ("0.415555 2022-02-22 20:56 Boston, MA 02111-1307 [0.75 1 0.75] 0240–0377 (0241–0376)", ("US", "DE"), []),
        ("ISBN 0-596-00478-8, 212.94.201.10, 4155552671, 01/13160000.xhp", ("US", "DE"), []),
    ],
)
def test_phone_cases(text: str, regions: tuple[str, ...], wanted: list[str]) -> None:
    assert phones(text, *regions) == wanted
