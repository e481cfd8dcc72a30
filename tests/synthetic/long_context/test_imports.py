"""Imports of a file, language by language."""

from __future__ import annotations

import pytest

from eyas.synthetic.long_context.imports import Files, imported_files


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("pkg/a.py", "from . import b\nimport repo.pkg.c, os\n", {"pkg/b.py", "pkg/c.py"}),
        ("pkg/sub/x.py", "from ..b import (f,\n  g)\nfrom repo.pkg import c\n", {"pkg/b.py", "pkg/c.py"}),
        ("top.py", "import pkg.sub\nfrom types import X\nif X:\n    import pkg.b\n", {"pkg/sub/__init__.py"}),
        ("web/a.ts", "import {x} from './b'\nconst c = require(\"../web/c\")", {"web/b.tsx", "web/c/index.js"}),
        ("src/m.c", '#include "m.h"\n# include <lib/n.h>\n#include <stdio.h>', {"src/m.h", "include/lib/n.h"}),
        ("cmd/main.go", 'import (\n\tu "github.com/o/repo/util"\n)\nfunc f() {\n"cmd/x"\n}', {"util/u.go", "util/v.go"}),
        ("src/main.rs", "mod parse;\nuse crate::ast::Node;\nuse std::io;", {"src/parse.rs", "src/ast/mod.rs"}),
        ("A.java", "import com.x.B;\nimport static com.x.C.f;", {"j/com/x/B.java", "j/com/x/C.java"}),
        ("notes.txt", "import pkg.b", set()),
    ],
)  # fmt: skip
def test_imports_are_found(path: str, text: str, wanted: set[str]) -> None:
    known = ["pkg/b.py", "pkg/c.py", "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/types.py", "web/b.tsx"]
    known += ["web/c/index.js", "src/m.h", "include/lib/n.h", "util/u.go", "util/v.go", "src/parse.rs"]
    known += ["src/ast/mod.rs", "j/com/x/B.java", "j/com/x/C.java"]
    assert imported_files(path, text, Files([*known, path], "repo")) - {"pkg/__init__.py"} == wanted


def test_of_several_files_the_nearest_is_meant() -> None:
    files = Files(["a/x/util.h", "b/x/util.h", "b/main.c"], "repo")
    assert files.ending("x/util.h", "b/main.c") == "b/x/util.h" and files.ending("x/util.h", "main.c") == "a/x/util.h"
    assert files.ending("other.h", "main.c") is None and files.in_folder("github.com/o/x", ".h") == ["a/x/util.h"]
