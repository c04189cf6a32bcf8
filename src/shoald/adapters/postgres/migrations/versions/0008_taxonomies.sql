-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- Groups that are kept as a classification: nodes are documents of a collection, which is no foreign key, because who
-- deletes it makes the taxonomy unready and not gone.
CREATE TABLE taxonomies (
    taxonomy_id TEXT NOT NULL,
    namespace_id TEXT NOT NULL,
    taxonomy_name TEXT NOT NULL,
    description TEXT,
    version INTEGER NOT NULL,
    config JSONB NOT NULL,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    node_collection_id TEXT NOT NULL,
    vector_name TEXT NOT NULL,
    owns_nodes BOOLEAN NOT NULL,
    target_field TEXT NOT NULL,
    min_score DOUBLE PRECISION NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_taxonomies PRIMARY KEY (taxonomy_id),
    CONSTRAINT fk_taxonomies_namespace_id_namespaces FOREIGN KEY (namespace_id) REFERENCES namespaces (namespace_id)
);
CREATE UNIQUE INDEX uq_taxonomies_name ON taxonomies (namespace_id, taxonomy_name);
CREATE INDEX ix_taxonomies_newest ON taxonomies (namespace_id, created_at DESC);

-- Collections whose documents are classified as they are stored.
CREATE TABLE taxonomy_applications (
    collection_id TEXT NOT NULL,
    taxonomy_id TEXT NOT NULL,
    namespace_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    config JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_taxonomy_applications PRIMARY KEY (collection_id, taxonomy_id),
    CONSTRAINT fk_taxonomy_applications_collection_id_collections FOREIGN KEY (collection_id)
        REFERENCES collections (collection_id) ON DELETE CASCADE,
    CONSTRAINT fk_taxonomy_applications_taxonomy_id_taxonomies FOREIGN KEY (taxonomy_id)
        REFERENCES taxonomies (taxonomy_id) ON DELETE CASCADE
);
CREATE INDEX ix_taxonomy_applications_taxonomy_id ON taxonomy_applications (taxonomy_id);

-- A caller sees the rows of its own namespace.
ALTER TABLE taxonomies ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON taxonomies TO shoal_tenant
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON taxonomies TO shoal_tenant;
ALTER TABLE taxonomy_applications ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON taxonomy_applications TO shoal_tenant
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON taxonomy_applications TO shoal_tenant;
