-- Takes back, last made first.
CREATE OR REPLACE FUNCTION keep_payload_values() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM payload_indexes) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM payload_values AS kept USING old_documents AS was
        WHERE kept.collection_id = was.collection_id AND kept.document_id = was.document_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO payload_values (namespace_id, collection_id, field_name, document_id, text_value, number_value)
        SELECT i.namespace_id, d.collection_id, i.field_name, d.document_id, found.text_value, found.number_value
        FROM new_documents AS d
        JOIN collections AS c ON c.collection_id = d.collection_id
        JOIN payload_indexes AS i ON i.namespace_id = c.namespace_id AND i.state <> 'removing'
        CROSS JOIN LATERAL values_of_payload(d.payload, i.path::jsonpath) AS found;
    END IF;
    RETURN NULL;
END
$$;
ALTER TABLE payload_indexes DROP COLUMN has_several;
ALTER POLICY tenant ON payload_values
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true)));
DROP INDEX ix_payload_values_value;
CREATE INDEX ix_payload_values_value
    ON payload_values (collection_id, field_name, text_value, number_value, document_id);
DROP INDEX ix_payload_values_document;
CREATE INDEX ix_payload_values_document ON payload_values (collection_id, document_id);
DROP STATISTICS payload_values_of_fields;
