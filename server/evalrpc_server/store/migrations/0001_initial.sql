-- Experiments. `position` is the order of creation. What never changes and may be large, the spec, is kept apart so that a
-- change of state rewrites a small row. `snapshot` is JSON: the experiment without its spec.
CREATE TABLE experiments (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT UNIQUE,
    fingerprint TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    items TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    snapshot TEXT NOT NULL
);
CREATE INDEX experiments_by_state ON experiments (state, position);
CREATE INDEX experiments_by_name ON experiments (name, position);

CREATE TABLE specs (
    experiment_id TEXT NOT NULL PRIMARY KEY REFERENCES experiments (id),
    characters INTEGER NOT NULL,
    spec TEXT NOT NULL
);

-- Events. `payload` is JSON: time, progress and body. A result has `item_index` and `trial`; its item's documents are in
-- `items`. `characters` counts the text that the event has when it is read.
CREATE TABLE events (
    experiment_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    item_index INTEGER,
    trial INTEGER,
    failed INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (experiment_id, sequence)
);
CREATE UNIQUE INDEX events_one_result_per_trial ON events (experiment_id, item_index, trial);
CREATE INDEX events_failed_by_item ON events (experiment_id, item_index, trial) WHERE failed = 1;
CREATE INDEX events_failed_by_sequence ON events (experiment_id, sequence) WHERE failed = 1;

CREATE TABLE collections (
    id TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    cursor TEXT NOT NULL
);

CREATE TABLE items (
    collection TEXT NOT NULL,
    item_index INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    dataset_item_id TEXT NOT NULL,
    characters INTEGER NOT NULL,
    input TEXT NOT NULL,
    expected_output TEXT,
    metadata TEXT,
    PRIMARY KEY (collection, item_index)
);
CREATE UNIQUE INDEX items_by_id ON items (collection, item_id);

-- `last_version` stays when versions are deleted, so that no number is given twice.
CREATE TABLE evaluator_names (
    name TEXT NOT NULL PRIMARY KEY,
    last_version INTEGER NOT NULL
);

CREATE TABLE evaluators (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    create_time TEXT NOT NULL,
    spec TEXT NOT NULL,
    PRIMARY KEY (name, version)
);

-- Records on their way to Langfuse. A settled record stays, so that storing it again changes nothing; an accepted one
-- without its payload.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    experiment_id TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    characters INTEGER NOT NULL,
    payload TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX outbox_queued ON outbox (project, position) WHERE state = 'queued';

CREATE TABLE outbox_counts (
    experiment_id TEXT NOT NULL PRIMARY KEY,
    queued INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    last_error TEXT NOT NULL
);
