"""The only place that picks concrete adapters and hands them to use cases.

Each process builds what it needs: `Adapters` makes every adapter at its first use, and heavy libraries are
imported where they are used, so that a worker's parent or the scheduler stays small.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shoald.adapters.system_clock import SystemClock
from shoald.settings import Settings

if TYPE_CHECKING:
    from shoald.adapters.embedders.configured import ConfiguredEmbedders
    from shoald.application.file_links import FileLinks
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.object_store import ObjectStore


@dataclass
class Adapters:
    """The outside of one process: database, queue, objects, embedders. One per process, made in its main thread.

    What holds connections registers its closing in `on_close`.
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    on_close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def objects(self) -> ObjectStore:
        """The home of uploads and artifacts."""
        location = urlsplit(self.settings.objects_location)
        if location.scheme != "s3":
            from shoald.adapters.object_store.local import LocalObjectStore

            return LocalObjectStore(self.settings.objects_folder)
        from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore

        secret = self.settings.s3_secret_access_key
        place = S3Location(
            bucket=location.netloc,
            prefix=location.path,
            endpoint=self.settings.s3_endpoint_url,
            region=self.settings.s3_region,
            access_key_id=self.settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
        )
        return S3ObjectStore(place, self.settings.data_dir / "cache" / "objects")

    @cached_property
    def embedders(self) -> ConfiguredEmbedders:
        """Everyone who turns texts into vectors; `embedders.warm()` loads the bundled model."""
        from shoald.adapters.embedders.configured import ConfiguredEmbedders
        from shoald.adapters.embedders.openai import OpenAIEndpoint

        key = self.settings.openai_api_key
        endpoint = OpenAIEndpoint(
            base_url=self.settings.openai_base_url, api_key=key.get_secret_value() if key else None
        )
        embedders = ConfiguredEmbedders(
            threads=self.settings.embedding_threads,
            endpoint=endpoint,
            openai_model=self.settings.openai_embedding_model,
        )
        self.on_close.callback(embedders.close)
        return embedders

    @cached_property
    def signing_secret(self) -> bytes:
        """The key of download links and sealed cursors."""
        from shoald.adapters.object_store.link_secret import read_or_make_secret

        given = self.settings.signing_secret
        return (
            given.get_secret_value().encode() if given else read_or_make_secret(self.settings.data_dir / "signing.key")
        )

    @cached_property
    def file_links(self) -> FileLinks:
        """Tokens for `/v1/files/{token}`."""
        from shoald.application.file_links import FileLinks

        return FileLinks(self.signing_secret, self.clock)

    def close(self) -> None:
        """Close what was opened, last first."""
        self.on_close.close()
