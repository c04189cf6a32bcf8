-- Takes back, last made first.

ALTER TABLE document_vectors ADD CONSTRAINT fk_document_vectors_collection_id_collections FOREIGN KEY (collection_id) REFERENCES collections (collection_id) ON DELETE CASCADE;
ALTER TABLE collection_documents ADD CONSTRAINT fk_collection_documents_collection_id_collections FOREIGN KEY (collection_id) REFERENCES collections (collection_id) ON DELETE CASCADE;

DROP INDEX ix_document_versions_deleted;
DROP INDEX ix_documents_deleted;
DROP INDEX ix_embeddings_used_on;
ALTER TABLE embeddings DROP COLUMN used_on;

DROP TABLE pipelines;

DROP INDEX ix_segment_items_object_uri;
DROP INDEX ix_document_versions_content_hash;
ALTER TABLE document_versions DROP COLUMN filename, DROP COLUMN mime, DROP COLUMN size;

DROP TABLE evaluations;
DROP TABLE keyword_indexes;
DROP TABLE artifact_events;
DROP TRIGGER retrieval_runs_are_numbered ON retrieval_runs;
DROP TRIGGER index_builds_are_numbered ON index_builds;
DROP TRIGGER indexes_are_numbered ON indexes;
DROP TRIGGER chunk_sets_are_numbered ON chunk_sets;
DROP TRIGGER segment_sets_are_numbered ON segment_sets;
DROP TRIGGER document_versions_are_numbered ON document_versions;
DROP TRIGGER documents_are_numbered ON documents;
DROP FUNCTION artifacts_are_numbered;
DROP TABLE artifacts;
DROP TABLE artifact_feeds;
