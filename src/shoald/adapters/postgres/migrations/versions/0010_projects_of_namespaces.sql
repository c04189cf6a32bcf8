-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- Projects could be made while their namespace was being removed, and then belonged to none. Those get it back, under its
-- id, so that nothing of them is lost and the key holds. Nobody writes projects meanwhile; readers go on.
LOCK TABLE projects IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO namespaces (namespace_id, namespace_name, mode, created_at, updated_at)
SELECT DISTINCT
    namespace_id,
    CASE WHEN EXISTS (SELECT FROM namespaces WHERE namespace_name = projects.namespace_id) THEN 'restored ' || md5(namespace_id) ELSE namespace_id END,
    'managed', now(), now()
FROM projects
WHERE NOT EXISTS (SELECT FROM namespaces WHERE namespaces.namespace_id = projects.namespace_id);

ALTER TABLE projects ADD CONSTRAINT fk_projects_namespace_id_namespaces FOREIGN KEY (namespace_id) REFERENCES namespaces (namespace_id) NOT VALID;
ALTER TABLE projects VALIDATE CONSTRAINT fk_projects_namespace_id_namespaces;
