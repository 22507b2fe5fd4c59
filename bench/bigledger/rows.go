package bigledger

// The rows are made from their number n by arithmetic: r is a number below a
// million that looks like chance, and is the same each time.
//
// Half of the finished runs are lines of batches, of the first tenth of the
// jobs; the others come from schedules, and have keys. Of a hundred, two have
// failed, one was canceled and one skipped; of those that started, one in a
// hundred needed a second attempt.
const finishedRuns = `WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < @finished),
	chance AS (SELECT n, (n * 2654435761 + 12345) % 1000003 AS r FROM counted),
	drawn AS (SELECT n, r, @begin + n * @step AS at, (r / 2) % 100 AS luck,
		CASE WHEN n <= 100 THEN 0 ELSE 1 - r % 2 END AS batched,
		CASE WHEN n <= 100 THEN @jobs - 1
			WHEN r % 2 = 0 THEN (n / 1000) % (@jobs / 10)
			ELSE @jobs / 10 + (r / 2) % (@jobs - @jobs / 10 - 1) END AS job
		FROM chance),
	lived AS (SELECT *, luck < 98 AS ran, CASE WHEN r % 103 = 0 THEN 2 ELSE 1 END AS tries,
		at + 1000000 + (r % 97) * (r % 89) * 100000 AS begun,
		(20000000 << (r % 9)) + r * 1000 AS took FROM drawn)
INSERT INTO runs (id, job, pool, def, state, priority, enqueued_at, due_at, started_at, finished_at,
	attempts, tries, worker, outcome, exit_code, output_bytes, trigger, reason, arg, batch, key, scheduled_at, error, host)
SELECT n, printf('job-%03d', job),
	'pool-' || CASE WHEN job = @jobs - 1 THEN @pools - 1 ELSE (job % (@pools - 1)) END, job + 1,
	CASE WHEN luck < 96 THEN 'succeeded' WHEN luck < 98 THEN 'failed' WHEN luck = 98 THEN 'canceled' ELSE 'skipped' END,
	0, at, CASE WHEN luck < 99 THEN at END, CASE WHEN ran THEN begun END, CASE WHEN ran THEN begun + took ELSE at END,
	ran * tries, ran * tries, CASE WHEN ran THEN r % 20 END,
	CASE WHEN luck < 96 THEN 'succeeded' WHEN luck < 98 THEN 'exit' END,
	CASE WHEN luck < 96 THEN 0 WHEN luck < 98 THEN 1 END, CASE WHEN ran AND r % 3 = 0 THEN r % 5000 END,
	CASE WHEN batched THEN 'batch' ELSE 'schedule' END,
	CASE WHEN luck < 96 THEN NULL WHEN luck < 98 THEN 'exit' WHEN luck = 98 THEN 'operator' ELSE 'overlap' END,
	CASE WHEN batched THEN 'https://example.org/page/' || n END, CASE WHEN batched THEN 'b' || (n / 1000 + 1) END,
	CASE WHEN NOT batched THEN printf('job-%03d', job) || '@' || n END, CASE WHEN NOT batched THEN at END,
	CASE WHEN luck IN (96, 97) THEN 'exit status 1' END, CASE WHEN ran THEN 'host' END
FROM lived`

// Queued are lines of batches that were submitted in the last hour. Of a
// hundred, five are not due yet and five wait for a lock.
const queuedRuns = `WITH RECURSIVE counted (n) AS (SELECT @finished + 1 UNION ALL SELECT n + 1 FROM counted WHERE n < @finished + @queued),
	drawn AS (SELECT n, (n * 2654435761 + 12345) % 1000003 AS r, (n / 1000) % (@jobs / 10) AS job,
		@begin + @finished * @step - 3600000000000 + (n - @finished) * (3600000000000 / @queued) AS at FROM counted)
INSERT INTO runs (id, job, pool, def, state, ready, waits, priority, enqueued_at, due_at, trigger, reason, arg, batch)
SELECT n, printf('job-%03d', job), 'pool-' || (job % (@pools - 1)), job + 1, 'queued', r % 100 >= 10,
	CASE WHEN r % 100 >= 5 AND r % 100 < 10 THEN 'lock:pg-main' END, r % 3, at,
	CASE WHEN r % 100 < 5 THEN at + 86400000000000 ELSE at END, 'batch',
	CASE WHEN r % 100 >= 5 AND r % 100 < 10 THEN 'lock' END, 'https://example.org/page/' || n, 'b' || (n / 1000 + 1)
FROM drawn WHERE @queued > 0`

const attempts = `INSERT INTO attempts (run, number, worker, started_at, finished_at, outcome, exit_code, error)
SELECT id, 1, worker, enqueued_at + 1000000, started_at, 'exit', 1, 'exit status 1' FROM runs WHERE attempts = 2`

const batches = `INSERT INTO batches (n, id, job, pool, total, queued, succeeded, failed, canceled, skipped, busy,
	created_at, started_at, finished_at)
SELECT CAST(substr(batch, 2) AS INTEGER), batch, job, pool, count(*), sum(state = 'queued'), sum(state = 'succeeded'),
	sum(state = 'failed'), sum(state = 'canceled'), sum(state = 'skipped'), coalesce(sum(finished_at - started_at), 0),
	min(enqueued_at), min(started_at), CASE WHEN sum(state = 'queued') = 0 THEN max(finished_at) END
FROM runs WHERE batch IS NOT NULL GROUP BY batch`

const clock = `INSERT INTO clock (id, at) SELECT min(id), enqueued_at / 60000000000 * 60000000000 FROM runs GROUP BY 2 ORDER BY 1`

const latest = `INSERT INTO latest (job, success, success_at, failure, failure_at, failing)
SELECT ends.job, success, s.finished_at, failure, f.finished_at, coalesce(f.finished_at > s.finished_at, false) FROM (
	SELECT job, max(CASE WHEN state = 'succeeded' THEN id END) AS success, max(CASE WHEN state = 'failed' THEN id END) AS failure
	FROM runs WHERE finished_at IS NOT NULL GROUP BY runs.job) AS ends
LEFT JOIN runs AS s ON s.id = success LEFT JOIN runs AS f ON f.id = failure
WHERE success IS NOT NULL OR failure IS NOT NULL`
