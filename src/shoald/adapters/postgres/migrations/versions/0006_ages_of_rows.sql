-- Statements that make what is new; the tables that they give are those of adapters/postgres/tables.

-- The scheduler looks every hour for rows old enough to be removed: without these it would read all that are not.
CREATE INDEX ix_events_age ON events (occurred_at) WHERE sequence IS NOT NULL;
CREATE INDEX ix_trigger_firings_ended ON trigger_firings (completed_at) WHERE completed_at IS NOT NULL;
