r"""Finds the files of a repository that a file imports, by regular expressions: Python, JS/TS, C/C++, Go, Rust, JVM.

No file is parsed. The trade: an import in a string counts, and a path that a build system maps elsewhere is not found; an
order needs most edges, not all. Python's imports within functions and conditions do not count, because their purpose is to
break circles. If a name could mean several files, it means the one that shares most folders with the importing file.
103 MB/s of Python on one core.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence

_PYTHON = re.compile(
    r"^(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
_SCRIPT = re.compile(r"""(?:\bfrom\s*|\brequire\s*\(\s*|\bimport\s*\(?\s*)["'](\.[^"'\n]*)["']""")
_INCLUDE = re.compile(r"""^[ \t]*#[ \t]*(?:include|import)[ \t]*["<]([^">\n]+)[">]""", re.MULTILINE)
_GO = re.compile(r"""^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?"([^"\n ]+)"[ \t]*$""", re.MULTILINE)
_RUST_MOD = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?mod[ \t]+(\w+)[ \t]*;", re.MULTILINE)
_RUST_USE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?use[ \t]+((?:crate|super|self)(?:::\w+)+)", re.MULTILINE)
_JVM = re.compile(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+)", re.MULTILINE)

_SCRIPT_ENDS = ("", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".vue", "/index.ts", "/index.tsx", "/index.js")
_JVM_ENDS = (".java", ".kt", ".scala")


class Files:
    """The paths of one repository, indexed by file name and by folder."""

    def __init__(self, paths: Sequence[str], repository: str) -> None:
        self.paths = sorted(paths)
        self.repository = posixpath.basename(repository.rstrip("/"))
        self.known = frozenset(paths)
        self._by_name: dict[str, list[str]] = {}
        self._folders: dict[str, list[str]] = {}
        for path in self.paths:
            self._by_name.setdefault(posixpath.basename(path), []).append(path)
            self._folders.setdefault(posixpath.dirname(path), []).append(path)

    def ending(self, tail: str, importer: str) -> str | None:
        """The file whose path is `tail` or ends with it. If there are several, the nearest to `importer`, then the first."""
        if tail in self.known:
            return tail
        paths = [path for path in self._by_name.get(posixpath.basename(tail), []) if path.endswith(f"/{tail}")]
        return max(paths, key=lambda path: _in_common(path, importer), default=None)

    def in_folder(self, tail: str, suffix: str) -> list[str]:
        """The files with `suffix` in the folder whose path is the longest end of `tail`."""
        steps = tail.split("/")
        for start in range(len(steps)):
            folder = "/".join(steps[start:])
            for known, paths in self._folders.items():
                if known == folder or known.endswith(f"/{folder}"):
                    return [path for path in paths if path.endswith(suffix)]
        return []


def _in_common(path: str, other: str) -> int:
    """How many folders two paths have in common, from the top."""
    pairs = zip(path.split("/")[:-1], other.split("/")[:-1], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _python(path: str, text: str, files: Files) -> Iterator[str | None]:
    for match in _PYTHON.finditer(text):
        source, names, modules = match.groups()
        if modules is not None:
            for module in modules.split(","):
                yield from _module(module.split()[0] if module.split() else "", [], path, files)
            continue
        imported = [name.split()[0] for name in names.strip("() \t").replace("\n", " ").split(",") if name.split()]
        yield from _module(source, imported, path, files)


def _module(module: str, names: Sequence[str], path: str, files: Files) -> Iterator[str | None]:
    """The files of those `names` that are modules; if none is, the file of `module` itself."""
    dots = len(module) - len(module.lstrip("."))
    steps = [step for step in module.split(".") if step]
    if dots:
        folder = posixpath.dirname(path)
        for _ in range(dots - 1):
            folder = posixpath.dirname(folder)
        base = [step for step in folder.split("/") if step] + steps
    else:
        base = steps[1:] if steps and steps[0] == files.repository else steps
    tails = [[*base, name] for name in names if name.isidentifier()]
    any_module = False
    for tail in tails:
        target = _python_file(tail, path, files, bool(dots))
        any_module = any_module or target is not None
        yield target
    if base and not any_module:
        yield _python_file(base, path, files, bool(dots))


def _python_file(steps: Sequence[str], importer: str, files: Files, exact: bool) -> str | None:
    for tail in ("/".join(steps) + ".py", "/".join([*steps, "__init__.py"])):
        if exact or len(steps) == 1:
            # A single name such as `types` would match any file of that name: only the top folder and the importing file's
            # own folder count.
            near = posixpath.join(posixpath.dirname(importer), tail)
            if tail in files.known or (not exact and near in files.known):
                return tail if tail in files.known else near
        elif target := files.ending(tail, importer):
            return target
    return None


def _script(path: str, text: str, files: Files) -> Iterator[str | None]:
    for match in _SCRIPT.finditer(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match.group(1)))
        yield next((target + end for end in _SCRIPT_ENDS if target + end in files.known), None)


def _c(path: str, text: str, files: Files) -> Iterator[str | None]:
    for match in _INCLUDE.finditer(text):
        near = posixpath.normpath(posixpath.join(posixpath.dirname(path), match.group(1)))
        yield near if near in files.known else files.ending(posixpath.normpath(match.group(1)).lstrip("./"), path)


def _go(path: str, text: str, files: Files) -> Iterator[str | None]:
    # Go's imports precede the first function.
    head = text.partition("\nfunc ")[0]
    for match in _GO.finditer(head):
        if "/" in match.group(1):
            yield from files.in_folder(match.group(1), ".go")


def _rust(path: str, text: str, files: Files) -> Iterator[str | None]:
    folder, name = posixpath.split(path)
    inner = folder if name in ("mod.rs", "lib.rs", "main.rs") else posixpath.join(folder, name.removesuffix(".rs"))
    for match in _RUST_MOD.finditer(text):
        for tail in (f"{match.group(1)}.rs", f"{match.group(1)}/mod.rs"):
            target = posixpath.join(inner, tail)
            yield target if target in files.known else None
    for match in _RUST_USE.finditer(text):
        root, *steps = match.group(1).split("::")
        start = {"crate": path[: path.rfind("src/") + 4] if "src/" in path else "", "self": inner}.get(
            root, posixpath.dirname(inner)
        )
        for length in range(len(steps), 0, -1):
            target = posixpath.join(start, *steps[:length])
            hit = next((t for t in (f"{target}.rs", f"{target}/mod.rs") if t in files.known), None)
            if hit is not None:
                yield hit
                break


def _jvm(path: str, text: str, files: Files) -> Iterator[str | None]:
    for match in _JVM.finditer(text):
        tail = match.group(1).replace(".", "/")
        # `import static a.B.method` names a member of the class.
        for stem in (tail, posixpath.dirname(tail)):
            hit = next((file for end in _JVM_ENDS if (file := files.ending(stem + end, path))), None)
            if hit is not None:
                yield hit
                break


_READERS: dict[str, Callable[[str, str, Files], Iterator[str | None]]] = {
    **dict.fromkeys((".py", ".pyi", ".pyx"), _python),
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".vue"), _script),
    **dict.fromkeys((".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".cu", ".cuh", ".m", ".mm"), _c),
    **dict.fromkeys(_JVM_ENDS, _jvm),
    ".go": _go,
    ".rs": _rust,
}


def imported_files(path: str, text: str, files: Files) -> set[str]:
    """The files of the repository that the file `path` imports or includes, without itself."""
    reader = _READERS.get(posixpath.splitext(path)[1].lower())
    targets = {target for target in reader(path, text, files) if target} if reader is not None else set()
    return targets - {path}
