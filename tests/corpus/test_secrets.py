"""Which addresses hold a secret, and how they are shown."""

from __future__ import annotations

import pytest

from eyas.corpus.secrets import holds_secret, masked, refuse_secret
from eyas.errors import InputError

WITH = (
    "s3://AKID:secret@bucket/a",
    "https://user:secret@example.org/",
    "redis://:secret@host:6379/0",
    "sftp://u:s%40crt@host/path",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=secret",
    "https://acc.blob.core.windows.net/c?sv=1&sig=secret",
    "https://example.org/v1?api_key=secret",
    "https://example.org/?access_token=secret",
)
WITHOUT = (
    "/data/a@b:c/in",
    "data/user:secret@x",
    "C:/data",
    "s3://bucket/key@with:signs",
    "sftp://user@host/path",
    "https://example.org/?monkey=1&keyboard=2&q=token",
    "https://example.org/a?token=",
    "file:///tmp/a@b",
    "",
)


@pytest.mark.parametrize("url", WITH)
def test_a_secret_is_seen_and_masked(url: str) -> None:
    assert holds_secret(url)
    assert "secret" not in masked(url) and "AKID" not in masked(url) and "s%40crt" not in masked(url)
    with pytest.raises(InputError, match="environment") as caught:
        refuse_secret(url)
    assert "secret@" not in str(caught.value) and "=secret" not in str(caught.value)


@pytest.mark.parametrize("url", WITHOUT)
def test_other_addresses_and_paths_are_left_alone(url: str) -> None:
    assert not holds_secret(url)
    refuse_secret(url)
