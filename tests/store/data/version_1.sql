BEGIN TRANSACTION;
CREATE TABLE collections (
    id TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    cursor TEXT NOT NULL
);
INSERT INTO "collections" VALUES('e1-items',2,77,1,'');
CREATE TABLE evaluator_names (
    name TEXT NOT NULL PRIMARY KEY,
    last_version INTEGER NOT NULL
);
INSERT INTO "evaluator_names" VALUES('accuracy',2);
CREATE TABLE evaluators (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    create_time TEXT NOT NULL,
    spec TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
INSERT INTO "evaluators" VALUES('accuracy',1,'','2026-03-01T12:30:15.123456+00:00','{"name":"","builtin":{"name":"contains","params":{"n":1}},"http":null,"grpc":null,"registered":null,"timeout":null,"max_concurrency":null}');
INSERT INTO "evaluators" VALUES('accuracy',2,'','2026-03-01T12:30:15.123456+00:00','{"name":"","builtin":{"name":"contains","params":{"n":2}},"http":null,"grpc":null,"registered":null,"timeout":null,"max_concurrency":null}');
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
INSERT INTO "events" VALUES('e1',1,'experiment',NULL,NULL,0,414,'{"time":"2026-03-01T12:30:16.123456Z","progress":{"total":2,"completed":0,"failed":0,"retried":0,"in_flight":0},"body":{"id":"e1","items":"e1-items","state":"PENDING","progress":{"total":2,"completed":0,"failed":0,"retried":0,"in_flight":0},"summaries":{},"run_evaluations":[],"sequence":1,"registered":{},"request_id":"","create_time":"2026-03-01T12:30:15.123456Z","start_time":null,"end_time":null,"error":null}}');
INSERT INTO "events" VALUES('e1',2,'result',1,1,0,1573,'{"time":"2026-03-01T12:30:17.123456Z","progress":{"total":2,"completed":1,"failed":0,"retried":0,"in_flight":0},"body":{"trial":1,"outcome":{"output":"\"out\"","contexts":[{"text":"Bern is the capital","id":"c1","source":"wiki","score":0.30000000000000004}],"usage":{"input_tokens":12,"output_tokens":null,"cost_usd":1e-7,"model":""},"metadata":"{\"model\":\"m\"}","error":null,"start_time":"2026-03-01T12:30:16.123456Z","task_duration":0.3333333333333333,"attempts":2,"retries":[{"start_time":"2026-03-01T12:30:16.123456Z","duration":0.125,"error":{"reason":"TASK_HTTP_STATUS","message":"the task answered 500","metadata":{"status":"500"},"retryable":true}}]},"evaluations":[{"name":"exact","evaluator":"exact_match@1","value":1.0,"unscored":null,"error":null,"comment":"same","metadata":null,"config_id":""},{"name":"flag","evaluator":"","value":false,"unscored":null,"error":null,"comment":"","metadata":"[1, 2]","config_id":"config"},{"name":"label","evaluator":"","value":"good","unscored":null,"error":null,"comment":"","metadata":null,"config_id":""},{"name":"skipped","evaluator":"","value":null,"unscored":"nothing expected","error":null,"comment":"","metadata":null,"config_id":""},{"name":"broken","evaluator":"","value":null,"unscored":null,"error":{"reason":"EVALUATOR_FAILED","message":"the task answered 500","metadata":{"status":"500"},"retryable":true},"comment":"","metadata":null,"config_id":""}],"evaluation_duration":0.1,"trace_id":"abababababababababababababababab","trace_url":"http://langfuse/trace"}}');
INSERT INTO "events" VALUES('e1',3,'result',0,1,1,540,'{"time":"2026-03-01T12:30:18.123456Z","progress":{"total":2,"completed":2,"failed":1,"retried":0,"in_flight":0},"body":{"trial":1,"outcome":{"output":null,"contexts":[],"usage":null,"metadata":null,"error":{"reason":"TASK_HTTP_STATUS","message":"the task answered 500","metadata":{"status":"500"},"retryable":true},"start_time":"2026-03-01T12:30:15.123456Z","task_duration":0.25,"attempts":3,"retries":[]},"evaluations":[],"evaluation_duration":0.0,"trace_id":"00000000000000000000000000000000","trace_url":""}}');
INSERT INTO "events" VALUES('e1',4,'experiment',NULL,NULL,0,485,'{"time":"2026-03-01T12:30:19.123456Z","progress":{"total":2,"completed":2,"failed":1,"retried":0,"in_flight":0},"body":{"id":"e1","items":"e1-items","state":"RUNNING","progress":{"total":2,"completed":2,"failed":1,"retried":0,"in_flight":0},"summaries":{"exact":{"n":1,"unscored":0,"errors":0,"mean":1.0,"m2":0.0,"numeric":1}},"run_evaluations":[],"sequence":4,"registered":{},"request_id":"","create_time":"2026-03-01T12:30:15.123456Z","start_time":null,"end_time":null,"error":null}}');
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
INSERT INTO "experiments" VALUES(1,'e1','request','fingerprint','capitals','RUNNING','e1-items',4,'{"id":"e1","items":"e1-items","state":"RUNNING","progress":{"total":2,"completed":2,"failed":1,"retried":0,"in_flight":0},"summaries":{"exact":{"n":1,"unscored":0,"errors":0,"mean":1.0,"m2":0.0,"numeric":1}},"run_evaluations":[],"sequence":4,"registered":{},"request_id":"","create_time":"2026-03-01T12:30:15.123456Z","start_time":null,"end_time":null,"error":null}');
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
INSERT INTO "items" VALUES('e1-items',0,'item-0','dataset-0',29,'{"n": 0, "pad": "xxxxxxxxxx"}',NULL,NULL);
INSERT INTO "items" VALUES('e1-items',1,'item-1','',48,'{"n": 1, "pad": "xxxxxxxxxx"}','"1"','{ "kept":  1.0 }');
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
INSERT INTO "outbox" VALUES(1,'a','e1','main','score','accepted',29,'','');
INSERT INTO "outbox" VALUES(2,'b','e1','main','score','queued',29,'{"v": "pppppppppppppppppppp"}','');
CREATE TABLE outbox_counts (
    experiment_id TEXT NOT NULL PRIMARY KEY,
    queued INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    last_error TEXT NOT NULL
);
INSERT INTO "outbox_counts" VALUES('e1',1,1,0,'');
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE specs (
    experiment_id TEXT NOT NULL PRIMARY KEY REFERENCES experiments (id),
    characters INTEGER NOT NULL,
    spec TEXT NOT NULL
);
INSERT INTO "specs" VALUES('e1',712,'{"name":"capitals","run_name":"capitals - 1","description":"","metadata":{},"items":{"count":3},"langfuse_dataset":null,"upload":null,"task":{"http":{"url":"http://127.0.0.1:9/task","headers":{"X-Key":"${secret:KEY}"},"include_expected_output":false,"http2":false},"grpc":null},"evaluators":[{"name":"","builtin":{"name":"exact_match","params":{"ignore_case":true}},"http":null,"grpc":null,"registered":null,"timeout":null,"max_concurrency":null}],"composite_evaluator":null,"run_evaluators":[],"max_concurrency":50,"task_timeout":"120s","evaluator_timeout":"60s","retry":{"max_attempts":3,"initial_backoff":"0.5s","max_backoff":"30s","multiplier":2.0},"repetitions":1,"langfuse_project":"","dry_run_items":null}');
CREATE INDEX experiments_by_state ON experiments (state, position);
CREATE INDEX experiments_by_name ON experiments (name, position);
CREATE UNIQUE INDEX events_one_result_per_trial ON events (experiment_id, item_index, trial);
CREATE INDEX events_failed_by_item ON events (experiment_id, item_index, trial) WHERE failed = 1;
CREATE INDEX events_failed_by_sequence ON events (experiment_id, sequence) WHERE failed = 1;
CREATE UNIQUE INDEX items_by_id ON items (collection, item_id);
CREATE INDEX outbox_queued ON outbox (project, position) WHERE state = 'queued';
COMMIT;
