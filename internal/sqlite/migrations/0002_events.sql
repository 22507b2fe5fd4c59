-- What happened to the daemon, and what was done to it: starts and stops,
-- reloads, pauses, sizes of pools, steps of the clock. It is what answers why
-- a job did not run. subject is daemon, host, pool/NAME or job/NAME; since and
-- until are the span that the event tells of, by its kind; detail is JSON.
CREATE TABLE events (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  subject TEXT NOT NULL,
  by      TEXT,
  reason  TEXT,
  since   INTEGER,
  until   INTEGER,
  detail  TEXT
) STRICT;
CREATE INDEX events_subject ON events (subject, at);

-- Since when the job's schedule is as it is: what it names before, it has not
-- missed.
ALTER TABLE watermarks ADD COLUMN since INTEGER;
