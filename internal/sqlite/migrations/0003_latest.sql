-- The last success and the last failure of each job, in the order in which
-- ends were recorded: failing says which of the two came last.
CREATE TABLE latest (
  job        TEXT PRIMARY KEY,
  success    INTEGER,
  success_at INTEGER,
  failure    INTEGER,
  failure_at INTEGER,
  failing    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO latest (job, success, success_at, failure, failure_at, failing)
WITH RECURSIVE names (job) AS (
  SELECT (SELECT job FROM runs INDEXED BY runs_job ORDER BY job LIMIT 1)
  UNION ALL
  SELECT (SELECT job FROM runs INDEXED BY runs_job WHERE job > names.job ORDER BY job LIMIT 1)
  FROM names WHERE names.job IS NOT NULL),
ends (job, success, failure) AS (
  SELECT job,
    (SELECT id FROM runs INDEXED BY runs_ended WHERE job = names.job AND state = 'succeeded'
      AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1),
    (SELECT id FROM runs INDEXED BY runs_ended WHERE job = names.job AND state = 'failed'
      AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1)
  FROM names WHERE job IS NOT NULL)
SELECT e.job, s.id, s.finished_at, f.id, f.finished_at, coalesce(f.finished_at >= coalesce(s.finished_at, 0), 0)
FROM ends AS e LEFT JOIN runs AS s ON s.id = e.success LEFT JOIN runs AS f ON f.id = e.failure
WHERE s.id IS NOT NULL OR f.id IS NOT NULL;

-- Final runs in the order of their ids, by job and by state: a listing reads a
-- stretch of one index for each pool, and merges.
DROP INDEX runs_ended;
DROP INDEX runs_unlucky;
CREATE INDEX runs_final_of ON runs (job, state, pool) WHERE finished_at IS NOT NULL;
CREATE INDEX runs_final ON runs (state, pool) WHERE finished_at IS NOT NULL;
-- Queued runs that are not ready, for listings.
CREATE INDEX runs_held ON runs (pool) WHERE ready = 0;
