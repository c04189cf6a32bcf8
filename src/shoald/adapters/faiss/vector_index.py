"""Vector search by FAISS: a build writes one file to the object store, whoever searches maps it read-only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from shoald.adapters.faiss.building import build_index
from shoald.adapters.faiss.index_files import has_gpu, load_faiss, map_index, write_index
from shoald.adapters.faiss.opened_index import OpenedIndex
from shoald.application.keyed_locks import KeyedLocks
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.vector_index import VectorHit
from shoald.domain.failures import ArtifactNotFound, InvalidIndexConfig, MissingFaissArtifact
from shoald.domain.index_config import read_config
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.nearest import Candidates, nearest

_FILE = "index.faiss"


class FaissVectorIndex:
    """Builds and searches FAISS files of every kind: `flat`, `hnsw`, `ivf`, or the one that suits their number."""

    def __init__(self, objects: ObjectStore, *, use_gpu: bool = False, most_open: int = 16) -> None:
        load_faiss()
        self._objects = objects
        self._gpu = use_gpu and has_gpu()
        self._most_open = most_open
        self._opened: OrderedDict[str, OpenedIndex] = OrderedDict()
        self._lock = threading.Lock()
        self._opening = KeyedLocks()

    def build(
        self,
        build_id: str,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        *,
        attempt: int,
        config: JsonObject,
        progress: Callable[[float], None],
    ) -> JsonObject:
        """Write the index under a key of this attempt's own; it is found through the manifest only."""
        if len(ids) != len(vectors):
            raise ValueError("as many ids as vectors")
        shape = read_config(config).shape
        built = build_index(vectors, shape, gpu=self._gpu, progress=lambda part: progress(0.9 * part))
        folder = f"builds/{build_id}/a{attempt}"
        with self._objects.open_writer() as writer:
            write_index(built.index, writer.write)
            stored = writer.publish(f"{folder}/{_FILE}")
        progress(1.0)
        return {
            "provider": "faiss",
            "vectors": len(vectors),
            "dimension": vectors.shape[1],
            "metric": "cosine",
            "kind": built.kind,
            "effort": built.effort,
            "measured_recall": round(built.recall, 4),
            **built.numbers,
            "backend": built.backend,
            "faiss_local_dir": self._objects.uri(folder),
            "object": {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size},
        }

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        with_vectors: bool = False,
        allowed: npt.NDArray[np.int64] | None = None,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        """Search on the calling thread alone: a server answers many queries at once."""
        if query.shape != (manifest["dimension"],):
            raise InvalidIndexConfig(
                f"The query has {query.size} dimensions, the index {manifest['dimension']}: was the embedder changed?"
            )
        n = int(manifest["vectors"]) if allowed is None else len(allowed)
        if k < 1 or not n:
            return [], np.empty((0, query.size), np.float32) if with_vectors else None
        load_faiss().omp_set_num_threads(1)
        opened = self._open(manifest)
        row = np.ascontiguousarray(query, np.float32)[None, :]

        def fetch(m: int) -> Candidates:
            return opened.fetch(row, m) if allowed is None else opened.fetch_among(row, allowed, m)

        positions, scores, rows = nearest(query, fetch, k=k, n=n)
        hits = [VectorHit(int(position), float(score)) for position, score in zip(positions, scores, strict=True)]
        return hits, rows if with_vectors else None

    def drop(self, manifest: JsonObject) -> None:
        """Forget the file and remove it; who has it mapped may finish."""
        with self._lock:
            self._opened.pop(_name(manifest), None)
        self._objects.delete(manifest["object"]["key"])

    def _open(self, manifest: JsonObject) -> OpenedIndex:
        name = _name(manifest)
        known = self._known(name)
        if known is not None:
            return known
        # reading a file takes its time, or a download; searches of other builds go on meanwhile
        with self._opening.held(name):
            known = self._known(name)
            if known is None:
                known = self._read(manifest)
                self._keep(name, known)
        return known

    def _known(self, name: str) -> OpenedIndex | None:
        with self._lock:
            known = self._opened.get(name)
            if known is not None:
                self._opened.move_to_end(name)
            return known

    def _keep(self, name: str, opened: OpenedIndex) -> None:
        with self._lock:
            self._opened[name] = opened
            while len(self._opened) > self._most_open:
                self._opened.popitem(last=False)

    def _read(self, manifest: JsonObject) -> OpenedIndex:
        stored = manifest["object"]
        try:
            with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
                mapped = map_index(path, effort=_effort(manifest))
        except ArtifactNotFound as error:
            raise MissingFaissArtifact(detail={"key": stored["key"]}) from error
        faiss = load_faiss()
        if not self._gpu or isinstance(mapped, faiss.IndexHNSW):  # graphs are searched on the CPU only
            return OpenedIndex(mapped, mapped)
        resources = faiss.StandardGpuResources()
        return OpenedIndex(mapped, faiss.index_cpu_to_gpu(resources, 0, mapped), threading.Lock(), resources)


def _effort(manifest: JsonObject) -> int:
    # `probes` is the word of builds made before there were graphs
    return int(manifest["effort"] if "effort" in manifest else manifest["probes"])


def _name(manifest: JsonObject) -> str:
    return f"{manifest['object']['key']} {manifest['object']['sha256']}"
