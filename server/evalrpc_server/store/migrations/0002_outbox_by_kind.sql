-- Each kind of record is delivered on its own, so that one that waits does not hold up the others.
DROP INDEX outbox_queued;
CREATE INDEX outbox_queued ON outbox (project, kind, position) WHERE state = 'queued';
