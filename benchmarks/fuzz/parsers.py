"""One Atheris process: `python -m benchmarks.fuzz.parsers TARGET CORPUS SECONDS`; libFuzzer keeps what reaches new code."""

from __future__ import annotations

import glob
import random
import sys
from pathlib import Path

import eyas


def main() -> None:
    name, folder, seconds = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    import atheris

    with atheris.instrument_imports(include=["eyas"], exclude=_compiled()):
        from benchmarks.fuzz import targets

    target = targets.TARGETS[name]
    corpus, findings = folder / "corpus", folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    escaped = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in target.words()]
    words = folder / "words.dict"
    words.write_text("".join(f'"{word}"\n' for word in escaped or ["text"]))
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={findings}/",
        f"-dict={words}",
        "-max_len=32768",
        "-timeout=20",
        "-rss_limit_mb=4096",
        "-malloc_limit_mb=2048",
        "-print_final_stats=1",
    ]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        found = target.mutate(data, rng) if rng.random() < 0.7 else None
        return atheris.Mutate(data, most) if found is None or len(found) > most else found

    atheris.Setup([sys.argv[0], str(corpus), *options], lambda data: targets.run(name, data), custom_mutator=mutate)
    atheris.Fuzz()


def _compiled() -> list[str]:
    """The modules with kernels: numba compiles their byte code, which must stay as it is."""
    root = Path(eyas.__file__).parent
    # The rooms are links, which `rglob` does not follow.
    paths = [Path(name) for name in glob.glob(f"{root}/**/*.py", recursive=True)]
    files = [path.relative_to(root) for path in paths if "text_kernels.jit" in path.read_text()]
    return [".".join(("eyas", *path.with_suffix("").parts)) for path in files]


if __name__ == "__main__":
    main()
