-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- What a language model was shown of each group of a run and what it said: kept as long as the run is.
CREATE TABLE label_audits (
    run_id TEXT NOT NULL,
    cluster_id TEXT NOT NULL,
    namespace_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    label TEXT,
    error TEXT,
    questions JSONB NOT NULL,
    labelled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_label_audits PRIMARY KEY (run_id, cluster_id),
    CONSTRAINT fk_label_audits_run_id_cluster_runs FOREIGN KEY (run_id)
        REFERENCES cluster_runs (run_id) ON DELETE CASCADE
);
CREATE INDEX ix_label_audits_namespace_id ON label_audits (namespace_id);

ALTER TABLE label_audits ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON label_audits TO shoal_tenant
    USING (namespace_id = (SELECT current_setting('shoal.namespace', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON label_audits TO shoal_tenant;

-- What answers cost, and which are known.

-- What a namespace was charged with in a month: who books locks its row, so that two together pass no cap.
CREATE TABLE label_months (
    namespace_id TEXT NOT NULL,
    month DATE NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    input_tokens BIGINT DEFAULT 0 NOT NULL,
    output_tokens BIGINT DEFAULT 0 NOT NULL,
    money NUMERIC DEFAULT 0 NOT NULL,
    CONSTRAINT pk_label_months PRIMARY KEY (namespace_id, month)
);
-- The same by run, model and kind of question; `counted_tokens` is what we had counted of the input ourselves.
CREATE TABLE label_spending (
    run_id TEXT NOT NULL,
    month DATE NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace_id TEXT NOT NULL,
    questions BIGINT DEFAULT 0 NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    input_tokens BIGINT DEFAULT 0 NOT NULL,
    output_tokens BIGINT DEFAULT 0 NOT NULL,
    counted_tokens BIGINT DEFAULT 0 NOT NULL,
    money NUMERIC DEFAULT 0 NOT NULL,
    is_priced BOOLEAN DEFAULT true NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_label_spending PRIMARY KEY (run_id, month, model, kind)
);
CREATE INDEX ix_label_spending_newest ON label_spending (namespace_id, model, kind, began_at DESC);
-- Answers by the hash of their question.
CREATE TABLE label_answers (
    namespace_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_label_answers PRIMARY KEY (namespace_id, content_hash)
);
CREATE INDEX ix_label_answers_expired ON label_answers (expires_at);
DO $$
DECLARE
    belongs TEXT;
BEGIN
    FOREACH belongs IN ARRAY ARRAY['label_months', 'label_spending', 'label_answers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', belongs);
        EXECUTE format('CREATE POLICY tenant ON %I TO shoal_tenant
            USING (namespace_id = (SELECT current_setting(''shoal.namespace'', true)))', belongs);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO shoal_tenant', belongs);
    END LOOP;
END $$;
