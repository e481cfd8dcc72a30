"""A run that one can leave alone: a log, events, its status from another shell, what it cost, a report after a failure."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from harness import Ran
from test_crash import SLOW, finish, wait_for

FAILING = '''
"""A mapper that raises, and one that burns a known time."""
import time
from eyas.corpus import Mapper
from eyas.errors import InputError

STAGES = {"fail": "failing_stage:Fail", "burn": "failing_stage:Burn"}

class Fail(Mapper):
    """Fails."""
    def map(self, docs):
        raise InputError("this stage never works")

class Burn(Mapper):
    """Takes CPU seconds and memory."""
    seconds: float = 0.5
    def map(self, docs):
        data = bytearray(300_000_000)
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass
        return docs
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The stages above."""
    (tmp_path / "failing_stage.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "plugins: [failing_stage]"


def events(run: Path) -> list[dict[str, object]]:
    """The events of a run."""
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def test_output_that_is_no_terminal_is_a_log_and_events_tell_the_same(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path
) -> None:
    options = ("--workers", "0", "--runs", tmp_path / "runs")
    ran = eyas("run", recipe(), *options)
    assert ran.code == 0, ran.err
    begun = re.findall(r"(?m)^\d\d:\d\d:\d\d \[(\d+)/(\d+)\] .* …$", ran.out)
    assert begun == [(str(i), str(len(begun))) for i in range(1, len(begun) + 1)]
    assert len(re.findall(r"(?m)^\d\d:\d\d:\d\d \[\d+/\d+\] .*: done in \d+\.\d s$", ran.out)) == len(begun)
    told = events(tmp_path / "runs/small")
    kinds = [event["event"] for event in told]
    assert kinds[0] == "run_started" and kinds[-1] == "run_finished"
    assert kinds.count("pass_started") == kinds.count("pass_done") == len(begun)
    left = [event["documents_left"] for event in told if event["event"] == "pass_done"]
    curated = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet").height
    assert curated in left
    again = eyas("run", recipe(), *options, "--log-format", "json")
    printed = [event for event in map(json.loads, again.out.splitlines()) if "time" in event]
    assert [event["event"] for event in printed] == [event["event"] for event in events(tmp_path / "runs/small")][
        len(told) :
    ]
    assert {"verified", "pass_kept", "run_finished"} <= {event["event"] for event in printed}
    quiet = eyas("run", recipe(), *options, "--quiet")
    assert quiet.code == 0 and quiet.out == ""


def test_every_thirty_seconds_the_log_says_how_far_it_is(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyas.pipelines.engine.journal.TICK_SECONDS", 0.0)
    ran = eyas("run", recipe(products=""), "--workers", "0", "--runs", tmp_path / "runs")
    lines = re.findall(r"\[\d+/\d+\] .*: documents (\d+) of 6 \((\d+)%\), .* docs/s .*/s, \d+:\d\d:\d\d left", ran.out)
    assert [(int(done), int(share)) for done, share in lines[:6]] == [(i, round(100 * i / 6)) for i in range(1, 7)]


def test_status_from_another_shell_while_it_runs_and_after_it_was_killed(
    recipe: Callable[..., Path],
    eyas: Callable[..., Ran],
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    (tmp_path / "slow_stage.py").write_text(SLOW)
    (tmp_path / "log").mkdir()
    file = recipe(stages=f"\n  - slow: {{log: {tmp_path / 'log'}}}\n", products="", extra="plugins: [slow_stage]")
    run = tmp_path / "runs/small"
    nothing = eyas("status", run)
    assert nothing.code == 3 and "no run has begun here" in nothing.err
    process = start("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    wait_for(lambda: len(list((tmp_path / "log").iterdir())) > 1, process)
    seen = json.loads(eyas("status", run, "--json").out)
    assert (seen["state"], seen["pid"], seen["number"], seen["passes"]) == ("running", process.pid, 1, 3)
    assert "running" in eyas("status", run).out and "pass 1 of 3: read → slow" in eyas("status", run).out
    # What is done can be read while the rest is made.
    first = "0.jsonl#1"
    wait_for(lambda: list(run.glob("passes/*/ledger/part-00000.parquet")), process)
    assert "read" in eyas("explain", run, first).out
    process.kill()
    process.wait()
    assert "dead" in eyas("status", run).out and "run the same command again" in eyas("status", run).out
    finish(start("run", file, "--workers", "0", "--runs", tmp_path / "runs"))
    assert json.loads(eyas("status", run, "--json").out)["state"] == "finished"


def test_a_failed_run_has_a_report_an_explanation_and_calls_the_hook(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path, plugin: str
) -> None:
    file = recipe(stages="\n  - exact_dedup\n  - fail\n", products="", extra=plugin)
    hook = f'echo "$EYAS_EXIT_CODE $EYAS_RUN $EYAS_MESSAGE" > {tmp_path}/hook.txt; exit 3'
    ran = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs", "--on-failure", hook)
    assert ran.code != 0 and "never works" in ran.err and "the command ended with 3" in ran.err
    run = tmp_path / "runs/small"
    told = (tmp_path / "hook.txt").read_text()
    assert told.startswith(f"{ran.code} {run} ") and "never works" in told
    page = (run / "report.html").read_text()
    assert "This run failed" in page and "never works" in page and "exact_dedup" in page
    assert "Not done yet: curated documents, ledger" in page
    assert "exact_duplicate" in eyas("explain", run, "https://example.org/copy").out + page
    state = json.loads(eyas("status", run, "--json").out)
    assert (state["state"], state["exit_code"]) == ("failed", ran.code) and "never works" in state["message"]
    assert eyas("report", run).code == 0
    missing = eyas("run", tmp_path / "nowhere.yaml", "--on-failure", f"touch {tmp_path}/called")
    assert missing.code == 3 and (tmp_path / "called").exists()


def test_what_cannot_be_written_at_the_end_does_not_hide_why_the_run_failed(
    recipe: Callable[..., Path], eyas: Callable[..., Ran], tmp_path: Path, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "report.html")

    monkeypatch.setattr("eyas.pipelines.report.page.write_report", full)
    file = recipe(stages="\n  - fail\n", products="", extra=plugin)
    failed = eyas("run", file, "--workers", "0", "--runs", tmp_path / "runs")
    assert failed.code == 6 and "never works" in failed.err and "No space" not in failed.err
    whole = eyas("run", recipe(name="other", products=""), "--workers", "0", "--runs", tmp_path / "runs")
    assert whole.code == 8 and "No space left" in whole.err


def test_the_cost_ledger_agrees_with_the_operating_system(
    recipe: Callable[..., Path], tmp_path: Path, plugin: str
) -> None:
    """CPU seconds of the whole process within 3 %, the peak of memory, and bytes; kept over two calls."""
    file = recipe(stages="\n  - burn: {seconds: 1.2}\n  - minhash_dedup: {verify_jaccard: 0.7}\n", extra=plugin)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "eyas", "run", str(file), "--workers", "0", "--runs", str(tmp_path / "runs")]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    costs = pl.read_parquet(tmp_path / "runs/small/cost.parquet")
    assert costs["cpu_s"].sum() == pytest.approx(spent, rel=0.03)
    burnt = costs.filter(pl.col("step") == "documents", pl.col("pass").str.contains("burn"))
    assert burnt.height == 6 and burnt["cpu_s"].min() > 1.15
    assert 300e6 < burnt["peak_bytes"].max() < 1.5e9
    size = sum(path.stat().st_size for path in file.parent.glob("runs/small/passes/*/documents/*.parquet"))
    assert burnt["written_bytes"].sum() >= size
    assert costs["requests"].min() >= 0 and costs["requests"].sum() > 20
    subprocess.run(command, check=True, capture_output=True)
    both = pl.read_parquet(tmp_path / "runs/small/cost.parquet")
    assert both.height == costs.height + 1 and both["session"].n_unique() == 2
    assert "Cost" in (tmp_path / "runs/small/report.html").read_text()


@pytest.mark.slow
def test_the_cost_ledger_counts_tasks_on_ray_and_those_that_were_started_again(
    recipe: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]],
    eyas: Callable[..., Ran],
    tmp_path: Path,
    plugin: str,
) -> None:
    text = FAILING.replace("        data = bytearray", "        self.die_once()\n        data = bytearray") + (
        "    def die_once(self):\n"
        "        import os\n"
        f"        mark = {str(tmp_path / 'mark')!r}\n"
        "        if not os.path.exists(mark):\n"
        "            open(mark, 'w').close()\n"
        "            os._exit(1)\n"
    )
    (tmp_path / "failing_stage.py").write_text(text)
    file = recipe(stages="\n  - burn: {seconds: 0.3}\n", products="", extra=plugin)
    finish(start("run", file, "--workers", "2", "--runs", tmp_path / "runs"))
    costs = pl.read_parquet(tmp_path / "runs/small/cost.parquet").filter(pl.col("step") == "documents")
    assert costs.height == 6 and costs["cpu_s"].min() > 0.28
    assert sorted(costs["attempts"])[-1] >= 2
