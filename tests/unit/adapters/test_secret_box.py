from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.adapters.secret_box import AesSecretBox
from shoald.domain.failures import Broken

BOX = AesSecretBox(b"k" * 32)


@given(st.binary())
def test_what_is_sealed_opens_at_its_place(secret: bytes) -> None:
    sealed = BOX.seal(secret, place="wh_a")
    assert BOX.open(sealed, place="wh_a") == secret
    assert BOX.seal(secret, place="wh_a") != sealed
    assert len(secret) < 4 or secret not in sealed


def test_it_opens_nowhere_else_under_no_other_key_and_not_changed() -> None:
    sealed = BOX.seal(b"sesame", place="wh_a")
    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(1, len(sealed))]
    for box, text, place in [
        (BOX, sealed, "wh_b"),
        (AesSecretBox(b"other"), sealed, "wh_a"),
        (BOX, b"", "wh_a"),
        *((BOX, one, "wh_a") for one in changed),
    ]:
        with pytest.raises(Broken):
            box.open(text, place=place)
