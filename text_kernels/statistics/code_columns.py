"""The bits and the columns that the kernels over source code share: traits of a code point, and what each column counts."""

# Tested in tests/text_kernels/statistics/test_code.py.

from __future__ import annotations

from typing import Final

# Traits of a code point.
CODE_LETTER: Final = 1
CODE_NUMBER: Final = 2
CODE_SPACE: Final = 4
CODE_BREAK: Final = 8
CODE_WORD: Final = 16
"""Letter, number or underscore, as `\\w`."""
CODE_BASE64: Final = 32
CODE_HEX: Final = 64
CODE_NEEDLE: Final = 128
"""May begin one of the words that are searched for in code or comments: `assert`, `todo` …"""

# Columns of the counts, in the order of `CodeStatistics`. Columns 0 to 5 hold what the scanner counts.
CODE_COLUMN_CODE_LINES: Final = 6
CODE_COLUMN_ASSERT_LINES: Final = 7
CODE_COLUMN_TODO_LINES: Final = 8
CODE_COLUMN_CHARACTERS: Final = 9
CODE_COLUMN_LINES: Final = 10
CODE_COLUMN_LINE_CHARACTERS: Final = 11
CODE_COLUMN_LONGEST_LINE: Final = 12
CODE_COLUMN_LETTERS: Final = 13
CODE_COLUMN_NUMBERS: Final = 14
CODE_COLUMN_SPACES: Final = 15
CODE_COLUMN_REPLACEMENTS: Final = 16
CODE_COLUMN_HEX_CHARACTERS: Final = 17
CODE_COLUMN_ENCODED: Final = 18
CODE_COLUMN_LONGEST_ENCODED: Final = 19
CODE_COLUMN_LONGEST_RUN: Final = 20
CODE_COLUMN_HEADER: Final = 21
CODE_COLUMNS: Final = 22
