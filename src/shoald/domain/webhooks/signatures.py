"""A body and a secret go in, the headers by which its receiver knows who sent it come out.

Two forms in one request: the documented `X-Mixpeek-Signature`, and Standard Webhooks
(https://www.standardwebhooks.com), for which there are libraries in many languages.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

_STANDARD_PREFIX = "whsec_"


def documented_signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>." and the raw body>`, keyed by the secret as it is written.

    >>> documented_signature("secret", 1, b"{}")
    't=1,v1=1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908'
    """
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, 'sha256').hexdigest()}"


def standard_signature(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: `v1,<Base64>` for each secret, the newest first.

    A receiver accepts a message that one of its own secrets has signed, so that secrets can be changed while messages
    are under way.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(standard_key(secret), signed, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def standard_key(secret: str) -> bytes:
    """Return the key that Standard Webhooks means by a secret: what `whsec_` has in Base64 behind it, else its bytes.

    >>> standard_key("whsec_c2hvYWw="), standard_key("shoal")
    (b'shoal', b'shoal')
    """
    if secret.startswith(_STANDARD_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_STANDARD_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()
