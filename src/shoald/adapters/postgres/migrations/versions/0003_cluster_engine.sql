-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- What became of the groups of the run before.
ALTER TABLE cluster_runs ADD COLUMN lineage JSONB DEFAULT '[]'::jsonb NOT NULL;
