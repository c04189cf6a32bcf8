"""Collections in PostgreSQL; their documents come from `collection_documents.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BindParameter,
    Integer,
    Row,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.collection_documents import CollectionDocumentRows
from shoald.adapters.postgres.collection_visibility import KEPT_BY, collection_ids_of, not_hidden
from shoald.adapters.postgres.document_changes import DocumentChangeRows
from shoald.adapters.postgres.document_questions import DocumentQuestionRows
from shoald.adapters.postgres.lineage import VISIBLE_COLLECTIONS
from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.namespaces import read_vector_configs, stored_vector_configs
from shoald.adapters.postgres.tables.clusters import collection_documents, collections, document_vectors
from shoald.adapters.postgres.tables.outputs import cluster_outputs, enriched_collections
from shoald.application.listing import Selection
from shoald.domain.failures import AlreadyExists
from shoald.domain.records.collection import Collection, VectorConfig

_SORTABLE = ("collection_id", "collection_name", "document_count", "created_at", "updated_at")
_LISTED = ListedTable(
    table=collections,
    id=collections.c.collection_id,
    sortable={name: collections.c[name] for name in _SORTABLE},
    searched=(collections.c.collection_id, collections.c.collection_name, collections.c.description),
)
_WORD: BindParameter[str] = bindparam("word")
# made once: building a statement costs more than sending it
_ID_OR_NAME = (
    select(collections)
    .where(collections.c.namespace_id == bindparam("namespace_id"))
    .where(or_(collections.c.collection_id == _WORD, collections.c.collection_name == _WORD))
    .order_by((collections.c.collection_id == _WORD).desc())
)


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        collection_id=row.collection_id,
        namespace_id=row.namespace_id,
        collection_name=row.collection_name,
        description=row.description,
        index_id=row.index_id,
        index_build_id=row.index_build_id,
        vector_configs=read_vector_configs(row.vector_configs),
        metadata=row.metadata,
        source=row.source,
        feature_extractor=row.feature_extractor,
        revision=row.revision,
        document_count=row.document_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


class PostgresCollections(CollectionDocumentRows, DocumentChangeRows, DocumentQuestionRows):
    """Collections of one transaction."""

    def add(self, collection: Collection) -> None:
        """Store an empty collection."""
        values = {
            "collection_id": collection.collection_id,
            "namespace_id": collection.namespace_id,
            "collection_name": collection.collection_name,
            "description": collection.description,
            "index_id": collection.index_id,
            "vector_configs": stored_vector_configs(collection.vector_configs),
            "metadata": dict(collection.metadata),
            "source": dict(collection.source),
            "feature_extractor": dict(collection.feature_extractor),
            "created_at": collection.created_at,
            "updated_at": collection.updated_at,
        }
        with self._unless_taken(collection):
            self._connection.execute(insert(collections).values(values))

    def find(self, namespace_id: str, id_or_name: str) -> Collection | None:
        """Return the collection of the namespace with this id, else the one with this name."""
        asked = {"namespace_id": namespace_id, "word": id_or_name}
        rows = self._connection.execute(_ID_OR_NAME, asked).all()
        return next((_collection(row) for row in not_hidden(self._connection, rows)), None)

    def is_taken(self, namespace_id: str, name: str) -> bool:
        """Look among all rows, hidden ones too."""
        statement = select(collections.c.collection_id).where(
            collections.c.namespace_id == namespace_id, collections.c.collection_name == name
        )
        return self._connection.execute(statement).first() is not None

    def find_many(self, namespace_id: str, ids_or_names: Sequence[str]) -> dict[str, Collection]:
        """Ask for ids and names at once; an id wins over another's name."""
        words = list(dict.fromkeys(ids_or_names))
        statement = select(collections).where(
            collections.c.namespace_id == namespace_id,
            or_(collections.c.collection_id.in_(words), collections.c.collection_name.in_(words)),
        )
        found = [_collection(row) for row in not_hidden(self._connection, self._connection.execute(statement).all())]
        meant = {one.collection_name: one for one in found} | {one.collection_id: one for one in found}
        return {word: meant[word] for word in words if word in meant}

    def get_many(self, namespace_id: str, collection_ids: Sequence[str]) -> list[Collection]:
        """Return those of the namespace that there are, by id."""
        wanted = select(collections).where(
            collections.c.namespace_id == namespace_id, collections.c.collection_id.in_(collection_ids)
        )
        return [_collection(row) for row in not_hidden(self._connection, self._connection.execute(wanted).all())]

    def names(self, namespace_id: str, collection_ids: Sequence[str]) -> Mapping[str, str]:
        """Read a few columns."""
        wanted = select(*KEPT_BY, collections.c.collection_name).where(
            collections.c.namespace_id == namespace_id, collections.c.collection_id == func.any(list(collection_ids))
        )
        found = not_hidden(self._connection, self._connection.execute(wanted).all())
        return {row.collection_id: row.collection_name for row in found}

    def are_at(self, namespace_id: str, revisions: Mapping[str, int]) -> bool:
        """Compare them in the database."""
        pairs = func.unnest(literal(list(revisions), ARRAY(Text)), literal(list(revisions.values()), ARRAY(Integer)))
        read = pairs.table_valued("collection_id", "revision").render_derived()
        same = (collections.c.collection_id == read.c.collection_id) & (collections.c.revision == read.c.revision)
        unchanged = select(*KEPT_BY).join(read, same).where(collections.c.namespace_id == namespace_id)
        return len(not_hidden(self._connection, self._connection.execute(unchanged).all())) == len(revisions)

    def of_index(self, index_id: str) -> Collection | None:
        """Return the collection that an index keeps."""
        row = self._connection.execute(select(collections).where(collections.c.index_id == index_id)).first()
        return None if row is None else _collection(row)

    def ids_in(self, namespace_id: str, *, hidden: bool = False) -> Sequence[str]:
        """Return the ids of all collections of the namespace, hidden ones too if asked."""
        return collection_ids_of(self._connection, namespace_id, hidden=hidden)

    def list(self, namespace_id: str, selection: Selection) -> list[Collection]:
        """Return collections, newest first unless sorted."""
        statement = select(collections).where(collections.c.namespace_id == namespace_id, VISIBLE_COLLECTIONS)
        return [_collection(row) for row in self._connection.execute(_LISTED.page(statement, selection))]

    def count(self, namespace_id: str, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        mine = and_(collections.c.namespace_id == namespace_id, VISIBLE_COLLECTIONS)
        return self._connection.execute(_LISTED.count(mine, selection)).scalar_one()

    def count_in_listed(self, namespace_id: str, selection: Selection) -> int:
        """Count the documents of all collections that `list` would return without limits."""
        mine = and_(collections.c.namespace_id == namespace_id, VISIBLE_COLLECTIONS, _LISTED.conditions(selection))
        total = select(func.coalesce(func.sum(collections.c.document_count), 0)).where(mine)
        return int(self._connection.execute(total).scalar_one())

    def lock(self, collection_id: str) -> Collection | None:
        """Return a collection and keep other writers away from it until the transaction ends."""
        statement = select(collections).where(collections.c.collection_id == collection_id).with_for_update()
        row = self._connection.execute(statement).first()
        return None if row is None else _collection(row)

    def delete(self, collection_id: str) -> None:
        """Remove a collection with its documents, once nobody is writing any."""
        if self.lock(collection_id) is None:  # not there, or not seen by whom this is for: documents have no policy
            return
        self._connection.execute(delete(document_vectors).where(document_vectors.c.collection_id == collection_id))
        self._connection.execute(
            delete(collection_documents).where(collection_documents.c.collection_id == collection_id)
        )
        for table in (enriched_collections, cluster_outputs, collections):
            self._connection.execute(delete(table).where(table.c.collection_id == collection_id))

    def update(self, collection: Collection) -> None:
        """Store name, description and metadata of a collection."""
        values = {
            "collection_name": collection.collection_name,
            "description": collection.description,
            "metadata": dict(collection.metadata),
            "updated_at": collection.updated_at,
        }
        with self._unless_taken(collection):
            self._connection.execute(
                update(collections).where(collections.c.collection_id == collection.collection_id).values(values)
            )

    @contextmanager
    def _unless_taken(self, collection: Collection) -> Iterator[None]:
        try:
            with self._connection.begin_nested():
                yield
        except IntegrityError as error:
            message = f"There is a collection {collection.collection_name!r} already."
            raise AlreadyExists(message, detail={"collection_name": collection.collection_name}) from error

    def set_vector_configs(self, collection_id: str, configs: Sequence[VectorConfig]) -> None:
        """Say which named vectors the documents have."""
        self._connection.execute(
            update(collections)
            .where(collections.c.collection_id == collection_id)
            .values(vector_configs=stored_vector_configs(configs))
        )
