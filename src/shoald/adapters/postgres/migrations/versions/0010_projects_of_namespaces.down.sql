-- Takes back, last made first.
ALTER TABLE projects DROP CONSTRAINT fk_projects_namespace_id_namespaces;
