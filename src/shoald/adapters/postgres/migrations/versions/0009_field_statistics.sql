-- What PostgreSQL knows of the values of payload fields, and what it can read from their indexes alone.

-- How many rows a value of a field has: by themselves the two columns are taken for independent.
CREATE STATISTICS payload_values_of_fields (ndistinct, dependencies, mcv)
    ON collection_id, field_name, text_value FROM payload_values;

-- Whoever looks a document up by its id, or ids by a value, needs no look at the rows; the namespace is what the policy
-- asks for.
DROP INDEX ix_payload_values_document;
CREATE INDEX ix_payload_values_document
    ON payload_values (collection_id, document_id, field_name, text_value, number_value) INCLUDE (namespace_id);
DROP INDEX ix_payload_values_value;
CREATE INDEX ix_payload_values_value
    ON payload_values (collection_id, field_name, text_value, number_value, document_id) INCLUDE (namespace_id);

-- A collection lies in one namespace, so that the policy leaves out nothing of it. Said as an equation it would be taken
-- to leave one row of so many as there are namespaces; what coalesce gives is taken to hold for every second.
ALTER POLICY tenant ON payload_values
    USING (coalesce(namespace_id = (SELECT current_setting('shoal.namespace', true)), false));

ANALYZE payload_values;
