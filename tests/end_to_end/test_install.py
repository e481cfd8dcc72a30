"""An installed Eyas is one package: nothing of another's is touched, and nothing in a user's folder stands in for ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import digests

ROOT = Path(__file__).parents[2]
ROOMS = ("corpus", "filters", "pipelines", "shards", "synthetic", "text_kernels", "tokenizer_train", "trainer")
RIVAL = "trainer==0.0.36"
"""Another project's package of this name on PyPI, which the first edition overwrote."""


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    """The command's output; the test fails with it if the command does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel built from the repository, and one built from its source distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "direct")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (source,) = folder.glob("*.tar.gz")
    call("tar", "xf", source, "-C", folder)
    unpacked = folder / source.name.removesuffix(".tar.gz")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "from_source", cwd=unpacked)
    (direct,), (from_source,) = (folder / "direct").glob("*.whl"), (folder / "from_source").glob("*.whl")
    return direct, from_source


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that sees our dependencies, but neither Eyas nor the repository."""
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    return tmp_path / "venv"


def site_packages(environment: Path) -> Path:
    (site,) = (environment / "lib").glob("python*/site-packages")
    return site


def install(environment: Path, *what: str | Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--force-reinstall"]
    call(environment / "bin/python", "-m", "pip", "install", *options, *what)


def files_below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_wheel_holds_eyas_only_and_one_from_the_source_distribution_is_the_same(wheels: tuple[Path, Path]) -> None:
    contents = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/RECORD")]
            contents.append({name: archive.read(name) for name in names})
    assert contents[0] == contents[1]
    assert {name.split("/")[0].split("-")[0] for name in contents[0]} == {"eyas"}
    for room in ROOMS:
        assert f"eyas/{room}/__init__.py" in contents[0]
    tracked = call("git", "ls-files", *ROOMS).split() if (ROOT / ".git").exists() else []
    assert [file for file in tracked if f"eyas/{file}" not in contents[0]] == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_an_installed_eyas_runs_from_an_empty_folder(
    how: str, wheels: tuple[Path, Path], environment: Path, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    before = set(os.listdir(site_packages(environment)))
    install(environment, *([wheels[0]] if how == "wheel" else ["--editable", ROOT]))
    gained = {name for name in set(os.listdir(site_packages(environment))) - before if not name.startswith("_")}
    metadata = {name for name in gained if name.startswith("eyas-") and name.endswith(".dist-info")}
    assert len(metadata) == 1 and gained - metadata == ({"eyas"} if how == "wheel" else set())
    empty = tmp_path / "empty"
    empty.mkdir()
    python = environment / "bin/python"
    for room in ROOMS:
        missing = subprocess.run([python, "-c", f"import {room}"], cwd=empty, capture_output=True, text=True)
        assert missing.returncode != 0 and "ModuleNotFoundError" in missing.stderr, room
    home = "site-packages/eyas/" if how == "wheel" else str(ROOT / "src")
    assert home in call(python, "-c", "import eyas.filters; print(eyas.filters.__file__)", cwd=empty)
    out = call(
        environment / "bin/eyas", "run", recipe(products=""), "--workers", "0", "--runs", empty / "runs", cwd=empty
    )
    assert "near_duplicate" in out


def test_another_package_called_trainer_is_left_alone(wheels: tuple[Path, Path], environment: Path) -> None:
    try:
        install(environment, RIVAL)
    except AssertionError as error:
        pytest.skip(f"{RIVAL} cannot be had here: {str(error)[-200:]}")
    theirs = site_packages(environment) / "trainer"
    before = files_below(theirs)
    install(environment, wheels[0])
    assert files_below(theirs) == before
    python = environment / "bin/python"
    assert "trainer/__init__.py" in call(python, "-c", "import eyas.trainer as t; print(t.__file__)")
    assert str(theirs) not in call(python, "-c", "import eyas.trainer as t; print(t.__file__)")
    call(python, "-m", "pip", "uninstall", "--yes", "--quiet", "eyas")
    assert files_below(theirs) == before


@pytest.mark.slow
def test_files_of_the_users_own_do_not_stand_in_for_ours(
    start: Callable[..., subprocess.Popen[str]],
    recipe: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`eyas run` with two Ray workers, in a folder that holds modules of our rooms' names: same bytes, none executed."""
    file = recipe()
    ours = start("run", file, "--workers", "2", "--runs", tmp_path / "elsewhere")
    assert ours.wait(timeout=240) == 0, ours.communicate()[0]
    hostile, marker = tmp_path / "hostile", tmp_path / "executed"
    hostile.mkdir()
    for name in ("trainer.py", "filters/__init__.py", "corpus/__init__.py", "eyas_unrelated.py"):
        (hostile / name).parent.mkdir(exist_ok=True)
        (hostile / name).write_text(f"open({str(marker)!r}, 'a').write(__file__)\nraise SystemExit('not ours')\n")
    monkeypatch.chdir(hostile)
    process = start("run", file, "--workers", "2", "--runs", tmp_path / "runs")
    assert process.wait(timeout=240) == 0, process.communicate()[0]
    assert digests(tmp_path / "runs/small") == digests(tmp_path / "elsewhere/small")
    assert not marker.exists()
