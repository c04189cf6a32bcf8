-- Takes back, last made first.
DROP INDEX ix_trigger_firings_ended;
DROP INDEX ix_events_age;
