-- Takes back, last made first.
ALTER POLICY tenant ON payload_values
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true)));
DROP INDEX ix_payload_values_value;
CREATE INDEX ix_payload_values_value
    ON payload_values (collection_id, field_name, text_value, number_value, document_id);
DROP INDEX ix_payload_values_document;
CREATE INDEX ix_payload_values_document ON payload_values (collection_id, document_id);
DROP STATISTICS payload_values_of_fields;
