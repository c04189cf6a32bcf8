"""What a language model is asked about one group, as data: its parts, and the hash by which an answer is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shoald.domain.json_types import JsonObject


class PartKind(StrEnum):
    """What one part of a question is."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


def sniffed(data: bytes, kind: PartKind) -> str:
    """Return the media type of bytes by how they begin; a common one of the kind where that says nothing."""
    begins = (
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"OggS", "audio/ogg"),
    )
    for sign, media_type in begins:
        if data.startswith(sign):
            return media_type
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "video/avi")
    if data[:3] == b"ID3" or data[:2] in {b"\xff\xfb", b"\xff\xf3"}:
        return "audio/mpeg"
    return {PartKind.IMAGE: "image/jpeg", PartKind.AUDIO: "audio/mpeg"}.get(kind, "video/mp4")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPart:
    """One part of a question: words, or a picture, a film or a sound.

    Media go either as bytes with their `media_type` or as a `url` that the provider fetches; bytes of stored objects
    are what `load` returns, when they are needed. `source` is what a stored object is known by, in place of a link to
    it, which is another one each time.
    """

    kind: PartKind = PartKind.TEXT
    text: str = ""
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    source: str | None = None
    load: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    def as_json(self) -> dict[str, object]:
        """Return the part as people may look at it: links and bytes by what they are known by."""
        if self.kind is PartKind.TEXT:
            return {"type": self.kind.value, "text": self.text}
        return {"type": self.kind.value, "source": self.source or self.url}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPrompt:
    """One question to one model.

    `system` are our instructions, `parts` the group's documents, within lines that hold `fence`: a word that nobody
    who wrote a document could know. `json_schema` is what an answer looks like, `parameters` go to the provider as
    they are. With `wants_json` the provider is asked to answer by the schema. No part of it says which group it is, so
    equal groups have equal questions.
    """

    provider: str
    model: str
    system: str
    parts: tuple[PromptPart, ...]
    json_schema: JsonObject
    max_output_tokens: int
    fence: str = ""
    parameters: JsonObject = field(default_factory=dict)
    wants_json: bool = True

    @property
    def content_hash(self) -> str:
        """What the answer depends on, in 64 hex digits: model, words, media and parameters, whatever the fence is."""
        said = [self.provider, self.model, self._plain(self.system), self.max_output_tokens]
        shown = [{key: self._plain(one) for key, one in part.as_json().items()} for part in self.parts]
        whole = [*said, shown, dict(self.json_schema), dict(self.parameters), self.wants_json]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=dict).encode()).hexdigest()

    def with_parts(self, *more: PromptPart) -> LabelPrompt:
        """Return the question with more parts at its end."""
        return replace(self, parts=(*self.parts, *more))

    def _plain(self, text: object) -> object:
        return text.replace(self.fence, "") if self.fence and isinstance(text, str) else text
