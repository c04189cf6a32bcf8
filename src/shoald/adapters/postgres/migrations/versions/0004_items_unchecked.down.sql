-- Takes back, last made first.
DROP TRIGGER chunk_sets_go_with_their_items ON chunk_sets;
DROP FUNCTION delete_chunk_items();
DROP TRIGGER segment_sets_go_with_their_items ON segment_sets;
DROP FUNCTION delete_segment_items();
ALTER TABLE chunk_items ADD CONSTRAINT fk_chunk_items_chunk_set_version_id_chunk_sets FOREIGN KEY (chunk_set_version_id) REFERENCES chunk_sets (chunk_set_version_id) ON DELETE CASCADE;
ALTER TABLE segment_items ADD CONSTRAINT fk_segment_items_segment_set_version_id_segment_sets FOREIGN KEY (segment_set_version_id) REFERENCES segment_sets (segment_set_version_id) ON DELETE CASCADE;
