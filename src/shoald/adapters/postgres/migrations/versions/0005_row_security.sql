-- Row-level security behind the checks of the code. Servers work as the role shoal_tenant, on behalf of one namespace:
--     role              shoal_tenant; `none` is the login role, which owns the tables and whom no policy binds
--     shoal.namespace   the caller's namespace; empty: a call that is about namespaces, not about what is in one
--     shoal.reach       the namespaces that the caller's key may name, by comma; `*`: all
--     shoal.projects    the projects that the caller's key sees, by comma; `*`: all
-- A session in which nothing is set sees nothing. `(SELECT …)` around a setting lets it be read once for a statement,
-- and an index be asked for it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shoal_tenant') THEN
        CREATE ROLE shoal_tenant NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's migration was quicker
END $$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'shoal_tenant', 'SET') THEN
        EXECUTE format('GRANT shoal_tenant TO %I WITH SET TRUE, INHERIT FALSE', current_user);
    END IF;
END $$;

-- What belongs to a namespace itself, whichever tables there are.
DO $$
DECLARE
    belongs TEXT;
BEGIN
    FOR belongs IN
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attname = 'namespace_id'
            AND NOT a.attisdropped AND c.relname NOT IN ('namespaces', 'projects', 'jobs')
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', belongs);
        EXECUTE format('CREATE POLICY tenant ON %I TO shoal_tenant
            USING (namespace_id = (SELECT current_setting(''shoal.namespace'', true)))', belongs);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO shoal_tenant', belongs);
    END LOOP;
END $$;

ALTER TABLE namespaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON namespaces TO shoal_tenant
    USING ((SELECT current_setting('shoal.reach', true)) = '*'
        OR namespace_id = ANY (string_to_array((SELECT current_setting('shoal.reach', true)), ',')));
GRANT SELECT, INSERT, UPDATE, DELETE ON namespaces TO shoal_tenant;

-- A list of namespaces says how many documents each has.
CREATE POLICY counted ON collections FOR SELECT TO shoal_tenant
    USING ((SELECT current_setting('shoal.namespace', true)) = ''
        AND ((SELECT current_setting('shoal.reach', true)) = '*'
            OR namespace_id = ANY (string_to_array((SELECT current_setting('shoal.reach', true)), ','))));

ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON projects TO shoal_tenant
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true))
        AND ((SELECT current_setting('shoal.projects', true)) = '*'
            OR project_id = ANY (string_to_array((SELECT current_setting('shoal.projects', true)), ','))));
GRANT SELECT, INSERT, UPDATE, DELETE ON projects TO shoal_tenant;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON jobs TO shoal_tenant
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true))
        AND ((SELECT current_setting('shoal.projects', true)) = '*'
            OR project_id = ANY (string_to_array((SELECT current_setting('shoal.projects', true)), ','))));
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO shoal_tenant;

-- What belongs to a namespace by what it hangs below. The subquery sees its table through that table's own policy.
-- OFFSET 0 has it looked up by its key for each row: a hash of all rows above would cost each page as much as there are.
DO $$
DECLARE
    child TEXT;
    parent TEXT;
    link TEXT;
BEGIN
    FOR child, parent, link IN VALUES
        ('documents', 'projects', 'project_id'),
        ('segment_sets', 'projects', 'project_id'),
        ('chunk_sets', 'projects', 'project_id'),
        ('indexes', 'projects', 'project_id'),
        ('index_builds', 'projects', 'project_id'),
        ('retrieval_runs', 'projects', 'project_id'),
        ('evaluations', 'projects', 'project_id'),
        ('pipelines', 'projects', 'project_id'),
        ('artifacts', 'projects', 'project_id'),
        ('artifact_feeds', 'projects', 'project_id'),
        ('artifact_events', 'artifacts', 'artifact_id'),
        ('document_versions', 'documents', 'document_id'),
        ('job_attempts', 'jobs', 'job_id'),
        ('job_events', 'jobs', 'job_id')
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('CREATE POLICY tenant ON %I TO shoal_tenant
            USING (EXISTS (SELECT FROM %I parent WHERE parent.%I = %I.%I OFFSET 0))', child, parent, link, child, link);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO shoal_tenant', child);
    END LOOP;
END $$;

ALTER TABLE keyword_indexes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyword_indexes TO shoal_tenant
    USING (EXISTS (SELECT FROM chunk_sets WHERE chunk_set_version_id = set_id OFFSET 0)
        OR EXISTS (SELECT FROM segment_sets WHERE segment_set_version_id = set_id OFFSET 0));
GRANT SELECT, INSERT, UPDATE, DELETE ON keyword_indexes TO shoal_tenant;

-- No policies of their own: with one, no condition on a payload could use an index (the functions of jsonb are not
-- leakproof), a hundred thousand rows would be looked up one by one, and COPY refuses such tables. Callers' statements
-- ask once whether the set or collection that they name is seen.
GRANT SELECT, INSERT, UPDATE, DELETE ON collection_documents, document_vectors, segment_items, chunk_items TO shoal_tenant;

-- Vectors of texts, by the texts' hashes: they belong to nobody.
GRANT SELECT, INSERT, UPDATE ON embeddings TO shoal_tenant;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shoal_tenant;
