-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- Items are written only in the transaction that adds their set, which nobody else sees before it is whole: to look the
-- set up for each of a hundred thousand rows was two fifths of writing them.
ALTER TABLE segment_items DROP CONSTRAINT fk_segment_items_segment_set_version_id_segment_sets;
ALTER TABLE chunk_items DROP CONSTRAINT fk_chunk_items_chunk_set_version_id_chunk_sets;

CREATE FUNCTION delete_segment_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM segment_items WHERE segment_set_version_id = OLD.segment_set_version_id;
    RETURN NULL;
END $$;
CREATE TRIGGER segment_sets_go_with_their_items AFTER DELETE ON segment_sets
FOR EACH ROW EXECUTE FUNCTION delete_segment_items();

CREATE FUNCTION delete_chunk_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM chunk_items WHERE chunk_set_version_id = OLD.chunk_set_version_id;
    RETURN NULL;
END $$;
CREATE TRIGGER chunk_sets_go_with_their_items AFTER DELETE ON chunk_sets
FOR EACH ROW EXECUTE FUNCTION delete_chunk_items();
