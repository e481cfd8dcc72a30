"""`eyas tokenizer surgery`: changes a finished vocabulary, proves what it did, writes the new folder.

The tokenizer is written only if the proof holds; surgery.json, the proof, always. The trade: proving takes longer than
cutting, 16 s in all for a vocabulary of 200,000, and is not optional.
"""

# Tested in tests/tokenizer_train/surgery/test_proof.py.

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import FAULTS_FOUND, UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.help import Verbs

if TYPE_CHECKING:
    from eyas.tokenizer_train.surgery.surgery import Changes

app = Verbs()

Out = Annotated[
    str,
    typer.Option(help="Folder for tokenizer.json, its config, and surgery.json, the proof.", metavar="FOLDER"),
]
DropUnreachable = Annotated[
    bool, typer.Option("--drop-unreachable", help="Drop tokens that no text gives and no merge needs.")
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        help="A token to drop: its text, its spelling in the file, or id:123; may be repeated.", metavar="TOKEN"
    ),
]
Swap = Annotated[
    list[str] | None,
    typer.Option(help="Give OLD's id to the new token NEW; may be repeated.", metavar="OLD=NEW"),
]
Add = Annotated[
    list[str] | None,
    typer.Option(
        help="A new token at the end of the vocabulary. Text gives it where it is a whole pretoken. May be repeated.",
        metavar="TOKEN",
    ),
]
AddFrom = Annotated[
    str | None,
    typer.Option(
        help="Add the extra tokens of a larger tokenizer.json that extends this one, or the tokens listed in a text "
        "file, one per line.",
        metavar="FILE",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        help="Final vocabulary size. Tokens beyond it are dropped from the end; missing ones are filled with "
        "placeholders.",
        min=257,
        metavar="N",
    ),
]
Cascade = Annotated[bool, typer.Option("--cascade", help="Drop tokens that are made of a dropped token too.")]
Check = Annotated[
    list[str] | None,
    typer.Option(help="A UTF-8 text file whose ids must stay the same; may be repeated.", metavar="FILE"),
]
Fuzz = Annotated[int, typer.Option(help="Number of hostile random texts to encode and decode.", min=0, metavar="N")]


@app.verb(
    "eyas tokenizer surgery runs/quickstart/tokenizer --out smaller --drop-unreachable",
    "eyas tokenizer surgery tokenizer.json --out latex --swap 'id:8190=\\oiint' --add '\\coloneqq'",
    "eyas tokenizer surgery tok-32k --out tok-48k --add-from tok-64k/tokenizer.json --size 49152",
    "eyas tokenizer surgery tok-32k --out chat --special --add '<|think|>' --add '<|/think|>' --size 32896",
)
def surgery(
    file: Annotated[str, typer.Argument(help="A tokenizer.json of byte-level BPE, or its folder.", metavar="FILE")],
    out: Out,
    drop_unreachable: DropUnreachable = False,
    drop: Drop = None,
    swap: Swap = None,
    add: Add = None,
    add_from: AddFrom = None,
    size: Size = None,
    special: Annotated[bool, typer.Option("--special", help="Make new tokens control tokens.")] = False,
    cascade: Cascade = False,
    force: Annotated[bool, typer.Option("--force", help="Allow control tokens to be dropped and swapped.")] = False,
    check: Check = None,
    fuzz: Fuzz = 20_000,
    seed: options.Seed = 0,
) -> None:
    """Drop, swap or add tokens. Ids are stable: what stays keeps its id, a dropped id becomes <|reserved_ID|>."""
    from eyas.tokenizer_train.formats import read_tokenizer
    from eyas.tokenizer_train.surgery.surgery import Changes

    tokens, donor = _additions(add_from)
    changes = Changes(
        drop_unreachable=drop_unreachable,
        drop=tuple(drop or ()),
        swap=_swaps(swap),
        add=(*(add or ()), *tokens),
        donor=read_tokenizer(donor) if donor else None,
        size=size,
        special=special,
        cascade=cascade,
        force=force,
    )
    for name in check or ():
        if not Path(name).is_file():
            raise UsageError(f"--check {name}: no such file")
    texts = [line for name in check or () for line in Path(name).read_text("utf-8").splitlines(keepends=True)]
    _carry_out(Path(file), Path(out), changes, texts, fuzz, seed)


def _carry_out(file: Path, folder: Path, changes: Changes, texts: list[str], fuzz: int, seed: int) -> None:
    """Changes the vocabulary, proves the change, prints the proof and writes the folder."""
    from eyas.tokenizer_train.formats import read_tokenizer
    from eyas.tokenizer_train.surgery.proof import prove
    from eyas.tokenizer_train.surgery.surgery import operate

    if not any((changes.drop_unreachable, changes.drop, changes.swap, changes.add, changes.donor, changes.size)):
        raise UsageError("nothing to do: give --drop-unreachable, --drop, --swap, --add, --add-from or --size")
    if folder.resolve() == (file if file.is_dir() else file.parent).resolve():
        raise UsageError(f"--out {folder}: holds the tokenizer that is changed; name another folder")
    old = read_tokenizer(file)
    changed = operate(old, changes)
    proof = prove(old, changed, texts, count=fuzz, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "surgery.json", json.dumps(proof, indent=1, ensure_ascii=False) + "\n")
    for line in _summary(proof):
        typer.echo(line)
    if not proof["holds"]:
        typer.secho(f"the proof fails, see {folder / 'surgery.json'}; no tokenizer was written", err=True, fg="red")
        raise typer.Exit(FAULTS_FOUND)
    _write(folder / "tokenizer.json", changed.tokenizer.to_str(pretty=True))
    config = _without(_config(file, {*changed.dropped, *changed.swapped}), changed.tokenizer)
    _write(folder / "tokenizer_config.json", json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    typer.echo(f"tokenizer, config and proof in {folder}")


def _additions(add_from: str | None) -> tuple[list[str], str | None]:
    """The tokens of a text file, or the path of a vocabulary."""
    if add_from is None:
        return [], None
    path = Path(add_from)
    if not path.exists():
        raise UsageError(f"--add-from {add_from}: no such file or folder")
    if path.is_dir() or path.suffix in (".json", ".model", ".tiktoken"):
        return [], add_from
    return [line for line in path.read_text("utf-8").split("\n") if line], None


def _swaps(given: list[str] | None) -> dict[str, str]:
    swaps: dict[str, str] = {}
    for item in given or []:
        # A token may hold `=` itself: then it is named by its id.
        old, sign, new = item.partition("=")
        if not (old and sign and new):
            raise UsageError(f"--swap {item}: expected OLD=NEW; a token with `=` is named by its id, id:123=NEW")
        if old in swaps:
            raise UsageError(f"--swap {item}: {old!r} is swapped twice")
        swaps[old] = new
    return swaps


def _config(file: Path, touched: set[int]) -> dict[str, Any]:
    """The tokenizer_config.json beside the old tokenizer, without its entries for touched ids; or a minimal one."""
    path = (file if file.is_dir() else file.parent) / "tokenizer_config.json"
    if not path.exists():
        return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    known = config.get("added_tokens_decoder", {})
    if known:
        config["added_tokens_decoder"] = {n: entry for n, entry in known.items() if int(n) not in touched}
    return config


def _without(config: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """The config without control tokens that the new vocabulary lacks: `transformers` would add them again."""
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    return {
        name: value
        for name, value in config.items()
        if not (name.endswith("_token") and isinstance(value, str) and value not in vocab)
    }


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _summary(proof: dict[str, Any]) -> list[str]:
    """The proof in a few lines; tokens as Python shows them, so that a terminal obeys none."""
    ids, reach, trip, same = proof["ids"], proof["reachability"], proof["round_trip"], proof["same_ids"]
    lines = [
        f"tokens       {proof['vocabulary']['before']:,} → {proof['vocabulary']['after']:,}",
        f"ids          {ids['kept']:,} keep their token, {len(ids['dropped']):,} dropped, {len(ids['swapped']):,} swapped, "
        f"{len(ids['added']):,} added, {len(ids['cut_off']):,} cut off; {len(ids['changed']):,} changed that should not",
    ]
    for number, pair in list(ids["swapped"].items())[:10]:
        lines.append(f"  id {number}: {pair['old']!r} is now {pair['new']!r}")
    for word in ("dropped", "added"):
        lines += [f"  id {number}: {token!r} {word}" for number, token in list(ids[word].items())[:10]]
    for when in ("before", "after"):
        counts = reach[when]
        lines.append(
            f"{when:<12} {counts['reachable']:,} reachable, a text for each; {counts['control']:,} control tokens; "
            f"{len(counts['unreachable']):,} without a text"
        )
    for entry in reach["after"]["unreachable"][:20]:
        lines.append(
            f"  id {entry['id']}: {entry['token']!r}: {entry['why']}{'' if entry['proved'] else ' (not proved)'}"
        )
    if reach["lost"]:
        lines.append(f"  {len(reach['lost']):,} were reachable before and are not now: {reach['lost'][:10]}")
    lines += [
        f"round trip   {trip['texts']:,} texts, {trip['bytes']:,} bytes, seed {trip['seed']}: "
        f"{len(trip['failures'])} differ",
        f"same ids     {same['compared']:,} texts without touched tokens: {len(same['failures'])} differ",
    ]
    spelled = proof["control_tokens_spelled_by_text"]
    if spelled:
        lines.append(f"control      text that spells these gives control tokens: {spelled[:10]!r}")
    return [*lines, "the proof holds" if proof["holds"] else "the proof fails"]
