-- Takes back what 0005_row_security.sql makes. The role stays: other databases of the server may use it.
DO $$
DECLARE
    guarded TEXT;
    rule TEXT;
BEGIN
    FOR guarded, rule IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema()
    LOOP
        EXECUTE format('DROP POLICY %I ON %I', rule, guarded);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', guarded);
    END LOOP;
END $$;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM shoal_tenant;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM shoal_tenant;
