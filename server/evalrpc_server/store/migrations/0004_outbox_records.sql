-- A row may hold several records that travel together, such as all scores of a result.
ALTER TABLE outbox ADD COLUMN records INTEGER NOT NULL DEFAULT 1;
