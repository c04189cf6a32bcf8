-- Takes back what 0005_clusters_platform.sql makes, last thing first.
DROP TABLE api_keys;
ALTER TABLE cluster_runs DROP COLUMN label_overrides;
ALTER TABLE cluster_runs DROP COLUMN run_name;
ALTER TABLE collections DROP COLUMN feature_extractor;
ALTER TABLE collections DROP COLUMN source;
ALTER TABLE namespaces DROP COLUMN payload_indexes;
DROP TABLE kept_artifacts;
DROP TABLE trigger_firings;
DROP TABLE triggers;
DROP TABLE event_readers;
DROP TABLE events;
DROP SEQUENCE event_sequence;
