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

-- Whether a document has several values of a field, in a list or below the objects of one. Where none has, what several
-- conditions say must hold for one value, and a range between two bounds is one part of an index. Set by whoever writes
-- the first such document, in its transaction, and never taken back.
ALTER TABLE payload_indexes ADD COLUMN has_several BOOLEAN DEFAULT false NOT NULL;
UPDATE payload_indexes AS i SET has_several = true
WHERE EXISTS (
    SELECT FROM payload_values AS v WHERE v.namespace_id = i.namespace_id AND v.field_name = i.field_name
    GROUP BY v.collection_id, v.document_id HAVING count(*) > 1
);

CREATE OR REPLACE FUNCTION keep_payload_values() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM payload_indexes) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM payload_values AS kept USING old_documents AS was
        WHERE kept.collection_id = was.collection_id AND kept.document_id = was.document_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        WITH stored AS (
            INSERT INTO payload_values (namespace_id, collection_id, field_name, document_id, text_value, number_value)
            SELECT i.namespace_id, d.collection_id, i.field_name, d.document_id, found.text_value, found.number_value
            FROM new_documents AS d
            JOIN collections AS c ON c.collection_id = d.collection_id
            JOIN payload_indexes AS i ON i.namespace_id = c.namespace_id AND i.state <> 'removing'
            CROSS JOIN LATERAL values_of_payload(d.payload, i.path::jsonpath) AS found
            RETURNING namespace_id, field_name, collection_id, document_id
        ), several AS (
            SELECT DISTINCT namespace_id, field_name FROM stored
            GROUP BY namespace_id, field_name, collection_id, document_id HAVING count(*) > 1
        ), held AS (
            SELECT i.namespace_id, i.field_name FROM payload_indexes AS i JOIN several USING (namespace_id, field_name)
            WHERE NOT i.has_several
            ORDER BY i.namespace_id, i.field_name
            FOR UPDATE OF i
        )
        UPDATE payload_indexes AS i SET has_several = true FROM held
        WHERE i.namespace_id = held.namespace_id AND i.field_name = held.field_name;
    END IF;
    RETURN NULL;
END
$$;

ANALYZE payload_values;
