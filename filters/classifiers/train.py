"""The stage `train_classifier`: trains a quality classifier on documents of the run or on files, and writes a report.

The split into training and held-out is by a hash of the text: the same text is never on both sides, and every machine
deals documents alike. One task, one thread and a fixed seed give the same bytes every time, so a repeated run gives the
same scores. The stage keeps every document; `classify` scores with its model. fastText learns from 3,600 documents of
6 KB in 2 s.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from eyas.corpus.documents import COLUMNS
from eyas.corpus.part import Part
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import FileEntry
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError
from eyas.filters.classifiers.encoder import EncoderOptions, stamp
from eyas.filters.classifiers.examples import Examples
from eyas.filters.classifiers.fasttext_model import FastTextOptions
from eyas.filters.classifiers.learning import Learned, TrainingSpec, learn
from eyas.filters.classifiers.report import render
from eyas.filters.classifiers.sampling import (
    CLASSES,
    NEGATIVE,
    POSITIVE,
    RANKS,
    SURVEY,
    choose,
    rank_documents,
    take_files,
    take_texts,
)
from eyas.filters.classifiers.text import TextOptions

# The tags hold a "[" so that a recipe's error names `kind.pooling`, as written, and not the variant's name too.
_Kind = Annotated[
    Annotated[Literal["fasttext"], Tag("[name]")] | Annotated[EncoderOptions, Tag("[options]")],
    Discriminator(lambda value: "[name]" if isinstance(value, str) else "[options]"),
]


class TrainClassifier(CorpusStage):
    """Trains a classifier of two classes for later `classify` stages; keeps every document."""

    version: ClassVar[int] = 1

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The model's name in this recipe; scores are in the column `<name>_score`."""
    positives: Examples
    """Examples of what should get a high score."""
    negatives: Examples
    """Examples of what should get a low one."""
    kind: _Kind = "fasttext"
    """`fasttext`, or `{encoder: PATH}` for a logistic head on the embeddings of a local `transformers` model."""
    fasttext: FastTextOptions = FastTextOptions()
    """How fastText learns."""
    text: TextOptions = TextOptions()
    """How a document becomes what the model sees."""
    max_documents: int = Field(default=20_000, ge=1)
    """Most examples of each class, chosen by a hash of (seed, id) (DCLM: 200,000 of each). They are held in memory, up to
    `max_characters` of each; an encoder goes through about 10 a second."""
    survey: int = Field(default=5000, ge=0)
    """Documents of every kind that are scored for the report only: they show what becomes of text in neither class."""
    held_out: float = Field(default=0.1, gt=0.0, le=0.5)
    """Share of each class that is held out of training, to evaluate the model on."""
    in_both: Literal["refuse", "drop"] = "refuse"
    """What to do about a text that is an example of both classes: stop the run, or leave it out of both."""
    report_threshold: float = 0.5
    """The score at which the report counts decisions; it decides nothing here."""
    groups: list[str] = ["source", "lang", "kind"]
    """Columns by whose values the report shows scores; those that do not exist are left out."""

    grade: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The column of the grades that the conditions cut (`annotate` adds it). The report then shows how well the classifier
    agrees with them: accuracy, Cohen's kappa and Spearman's rho."""

    @field_validator("groups")
    @classmethod
    def _free_names(cls, value: list[str]) -> list[str]:
        taken = sorted({"id", "text", "origin", "class", "where"} & set(value))
        if taken:
            raise InputError(f"{', '.join(taken)}: documents cannot be grouped by this; name columns such as source")
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _different(self) -> TrainClassifier:
        if self.positives == self.negatives:
            raise InputError("positives and negatives are the same: there is nothing to learn")
        return self

    def columns_needed(self) -> tuple[str, ...]:
        needed = {*self.positives.columns(), *self.negatives.columns(), *([self.grade] if self.grade else [])}
        return tuple(sorted(needed - set(COLUMNS)))

    @property
    def spec(self) -> TrainingSpec:
        """The options that training and evaluation depend on."""
        return TrainingSpec(
            name=self.name,
            positives=self.positives,
            negatives=self.negatives,
            model=self.kind if isinstance(self.kind, EncoderOptions) else self.fasttext,
            text=self.text,
            held_out=self.held_out,
            in_both=self.in_both,
            report_threshold=self.report_threshold,
            groups=tuple(self.groups),
            grade=self.grade,
        )

    def packages_needed(self) -> Mapping[str, str]:
        wanted = ("sklearn", "torch", "transformers") if isinstance(self.kind, EncoderOptions) else ("sklearn",)
        return dict.fromkeys(wanted, "pip install 'eyas[classifiers]'")

    def makes(self) -> Mapping[str, str]:
        return {self.name: f"classifier/{self.name}"}

    def check_made(self, made: Sequence[str]) -> None:
        for examples in (self.positives, self.negatives):
            examples.sources(())

    def fingerprint(self) -> Any:
        files = [self.positives.listing(), self.negatives.listing()]
        return [*files, stamp(Path(self.kind.encoder)) if isinstance(self.kind, EncoderOptions) else None]

    def plan(self, inputs: Sequence[Part]) -> list[Step]:
        wanted: dict[int, tuple[Examples | None, int]] = {}
        for number, examples in ((POSITIVE, self.positives), (NEGATIVE, self.negatives)):
            if examples.where is not None:
                wanted[number] = (examples, self.max_documents)
        if self.survey:
            wanted[SURVEY] = (None, self.survey)
        counts = {number: count for number, (_, count) in wanted.items()}
        limit, carried = self.text.max_characters, self.spec.carried
        ranks = [Task(part.key, partial(rank_documents, part, wanted), part.text_bytes) for part in inputs]
        merge = Task("chosen", partial(choose, [part.key for part in inputs], counts))
        samples = [Task(part.key, partial(take_texts, part, carried, limit), part.text_bytes) for part in inputs]
        for number, examples in ((POSITIVE, self.positives), (NEGATIVE, self.negatives)):
            if examples.files:
                run = partial(take_files, number, examples, self.max_documents, carried, limit)
                samples.append(Task(f"files-{number}", run))
        files = [f"{CLASSES[n]}-files" for n, e in ((POSITIVE, self.positives), (NEGATIVE, self.negatives)) if e.files]
        train = Task(self.name, partial(self._train, [*(part.key for part in inputs), *files]))
        return [
            Step.of(RANKS, ranks),
            Step.of("choose", [merge]),
            Step.of("sample", samples),
            Step.of("train", [train]),
        ]

    def _train(self, names: Sequence[str], context: TaskContext) -> Entry:
        samples = [context.store.read_table(f"{context.folder}/sample/{name}.parquet") for name in names]
        with tempfile.TemporaryDirectory(prefix="eyas-classifier-") as folder:
            learned = learn(self.spec, samples, context.seed, Path(folder))
            files = self._publish(learned, context)
        return {"files": [file.to_json() for file in files], **learned.sizes, **learned.evaluation.figures()}

    def _publish(self, learned: Learned, context: TaskContext) -> list[FileEntry]:
        """Writes the model's files first and its description last: a folder without a description is no classifier."""
        folder = f"{context.folder}/{self.makes()[self.name]}"
        files = []
        for path in learned.files:
            with context.store.create(f"{folder}/{path.name}") as output, path.open("rb") as data:
                while block := data.read(1 << 24):
                    output.sink.write(block)
            files.append(output.published())
        files.append(context.store.write_json(f"{folder}/report.json", learned.report()))
        with context.store.create(f"{folder}/report.html") as output:
            output.sink.write(render(learned).encode())
        files.append(output.published())
        files.append(context.store.write_json(f"{folder}/classifier.json", learned.description()))
        return files

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        return Verdict.of([True] * part.kept)
