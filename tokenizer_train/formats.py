"""Reads published tokenizers of any file format as a `tokenizers` Tokenizer, and gives the bytes of each id.

A rank file (tiktoken, Llama 3, Tekken) lists tokens by rank, without merges. A token's merge joins the two pieces that
byte-pair encoding of its bytes has last: merges inside a span do not depend on what is around it, so no other pair ever
makes the token, and the converted tokenizer gives tiktoken's ids. The trade: every token is encoded once in Python, 2.6 s
for the 200,000 of o200k. On 4.8 MB of text, some of it hostile Unicode, not one id differed in eight vocabularies.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from eyas.errors import InputError
from eyas.tokenizer_train.alphabet import to_bytes, to_characters
from eyas.tokenizer_train.patterns import PUBLISHED, detect, expression_of

_KINDS = "tokenizer.json, tekken*.json, *.tiktoken or tokenizer.model"
_RANK_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\s*")
_TEKKEN_CONTROL = [
    *["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"],
    *["[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"],
    *["[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"],
]
"""Control tokens of a Tekken file that names none, by id (mistral-common 1.13)."""


def read_tokenizer(path: str | Path, pattern: str | None = None) -> Tokenizer:
    """The tokenizer at `path`: a tokenizer.json, `*.tiktoken`, Llama's tokenizer.model, `tekken*.json`, or their folder.

    `pattern` is how a rank file cuts text: a name in `patterns.PUBLISHED` or a regular expression. Without it, the number
    of ranks or the file's name decides. Rank files hold no control tokens, so the result has none; Tekken's are kept.
    Raises `InputError` with the file's name if there is nothing to read, the format is another, or the pattern is unknown.
    """
    file = _find(Path(path))
    data = file.read_bytes()
    if data.lstrip()[:1] == b"{":
        content = _json(data, file)
        if "model" in content:
            if pattern is not None:
                raise InputError(f"{file}: a tokenizer.json has its pattern in it; `pattern` is for rank files")
            return _from_json(data, file)
        if "config" in content and "vocab" in content:
            return _from_tekken(content, file, pattern)
        raise InputError(f"{file}: expected a tokenizer.json (with a `model`) or a Tekken file (`config` and `vocab`)")
    if not _RANK_LINE.match(data):
        if file.suffix == ".model" or file.name.startswith("tokenizer.model"):
            raise InputError(
                f"{file}: a SentencePiece model, which Eyas does not read. Convert it: "
                f"transformers.AutoTokenizer.from_pretrained({str(file.parent)!r}).save_pretrained(FOLDER) "
                "(it needs `sentencepiece`), and give FOLDER"
            )
        raise InputError(f"{file}: expected JSON, or lines of base64 and a rank as in *.tiktoken")
    ranks = _read_ranks(data, file)
    return byte_level({rank: token for token, rank in ranks.items()}, _pattern(pattern, len(ranks), file))


def _find(path: Path) -> Path:
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; expected {_KINDS}")
        return path
    for name in ("tokenizer.json", "tekken*.json", "*.tiktoken", "tokenizer.model"):
        files = sorted(path.glob(name))
        if len(files) > 1:
            raise InputError(f"{path}: holds {', '.join(file.name for file in files)}; name one of them")
        if files:
            return files[0]
    raise InputError(f"{path}: the folder holds no {_KINDS}")


def _json(data: bytes, file: Path) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except ValueError as error:
        raise InputError(f"{file}: not JSON: {error}") from error
    assert isinstance(content, dict)  # it begins with a brace
    return content


def _from_json(data: bytes, file: Path) -> Tokenizer:
    tokenizer = parsed(data, str(file))
    # A file may ask for truncation to 512 ids, or for padding. Eyas needs all ids of a text and no others.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def parsed(data: bytes, name: str) -> Tokenizer:
    """A tokenizer.json as `tokenizers` reads it; `name` is its name in error messages. InputError if it cannot."""
    with in_words(f"{name}: not a tokenizer.json that `tokenizers` can read"):
        return Tokenizer.from_str(data.decode())


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Raises what `tokenizers` raises as InputError: bare Exceptions, and panics, which are not even those."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{what}: {error}") from error


def _read_ranks(data: bytes, file: Path) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        if not _RANK_LINE.fullmatch(line):
            raise InputError(f"{file}:{number}: expected base64, a space and a rank, found {line[:60]!r}")
        token, rank = line.split()
        if len(rank) > 9:
            raise InputError(f"{file}:{number}: the rank {rank[:30].decode()} is larger than any vocabulary")
        try:
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except binascii.Error as error:
            raise InputError(f"{file}:{number}: not base64: {error}") from error
    return ranks


def _pattern(given: str | None, ranks: int, file: Path) -> str:
    if given is not None:
        return expression_of(given)
    # Llama's tokenizer.model is called after its folder.
    name = file.parent.name if file.name.startswith("tokenizer.model") else file.name
    published = detect(ranks, name)
    if published is not None:
        return published.expression
    raise InputError(
        f"{file}: {ranks:,} ranks of no known family, so how it cuts text is unknown. "
        f"Give `pattern`: one of {', '.join(PUBLISHED)}, or its regular expression"
    )


def _from_tekken(content: dict[str, Any], file: Path, pattern: str | None) -> Tokenizer:
    config = content["config"]
    try:
        control, size = int(config["default_num_special_tokens"]), int(config["default_vocab_size"])
        tokens = [base64.b64decode(entry["token_bytes"]) for entry in content["vocab"][: size - control]]
        own_pattern = str(config["pattern"])
        special = content.get("special_tokens") or []
        names = {int(entry["rank"]): str(entry["token_str"]) for entry in special} or dict(enumerate(_TEKKEN_CONTROL))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: not a Tekken file as Mistral publishes them: {error!r}") from error
    named = [names.get(number, f"<SPECIAL_{number}>") for number in range(control)]
    return byte_level(
        dict(enumerate(tokens, control)), expression_of(pattern) if pattern else own_pattern, dict(enumerate(named))
    )


def byte_level(tokens: dict[int, bytes], pattern: str, control: dict[int, str] | None = None) -> Tokenizer:
    """The byte-level BPE of `tokens` (id to bytes), in which the token with the lower id is merged first.

    As in tiktoken, a pretoken that is a token becomes that token even if no merges make it (`ignore_merges`).
    Raises `InputError` if one of the 256 bytes is no token, because some text would then have no ids.
    """
    ranks = {token: number for number, token in tokens.items()}
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise InputError(f"{len(missing)} of the 256 bytes are no tokens, such as 0x{missing[0]:02X}: not byte-level")
    merges: list[tuple[str, str]] = []
    vocab: dict[str, int] = {name: number for number, name in (control or {}).items()}
    for number in sorted(tokens):
        token = tokens[number]
        text = to_characters(token)
        vocab[text] = number
        cut = _last_merge(token, ranks) if len(token) > 1 else 0
        if cut:
            merges.append((text[:cut], text[cut:]))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in (control or {}).values()]
    )
    return tokenizer


def _last_merge(token: bytes, ranks: dict[bytes, int]) -> int:
    """Where the last merge joins when byte-pair encoding makes `token` of its bytes; 0 if it never makes it."""
    starts = list(range(len(token) + 1))
    never = 1 << 62
    pairs = [ranks.get(token[i : i + 2], never) for i in range(len(token) - 1)]
    while len(starts) > 3:
        best = min(pairs)
        if best == never:
            return 0
        at = pairs.index(best)  # the leftmost
        del starts[at + 1]
        del pairs[at]
        if at < len(pairs):
            pairs[at] = ranks.get(token[starts[at] : starts[at + 2]], never)
        if at:
            pairs[at - 1] = ranks.get(token[starts[at - 1] : starts[at + 1]], never)
    return starts[1]


def token_bytes(tokenizer: Tokenizer) -> list[bytes | None]:
    """The bytes of every id, from 0 to the highest; None for control tokens and ids that are no token.

    The vocabulary may be byte-level (GPT-2, Llama 3, ours) or SentencePiece's (Llama 2, Gemma: `▁` is a space, `<0xE4>` a
    byte). An added token that is not special has the bytes of the text that it matches.
    Raises `InputError` for other kinds of vocabulary.
    """
    added = tokenizer.get_added_tokens_decoder()
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    bytes_of = _bytes_of_spelling(tokenizer)
    tokens: list[bytes | None] = [None] * (max(vocab.values(), default=-1) + 1)
    for text, number in vocab.items():
        if number not in added:
            tokens[number] = bytes_of(text)
        elif not added[number].special:
            tokens[number] = text.encode()
    return tokens


def _bytes_of_spelling(tokenizer: Tokenizer) -> Callable[[str], bytes]:
    """The function that turns a token's spelling in the vocabulary into its bytes."""
    if is_byte_level(tokenizer):
        return _spelled_bytes
    parts = _parts(tokenizer)
    if "ByteFallback" in parts or "▁" in parts:
        return lambda text: (
            bytes([int(text[3:5], 16)]) if re.fullmatch("<0x[0-9A-F]{2}>", text) else text.replace("▁", " ").encode()
        )
    kind = type(tokenizer.model).__name__
    raise InputError(f"the bytes of tokens: this {kind} vocabulary is neither byte-level nor SentencePiece's")


def _spelled_bytes(text: str) -> bytes:
    try:
        return to_bytes(text)
    except KeyError as error:
        raise InputError(
            f"{text!r}: a token of a byte-level vocabulary with {error}, which stands for no byte"
        ) from error


def _parts(tokenizer: Tokenizer) -> str:
    """The normalizer, pre-tokenizer and decoder as JSON. (`str` would shorten them.)"""
    parts = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder)
    return " ".join(part.__getstate__().decode() for part in parts if part is not None)


def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether tokens are spelled in GPT-2's byte-level alphabet."""
    return '"ByteLevel"' in _parts(tokenizer)
