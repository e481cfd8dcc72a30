"""The scanner: the example that its module draws, step by step."""

from __future__ import annotations

import code_twins as twin
import numpy as np
from drawings import drawing

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.statistics import code_grammar as at
from eyas.text_kernels.statistics import code_scan as scanner
from eyas.text_kernels.statistics import code_syntax as syntax
from eyas.text_kernels.statistics.code import _traits
from eyas.text_kernels.types import I64, Bytes


@kernel
def _trace(
    data: Bytes, number: int, grammar: I64, paces: Bytes, table: Bytes, scan: I64, hot: I64, regions: I64
) -> None:
    """Per byte: whether the scanner is called, and the opener of the region that it is in behind the byte."""
    state, busy, _, _, _ = scanner.begin(scan, number, 0)
    before = scanner.CODE_BREAK | scanner.CODE_SPACE
    for position in range(len(data)):
        trait = int(table[data[position]])
        hot[position] = position >= busy and paces[state + data[position]] == at.PACE_HOT
        if hot[position]:
            scanner.step(data, position, 0, len(data), grammar, trait, before, False, position, scan)
            state, busy, _, _, _ = scanner.summary(scan)
        regions[position] = scan[scanner.SCAN_REGION]
        before = trait
    scanner.finish(scan, grammar, len(data))


def test_the_example_of_the_module_is_true() -> None:
    rows = drawing(scanner.__doc__, "byte", "text", "hot", "region")
    assert rows["byte"] == [str(place) for place in range(12)]
    text = "".join(rows["text"]).replace("·", " ")
    data = np.frombuffer(text.encode(), np.uint8)
    grammar, paces, _ = at.tables()
    scan, hot, regions = np.zeros(scanner.SCAN_FIELDS, np.int64), np.zeros(12, np.int64), np.zeros(12, np.int64)
    _trace(data, list(syntax.SYNTAXES).index("python"), grammar, paces, _traits(), scan, hot, regions)
    letters = {syntax.STRING: "S", syntax.COMMENT: "C"}
    kinds = [letters[int(grammar[region + at.OPENER_KIND])] if region else "-" for region in regions.tolist()]
    assert ["*" if step else "." for step in hot.tolist()] == rows["hot"]
    assert kinds == rows["region"]
    assert (scan[scanner.SCAN_STRINGS], scan[scanner.SCAN_COMMENTS]) == (1, 3)
    assert "".join(twin.Scanner(text, "python").run().marks) == "cccccqccc///"
