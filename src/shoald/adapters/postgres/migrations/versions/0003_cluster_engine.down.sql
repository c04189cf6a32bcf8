-- Takes back, last made first.
ALTER TABLE cluster_runs DROP COLUMN lineage;
