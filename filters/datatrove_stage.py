"""Runs datatrove's filters and formatters as stages: for users who bring a pipeline along and compare before they move.

Each document becomes a datatrove `Document`, one at a time, as in datatrove's executor, at the same speed: some hundred
documents a second and core, where this project's own stages do thousands (GopherQuality: 44 times as many, see
`benchmarks/filters.py`). The stages add the ledger: datatrove's reasons, per document. Classes whose answer depends on
earlier documents are refused, or begin anew with each document, because results here never depend on order.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa
from pydantic import model_validator

from eyas.corpus.documents import HIDDEN, NOTE
from eyas.corpus.stage import Filter, Mapper, Stage, StageUnavailable
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError, nearest
from eyas.filters.heuristics.symbols import TERMINALS
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.sentences import sentences
from eyas.text_kernels.words.words import words

_REFUSED = {
    "LambdaFilter": "takes a Python function, which no recipe can hold; write a Filter, it is ten lines",
    "SamplerFilter": "draws by the order of documents; take `max_documents` of a source, or a filter by a hash of the id",
}
_OURS = {
    "LanguageFilter": "language",
    "GopherQualityFilter": "gopher_quality",
    "URLFilter": "url_filter",
    "FTFYFormatter": "repair",
    "C4QualityFilter": "line_cleanup",
}
"""The stages of this project that do the same, for error messages."""

R = TypeVar("R")


class _Datatrove(Stage):
    """The options of both stages."""

    name: str
    """A class of datatrove, such as `GopherQualityFilter`, or one of your own as `module:Class`."""
    options: dict[str, Any] = {}
    """The arguments of the class. Lists become tuples where the class takes tuples."""
    words: Literal["datatrove", "eyas"] = "datatrove"
    """Whose words and sentences a class with an argument `language` counts: datatrove's (for English it needs spaCy), or
    those of this project, which need nothing and are the same for every language."""

    @model_validator(mode="after")
    def _known(self) -> _Datatrove:
        try:
            cls = self._class()
        except StageUnavailable:
            return self  # without datatrove nothing can be checked: `prepare` raises
        known = {name: p for name, p in inspect.signature(cls.__init__).parameters.items() if name != "self"}
        if "exclusion_writer" in self.options:
            raise InputError("exclusion_writer is not needed: dropped documents and their reasons are in the ledger")
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            for option in self.options:
                if option not in known:
                    names = [name for name in known if name != "exclusion_writer"]
                    raise InputError(
                        f"{self.name} has no option {option!r}{nearest(option, names)}; "
                        f"it has {', '.join(names) or 'none'}"
                    )
        for option, parameter in known.items():
            optional = parameter.default is not parameter.empty or parameter.kind in (2, 4)
            if not optional and option not in self.options:
                raise InputError(f"{self.name} needs the option {option!r}: give it under `options:`")
        if self.words == "eyas" and "language" not in known:
            raise InputError(f"words: eyas makes no difference to {self.name}, which counts no words; leave it out")
        if float(self.options.get("keep_fraction") or 0) > 0:
            raise InputError(f"{self.name}: keep_fraction draws by the order of documents; set it to 0")
        return self

    def _base(self) -> str:
        """The name of the datatrove class that the class `name` must derive from."""
        raise NotImplementedError

    def _class(self) -> type[Any]:
        """The class called `name`. ValueError with the nearest name; `StageUnavailable` without datatrove."""
        package = "filters" if self._base() == "BaseFilter" else "formatters"
        try:
            classes = import_module(f"datatrove.pipeline.{package}")
            base = getattr(import_module(f"datatrove.pipeline.{package}.{_BASES[package]}"), self._base())
        except ImportError as error:
            raise StageUnavailable(f"datatrove is not installed ({error}): `pip install datatrove`") from error
        if self.name in _REFUSED:
            raise InputError(f"{self.name} cannot be used: it {_REFUSED[self.name]}")
        module, colon, attribute = self.name.partition(":")
        if colon:
            try:
                cls = getattr(import_module(module), attribute)
            except (ImportError, AttributeError) as error:
                raise InputError(f"{self.name!r} cannot be loaded: {error}; expected module:Class") from error
        else:
            cls = getattr(classes, self.name, None)
        names = [name for name, value in vars(classes).items() if inspect.isclass(value) and name not in _REFUSED]
        if cls is None:
            raise InputError(
                f"datatrove has no {package[:-1]} {self.name!r}{nearest(self.name, names)}; it has {', '.join(names)}"
            )
        if not (inspect.isclass(cls) and issubclass(cls, base)):
            raise InputError(f"{self.name} is no {self._base()} of datatrove's")
        return cls

    def fingerprint(self) -> Any:
        """datatrove's version; for a user's class also the digest of its source file."""
        cls = self._class()
        source = None if cls.__module__.startswith("datatrove.") else inspect.getsourcefile(cls)
        digest = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else None
        return {"datatrove": metadata.version("datatrove"), "source": digest}

    def _make(self) -> Any:
        """The filter or formatter, with its options; `StageUnavailable` if it cannot be made."""
        cls = self._class()
        known = inspect.signature(cls.__init__).parameters
        options = {
            name: _tuples(value) if name in known and "tuple" in str(known[name].annotation).lower() else value
            for name, value in self.options.items()
        }
        if self.words == "eyas":
            options["language"] = _our_words()
        try:
            return cls(**options)
        except (ImportError, OSError) as error:
            raise self._unavailable(error) from error
        except Exception as error:  # a class may refuse its options by any exception
            raise StageUnavailable(f"{self.name} refuses its options: {type(error).__name__}: {error}") from error

    @cached_property
    def _object(self) -> Any:
        return self._make()

    def prepare(self) -> None:
        language = getattr(self._object, "language", None)
        if isinstance(language, str) and type(self._object).__module__.startswith("datatrove."):
            tokenizers = import_module("datatrove.utils.word_tokenizers")
            self._guarded(lambda: tokenizers.load_word_tokenizer(language))

    def _guarded(self, call: Callable[[], R]) -> R:
        """Calls datatrove; a missing package or file stops the run, instead of putting every document into quarantine."""
        try:
            return call()
        except (ImportError, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StageUnavailable:
        known = "language" in inspect.signature(self._class().__init__).parameters
        hint = ", or give it this project's words by `words: eyas`" if known and self.words == "datatrove" else ""
        ours = f". The stage `{_OURS[self.name]}` does its work without it" if self.name in _OURS else ""
        return StageUnavailable(f"{self.name} cannot work here: {str(error).rstrip('.')}{hint}{ours}.")


class DatatroveFilter(_Datatrove, Filter):
    """Runs a datatrove filter. Its reasons go into the ledger; where it gives none, the filter's name is the reason.

    What a filter writes into a document's metadata is not kept.
    """

    edit_text: bool = False
    """Allow the filter to change the text, as C4QualityFilter and FastTextClassifierFilter do. false: the run stops when it
    does, because a filter should not edit unseen."""

    def _base(self) -> str:
        return "BaseFilter"

    def judge(self, docs: pa.Table) -> Verdict:
        kept: list[bool] = []
        reasons: list[str | None] = []
        texts: list[str] = []
        edited: list[str | None] = []
        for document in _documents(docs):
            before = document.text
            result = self._guarded(lambda one=document: self._object.filter_batch([one])[0])  # type: ignore[misc]
            keep, reason = result if isinstance(result, tuple) else (result, None)
            changed = bool(keep) and document.text != before
            if changed and not self.edit_text:
                raise StageUnavailable(
                    f"{self.name} changes the text of documents that it keeps: set `edit_text: true` to let it, or "
                    "use `line_cleanup`, a stage that edits and says what it took out"
                )
            kept.append(bool(keep))
            reasons.append(str(reason) if reason else self.name)
            texts.append(document.text if changed else before)
            edited.append("text changed" if changed else None)
        columns = {"text": pa.array(texts, pa.large_string())} if any(edited) else {}
        return Verdict.of(kept, reason=reasons, detail=edited, columns=columns)


class DatatroveFormatter(_Datatrove, Mapper):
    """Rewrites texts by a datatrove formatter. PIIFormatter restarts its round of replacements with each document."""

    def _base(self) -> str:
        return "BaseFormatter"

    def map(self, docs: pa.Table) -> pa.Table:
        before: list[str] = docs.column("text").to_pylist()
        after = [self._formatted(text) for text in before]
        notes = [self.name if a != b else None for a, b in zip(before, after, strict=True)]
        docs = docs.set_column(docs.column_names.index("text"), "text", pa.array(after, pa.large_string()))
        return docs.append_column(NOTE, pa.array(notes, pa.string()))

    def _formatted(self, text: str) -> str:
        for part in vars(self._object).values():
            if hasattr(part, "_replace_i"):
                part._replace_i = 0
        formatted = self._guarded(lambda: self._object.format(text))
        if not isinstance(formatted, str):
            raise InputError(f"{self.name} gave {type(formatted).__name__} instead of a text")
        return formatted


_BASES = {"filters": "base_filter", "formatters": "base"}


def _documents(docs: pa.Table) -> Iterator[Any]:
    """The documents as datatrove's: columns other than id and text are metadata; an origin that is a URL is also `url`."""
    document = import_module("datatrove.data").Document
    others = [name for name in docs.column_names if name not in ("id", "text") and not name.startswith(HIDDEN)]
    for batch in docs.select(["id", "text", *others]).to_batches():
        for row in batch.to_pylist():
            origin = str(row.get("origin") or "")
            url = {"url": origin} if "url" not in others and origin.lower().startswith(("http://", "https://")) else {}
            yield document(text=row["text"], id=str(row["id"]), metadata={n: row[n] for n in others} | url)


def _tuples(value: Any) -> Any:
    """The value with tuples for lists: YAML has lists only, and `str.endswith`, for one, takes tuples only."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


@lru_cache(maxsize=1)
def _our_words() -> Any:
    """Our words and sentences in the form of datatrove's word tokenizers."""
    tokenizers: Any = import_module("datatrove.utils.word_tokenizers")

    class OurWords(tokenizers.WordTokenizer):  # type: ignore[misc]
        def word_tokenize(self, text: str) -> list[str]:
            column = pa.array([text], pa.large_string())
            data = buffers(column)[0].tobytes()
            start, end, _ = words(column)
            return [data[i:j].decode() for i, j in zip(start.tolist(), end.tolist(), strict=True)]

        def sent_tokenize(self, text: str) -> list[str]:
            return [text[start:end] for start, end in self.span_tokenize(text)]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            data = text.encode()
            starts = sentences(pa.array([text], pa.large_string()), TERMINALS)[0].tolist()
            places = [len(data[:start].decode()) for start in starts]
            return list(zip(places, [*places[1:], len(text)], strict=True))

    return OurWords()
