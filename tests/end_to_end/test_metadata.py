"""Every field of the input comes out again, with its type and its values, whatever wrote it; nothing is lost unsaid."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import Ran, digests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Eyas = Callable[..., Ran]


def run(eyas: Eyas, folder: Path, sources: str, stages: str = "[]", workers: int = 0, name: str = "m") -> Ran:
    """Runs a recipe of these sources and stages in `folder`."""
    recipe = folder / f"{name}.yaml"
    recipe.write_text(f"name: {name}\npartition_bytes: 300B\nsources:\n{sources}\nstages: {stages}\n")
    return eyas("run", recipe, "--workers", str(workers), "--runs", folder / f"runs-{workers}")


def curated(folder: Path, workers: int = 0, name: str = "m") -> pa.Table:
    """The curated documents, by id; every file must have the very same schema."""
    files = sorted((folder / f"runs-{workers}/{name}/curated").glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    assert all(table.schema.equals(tables[0].schema, check_metadata=False) for table in tables)
    return pa.concat_tables(tables)


def jsonl(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


VALUES: list[tuple[str, pa.DataType, list[Any]]] = [
    ("null", pa.null(), [None, None, None]),
    ("bool", pa.bool_(), [True, None, False]),
    *((f"{kind}", kind, [1, None, 7]) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32())),
    ("int64", pa.int64(), [-(2**63), None, 2**63 - 1]),
    ("uint64", pa.uint64(), [0, None, 2**64 - 1]),
    ("half", pa.float16(), [1.5, None, -2.0]),
    ("float", pa.float32(), [0.1, None, math.inf]),
    ("double", pa.float64(), [0.1, None, 1e300]),
    ("string", pa.string(), ["ä\u0000", None, ""]),
    ("large", pa.large_string(), ["ä", None, "𝄞"]),
    ("view", pa.string_view(), ["short", None, "a string that is longer than twelve bytes"]),
    ("binary", pa.binary(), [b"\xff\x00", None, b""]),
    ("large_binary", pa.large_binary(), [b"\xff", None, b""]),
    ("binary_view", pa.binary_view(), [b"\xff", None, b"a string that is longer than twelve bytes"]),
    ("fixed", pa.binary(3), [b"abc", None, b"\xff\xfe\xfd"]),
    ("date32", pa.date32(), [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)]),
    ("time32", pa.time32("ms"), [datetime.time(1, 2, 3), None, datetime.time(23, 59)]),
    ("time64", pa.time64("us"), [datetime.time(1, 2, 3, 4), None, datetime.time(0)]),
    ("stamp", pa.timestamp("us"), [datetime.datetime(2024, 1, 1, 1, 1, 1, 1), None, datetime.datetime(1900, 1, 1)]),
    ("zoned", pa.timestamp("ms", "Europe/Berlin"), [1_700_000_000_123, None, 0]),
    ("nano", pa.timestamp("ns"), [1_700_000_000_000_000_001, None, 1]),
    ("duration", pa.duration("us"), [datetime.timedelta(seconds=1), None, datetime.timedelta(0)]),
    ("decimal32", pa.decimal32(5, 2), [decimal.Decimal("1.25"), None, decimal.Decimal("-999.99")]),
    ("decimal128", pa.decimal128(30, 3), [decimal.Decimal("123456789012345678901234.125"), None, decimal.Decimal(0)]),
    ("decimal256", pa.decimal256(60, 1), [decimal.Decimal("9" * 50), None, decimal.Decimal(1)]),
    ("list", pa.list_(pa.int32()), [[1, None], None, []]),
    ("large_list", pa.large_list(pa.string()), [["a"], None, []]),
    ("fixed_list", pa.list_(pa.int16(), 2), [[1, 2], None, [3, None]]),
    ("list_view", pa.list_view(pa.int32()), [[1, 2], None, []]),
    ("deep", pa.list_(pa.list_(pa.string())), [[["a"], None], None, [[]]]),
    ("nulls", pa.list_(pa.null()), [[None], None, []]),
    ("struct", pa.struct([("a", pa.int8()), ("b", pa.struct([("c", pa.string())]))]), [{"a": 1, "b": {"c": "x"}}, None, {}]),
    ("structs", pa.list_(pa.struct([("a", pa.int8())])), [[{"a": 1}, None], None, []]),
    ("map", pa.map_(pa.string(), pa.list_(pa.int32())), [[("k", [1])], None, []]),
    ("dictionary", pa.dictionary(pa.int32(), pa.string()), ["a", None, "a"]),
    ("small_dictionary", pa.dictionary(pa.int8(), pa.string()), ["a", None, "b"]),
    ("list_of_dictionary", pa.list_(pa.dictionary(pa.int32(), pa.string())), [["a", "b"], None, []]),
    ("uuid", pa.uuid(), [uuid.UUID(int=5).bytes, None, uuid.UUID(int=6).bytes]),
    ("json", pa.json_(), ['{"a": 1}', None, "[]"]),
    ("bool8", pa.bool8(), [1, None, 0]),
]  # fmt: skip


def every_type() -> pa.Table:
    columns: dict[str, pa.Array] = {"text": pa.array(["first text", "second text", "third text"])}
    for name, kind, values in VALUES:
        if isinstance(kind, pa.BaseExtensionType):
            columns[name] = pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
        else:
            columns[name] = pa.array(values, kind)
    return pa.table(columns)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_every_type_that_parquet_holds_comes_out_as_it_went_in(eyas: Eyas, tmp_path: Path, ending: str) -> None:
    table = every_type()
    (tmp_path / "in").mkdir()
    if ending == "parquet":
        pq.write_table(table, tmp_path / "in/a.parquet", row_group_size=2)
        table = pq.read_table(tmp_path / "in/a.parquet")  # as Parquet itself gives it back
    else:
        with pa.OSFile(str(tmp_path / "in/a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            for batch in table.to_batches(max_chunksize=2):
                writer.write_batch(batch)
    ran = run(eyas, tmp_path, f"  - {{name: s, {ending}: {{path: in}}}}", "[exact_dedup, {where: {keep: 'words > 0'}}]")
    assert ran.code == 0, ran.err
    out = curated(tmp_path)
    for name in table.column_names:
        if name != "text":
            assert out.schema.field(name).type == table.schema.field(name).type, name
            assert out.column(name).combine_chunks().equals(table.column(name).combine_chunks()), name


@pytest.mark.slow
def test_a_type_that_first_appears_in_the_last_file_holds_for_all(
    eyas: Eyas, tmp_path: Path, start: Callable[..., Any]
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        records = [{"text": f"text {number} {i}", "score": i, "code": i, "n": None, "big": 2**60} for i in range(8)]
        jsonl(tmp_path / f"in/{number}.jsonl", records)
    last = {"text": "last", "score": 0.5, "code": "x7", "n": {"deep": [1]}, "big": 0.25, "new": True}
    jsonl(tmp_path / "in/9.jsonl", [last])
    assert run(eyas, tmp_path, "  - {name: s, jsonl: {path: in}}").code == 0
    out = curated(tmp_path)
    assert out.schema.field("score").type == pa.float64() and out["score"].to_pylist() == [*list(range(8)) * 6, 0.5]
    assert out.schema.field("n").type == pa.struct([("deep", pa.list_(pa.int64()))])
    assert out["code_json"].to_pylist() == [*map(str, list(range(8)) * 6), '"x7"']
    assert out["big_json"].to_pylist() == [str(2**60)] * 48 + ["0.25"]
    assert out["new"].to_pylist() == [None] * 48 + [True]
    assert "code" not in out.column_names and "big" not in out.column_names
    for workers in (1, 4):
        ran = start("run", tmp_path / "m.yaml", "--workers", str(workers), "--runs", tmp_path / f"runs-{workers}")
        assert ran.wait(120) == 0
        assert digests(tmp_path / f"runs-{workers}/m/curated") == digests(tmp_path / "runs-0/m/curated")


def test_files_of_one_source_may_differ_in_their_types(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    one = {"text": ["a"], "n": pa.array([1], pa.int32()), "f": pa.array([2**53], pa.int64()), "s": ["x"], "t": [1]}
    two = {
        "text": ["b"],
        "n": pa.array([2], pa.int64()),
        "f": [0.5],
        "s": pa.array(["y"], pa.large_string()),
        "t": ["z"],
    }
    pq.write_table(pa.table({**one, "m": [{"a": 1}]}), tmp_path / "in/1.parquet")
    pq.write_table(pa.table({**two, "m": [{"b": "q"}]}), tmp_path / "in/2.parquet")
    assert run(eyas, tmp_path, "  - {name: s, parquet: {path: in}}").code == 0
    out = curated(tmp_path)
    assert out.schema.field("n").type == pa.int64() and out["n"].to_pylist() == [1, 2]
    assert out.schema.field("f").type == pa.float64() and out["f"].to_pylist() == [2**53, 0.5]
    assert out["s"].to_pylist() == ["x", "y"] and out["t_json"].to_pylist() == ["1", '"z"']
    assert out["m"].to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "q"}]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(lambda name: name != "text")


def without_nulls(value: Any) -> Any:
    """A value without its null fields: Arrow does not tell a field that is null from one that is not there."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(names, json_values, max_size=5), min_size=1, max_size=6))
def test_any_json_comes_out_with_equal_values(
    eyas: Eyas, tmp_path_factory: pytest.TempPathFactory, records: list[Any]
) -> None:
    tmp_path = tmp_path_factory.mktemp("json")
    (tmp_path / "in").mkdir()
    texts = [{"text": f"document {i}", **record} for i, record in enumerate(records)]
    for i, record in enumerate(texts):
        jsonl(tmp_path / f"in/{i}.jsonl", [record])
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in}}")
    assert ran.code == 0, ran.err
    manifests = [json.loads(file.read_text()) for file in (tmp_path / "runs-0/m/passes").glob("*/manifest.json")]
    (planned,) = [one["summary"]["columns"]["s"] for one in manifests if "columns" in one["summary"]]
    rows = curated(tmp_path).to_pylist()
    assert len(rows) == len(records)
    fields = {name for record in records for name in record}
    assert {column["path"] for column in planned} == fields
    for column in planned:
        for record, row in zip(records, rows, strict=True):
            value, given = row[column["name"]], record.get(column["path"])
            if column["form"] == "json" and value is not None:
                value = json.loads(value)
                assert same(value, given), column
            else:
                assert same(without_nulls(value), without_nulls(given)), column


def test_an_id_of_the_input_stays_and_explain_takes_it(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    records = [{"id": f"doc-{i}", "text": "word " * (5 + 100 * i), "source": "mine", "lang": "xx"} for i in range(3)]
    jsonl(tmp_path / "in/a.jsonl", records)
    stages = "[{language: {min_score: 0.0}}, {where: {keep: 'words > 50'}}]"
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in}}", stages)
    assert ran.code == 0, ran.err
    out = curated(tmp_path)
    assert out["source_id"].to_pylist() == ["doc-1", "doc-2"] and out["source_source"].to_pylist() == ["mine"] * 2
    assert out["source_lang"].to_pylist() == ["xx"] * 2 and out["lang"].to_pylist() == ["en"] * 2
    found = eyas("explain", tmp_path / "runs-0/m", "doc-0")
    assert found.code == 0 and "doc-0" in found.out and "dropped" in found.out, found.out
    assert eyas("explain", tmp_path / "runs-0/m", "doc-9").code == 3


def test_columns_choose_rename_type_and_reach_into_nests(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    records = [
        {"text": "one", "score": "0.5", "metadata": {"url": "u1", "raw": "x"}, "other": 1},
        {"text": "two", "score": "many", "metadata": {"url": "u2", "raw": "x"}},
        {"text": "three", "score": 3, "metadata": None},
    ] * 1  # fmt: skip
    jsonl(tmp_path / "in/a.jsonl", records)
    chosen = "[metadata.url, {score: float64, address: {from: metadata.url, type: string}}]"
    ran = run(eyas, tmp_path, f"  - {{name: s, jsonl: {{path: in, columns: {chosen}}}}}\ntolerance: 1.0")
    assert ran.code == 0, ran.err
    out = curated(tmp_path)
    assert out.column_names[4:] == ["metadata.url", "score", "address"]
    assert out["score"].to_pylist() == [0.5, 3.0] and out["metadata.url"].to_pylist() == ["u1", None]
    found = eyas("explain", tmp_path / "runs-0/m", "a.jsonl#2")
    assert "broken_column" in found.out and "expected double" in found.out, found.out
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in, drop: [metadata.raw, other, score]}}", name="d")
    assert ran.code == 0, ran.err
    assert curated(tmp_path, name="d")["metadata"].to_pylist() == [{"url": "u1"}, {"url": "u2"}, None]


@pytest.mark.parametrize(
    ("option", "field", "hint"),
    [
        ("columns: [scor]", "scor", "did you mean 'score'"),
        ("drop: [metadata.ur]", "metadata.ur", ""),
        ("text_column: tex", "tex", "did you mean 'text'"),
        ("origin_column: link", "link", "fields: text, score, metadata"),
        ("carry: [score, skore]", "skore", "did you mean 'score'"),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_field_that_no_record_has_is_an_error(
    eyas: Eyas, tmp_path: Path, option: str, field: str, hint: str, ending: str
) -> None:
    (tmp_path / "in").mkdir()
    records = [{"text": f"t{i}", "score": i, "metadata": {"url": "u"}} for i in range(30)]
    jsonl(tmp_path / "in/a.jsonl", records)
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "in/a.parquet")
    ran = run(eyas, tmp_path, f"  - {{name: s, {ending}: {{path: in, {option}}}}}")
    assert ran.code == 3 and f"{field!r}" in ran.err and hint in ran.err, ran.err
    assert not list((tmp_path / "runs-0/m").glob("curated/*"))


def test_stages_work_on_the_numbers_of_the_input(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    records = [
        {"text": "same text", "score": 9, "meta": {"q": 1}},
        {"text": "same text", "score": 10, "meta": {"q": 2}},
        {"text": "another", "score": 7.5, "meta": {"q": 3}},
        {"text": "a third", "score": None, "meta": None},
    ]
    jsonl(tmp_path / "in/a.jsonl", records)
    source = "  - {name: s, jsonl: {path: in}}"
    assert run(eyas, tmp_path, source, "[{exact_dedup: {keep: highest(score), max_loss: 1.0}}]", name="a").code == 0
    assert curated(tmp_path, name="a")["score"].to_pylist() == [10, 7.5, None]
    ran = run(eyas, tmp_path, source, "[{exact_dedup: {keep: lowest(meta.q), max_loss: 1.0}}]", name="n")
    assert ran.code == 0, ran.err
    assert curated(tmp_path, name="n")["score"].to_pylist() == [9, 7.5, None]
    assert run(eyas, tmp_path, source, "[{threshold: {column: score, min: 9}}]", name="b").code == 0
    assert curated(tmp_path, name="b")["score"].to_pylist() == [9, 10]
    assert run(eyas, tmp_path, source, "[{where: {keep: 'score > 9'}}]", name="c").code == 0
    assert curated(tmp_path, name="c")["score"].to_pylist() == [10]


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("{exact_dedup: {keep: highest(mixed)}}", "the field is called 'mixed_json'"),
        ("{exact_dedup: {keep: highest(word)}}", "highest(word) needs numbers, found string"),
        ("{threshold: {column: word, min: 1}}", "holds string, not numbers"),
        ("{where: {keep: 'word > 9'}}", "cannot compare string"),
        ("{threshold: {column: scor, min: 1}}", "did you mean 'score'"),
    ],
)
def test_a_column_that_cannot_be_compared_is_refused_before_reading(
    eyas: Eyas, tmp_path: Path, stage: str, message: str
) -> None:
    (tmp_path / "in").mkdir()
    jsonl(tmp_path / "in/a.jsonl", [{"text": "a", "score": 1, "mixed": 1, "word": "x"}, {"text": "b", "mixed": "x"}])
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in}}", f"[{stage}]")
    assert ran.code == 3 and message in ran.err, ran.err


@pytest.mark.parametrize(
    ("value", "kind", "held"),
    [
        ("2", "bool", None),
        ("true", "bool", True),
        ("true", "float64", None),
        ("123456789012345678901234567890", "float64", None),
        ("123456789012345678901234567890", "string", "123456789012345678901234567890"),
        ("0.5", "int64", None),
        ("1e3", "int64", 1000),
    ],
)
def test_a_declared_type_never_changes_a_value(eyas: Eyas, tmp_path: Path, value: str, kind: str, held: object) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text(f'{{"text": "a", "x": {value}}}\n{{"text": "b", "x": null}}\n')
    ran = run(eyas, tmp_path, f"  - {{name: s, jsonl: {{path: in, columns: {{x: {kind}}}}}}}\ntolerance: 1.0")
    assert ran.code == 0, ran.err
    assert curated(tmp_path)["x"].to_pylist() == ([None] if held is None else [held, None])
    if held is None:
        assert "broken_column" in eyas("explain", tmp_path / "runs-0/m", "a.jsonl#1").out


def test_truth_values_of_parquet_are_no_numbers(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": ["a", "b"], "x": [2, None]}), tmp_path / "in/a.parquet")
    ran = run(eyas, tmp_path, "  - {name: s, parquet: {path: in, columns: {x: bool}}}\ntolerance: 1.0")
    assert ran.code == 0 and curated(tmp_path)["text"].to_pylist() == ["b"], ran.err


@pytest.mark.parametrize("nest", ['{"raw": 1, "k": %s}', '[{"raw": %s}]'])
def test_what_cannot_be_dropped_alone_is_said(eyas: Eyas, tmp_path: Path, nest: str) -> None:
    (tmp_path / "in").mkdir()
    lines = [f'{{"text": "t", "m": {nest % value}}}\n' for value in ("1", '"x"')]
    (tmp_path / "in/a.jsonl").write_text("".join(lines))
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in, drop: [m.raw]}}")
    assert ran.code == 3 and "m.raw" in ran.err, ran.err


def test_twins_among_columns_are_refused_by_name(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    twins = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "x", "x"])
    pq.write_table(twins, tmp_path / "in/a.parquet")
    ran = run(eyas, tmp_path, "  - {name: s, parquet: {path: in}}")
    assert ran.code == 3 and "a.parquet: several columns are called x" in ran.err


@pytest.mark.parametrize("stage", ["exact_dedup: {by: m.u, max_loss: 1}", "url_filter: {column: m.u, words: [w.txt]}"])
def test_every_stage_that_takes_a_column_takes_one_in_a_nest(eyas: Eyas, tmp_path: Path, stage: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "w.txt").write_text("bad\n")
    jsonl(tmp_path / "in/a.jsonl", [{"text": f"t{u}", "m": {"u": u}} for u in ("http://a", "http://a", "http://bad/x")])
    ran = run(eyas, tmp_path, "  - {name: s, jsonl: {path: in}}", f"[{{{stage}}}]")
    assert ran.code == 0, ran.err
    out = curated(tmp_path)
    assert (
        out.num_rows == 2
        and "m.u" not in out.column_names
        and out.schema.field("m").type == pa.struct({"u": pa.string()})
    )
