-- Times are nanoseconds since 1970, UTC; NULL is none. Text that is empty is
-- NULL.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Each definition that a run was created with, once for each content hash.
CREATE TABLE definitions (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  hash TEXT NOT NULL UNIQUE,
  job  TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;

-- ready: 1 may be dispatched now, 0 queued but held back (by due_at, or by
-- what it waits for), NULL not queued. finished_at is NULL until the run is
-- final. worker and outcome are those of the last attempt, once it ended the
-- run; attempts that did not are in the table attempts.
CREATE TABLE runs (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  job          TEXT NOT NULL,
  pool         TEXT NOT NULL,
  def          INTEGER NOT NULL,
  state        TEXT NOT NULL,
  ready        INTEGER,
  priority     INTEGER NOT NULL,
  enqueued_at  INTEGER NOT NULL,
  due_at       INTEGER,
  started_at   INTEGER,
  finished_at  INTEGER,
  attempts     INTEGER NOT NULL DEFAULT 0,
  tries        INTEGER NOT NULL DEFAULT 0,
  worker       INTEGER,
  outcome      TEXT,
  exit_code    INTEGER,
  output_bytes INTEGER,
  trigger      TEXT NOT NULL,
  reason       TEXT,
  arg          TEXT,
  batch        TEXT,
  exclusive    INTEGER,
  parent       INTEGER,
  key          TEXT,
  scheduled_at INTEGER,
  expires_at   INTEGER,
  asked_at     INTEGER,
  signal       TEXT,
  error        TEXT,
  host         TEXT,
  count        INTEGER,
  until        INTEGER,
  waits        TEXT
) STRICT;

CREATE INDEX runs_job ON runs (job);
CREATE INDEX runs_active ON runs (job, arg) WHERE finished_at IS NULL;
CREATE INDEX runs_running ON runs (pool) WHERE state = 'running';
CREATE INDEX runs_ready ON runs (pool, priority DESC) WHERE ready = 1;
CREATE INDEX runs_due ON runs (due_at, pool, priority) WHERE ready = 0 AND waits IS NULL;
CREATE INDEX runs_waits ON runs (waits, pool, priority DESC) WHERE waits IS NOT NULL;
CREATE INDEX runs_expires ON runs (expires_at)
  WHERE expires_at IS NOT NULL AND state = 'queued' AND attempts = 0;
CREATE INDEX runs_ended ON runs (job, state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX runs_unlucky ON runs (state)
  WHERE state = 'failed' OR state = 'canceled' OR state = 'skipped';
CREATE INDEX runs_batch ON runs (batch) WHERE batch IS NOT NULL;
CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key IS NOT NULL;

-- Attempts that did not end their run.
CREATE TABLE attempts (
  run          INTEGER NOT NULL,
  number       INTEGER NOT NULL,
  worker       INTEGER NOT NULL,
  started_at   INTEGER,
  finished_at  INTEGER,
  outcome      TEXT,
  exit_code    INTEGER,
  signal       TEXT,
  error        TEXT,
  output_bytes INTEGER,
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
  n           INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT UNIQUE,
  job         TEXT NOT NULL,
  pool        TEXT NOT NULL,
  total       INTEGER NOT NULL DEFAULT 0,
  queued      INTEGER NOT NULL DEFAULT 0,
  running     INTEGER NOT NULL DEFAULT 0,
  succeeded   INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  canceled    INTEGER NOT NULL DEFAULT 0,
  skipped     INTEGER NOT NULL DEFAULT 0,
  busy        INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  started_at  INTEGER,
  finished_at INTEGER
) STRICT;

-- From this id on, runs were enqueued in the minute that begins at `at`, until
-- the next row: it turns a window of time into ranges of ids, also where the
-- clock was set back.
CREATE TABLE clock (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX clock_at ON clock (at);

CREATE TABLE watermarks (
  job      TEXT PRIMARY KEY,
  at       INTEGER,
  epoch    INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  boot     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a job that follows several others (match: all) has seen end since it
-- last fired.
CREATE TABLE after_seen (
  job      TEXT NOT NULL,
  upstream TEXT NOT NULL,
  PRIMARY KEY (job, upstream)
) STRICT, WITHOUT ROWID;

CREATE TABLE overrides (
  kind      TEXT NOT NULL,
  name      TEXT NOT NULL,
  workers   INTEGER NOT NULL,
  on_shrink TEXT NOT NULL,
  until     INTEGER,
  reason    TEXT NOT NULL,
  by        TEXT NOT NULL,
  at        INTEGER,
  entry     TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE pool_sizes (
  pool    TEXT NOT NULL,
  at      INTEGER NOT NULL,
  workers INTEGER NOT NULL,
  PRIMARY KEY (pool, at)
) STRICT, WITHOUT ROWID;
