"""What holds of all jobs at any time, one query each that returns the rows of which it does not."""

from __future__ import annotations

from string import Template

from shoald.domain.job_states import TERMINAL

_STATEMENTS = {
    "I2 one terminal event each": """
        SELECT job_id, state, count(event_no) FROM jobs LEFT JOIN job_events e USING (job_id)
        WHERE state IN ($END) AND e.to_state IN ($END) GROUP BY 1, 2 HAVING count(event_no) <> 1
        UNION ALL SELECT job_id, state, 0 FROM jobs WHERE state IN ($END)
        AND NOT EXISTS (SELECT 1 FROM job_events e WHERE e.job_id = jobs.job_id AND e.to_state = jobs.state)""",
    "I3 a lease belongs to a running job": """
        SELECT job_id FROM jobs
        WHERE (lease_until IS NOT NULL AND worker IS NOT NULL) <> (state IN ('IN_PROGRESS', 'PROCESSING'))""",
    "I4 finished_at belongs to an ended job": """
        SELECT job_id FROM jobs WHERE (finished_at IS NOT NULL) <> (state IN ($END))""",
    "I5 attempts are numbered without gaps": """
        SELECT job_id, jobs.attempt, count(a.attempt) FROM jobs LEFT JOIN job_attempts a USING (job_id)
        GROUP BY 1, 2 HAVING count(a.attempt) <> jobs.attempt""",
    "I5 attempts grow over events": """
        SELECT job_id FROM (SELECT job_id, attempt, lag(attempt) OVER (PARTITION BY job_id ORDER BY event_no) AS before
        FROM job_events) e WHERE attempt < before""",
    "I6 results are whole, and of the attempt that completed": """
        SELECT job_id, state, attempt, n, of FROM jobs LEFT JOIN (SELECT job_id, count(*) AS n, min(attempt) AS of,
        max(attempt) AS last FROM trial_results GROUP BY 1) r USING (job_id)
        WHERE (state IN ($DONE) AND (n IS DISTINCT FROM 2 OR of <> attempt OR last <> attempt))
        OR (state NOT IN ($DONE) AND n IS NOT NULL)""",
    "I6 an ended attempt has an outcome": """
        SELECT job_id, a.attempt FROM job_attempts a JOIN jobs USING (job_id)
        WHERE a.outcome IS NULL AND (jobs.state IN ($END) OR a.attempt < jobs.attempt)""",
    "I8 nothing runs without a lease": """
        SELECT job_id, state, lease_until FROM jobs
        WHERE state IN ('IN_PROGRESS', 'PROCESSING') AND lease_until < now() - interval '10 s'""",
    "I8 nothing queued is forgotten": """
        SELECT job_id FROM jobs WHERE state = 'QUEUED' AND dispatched_at < now() - interval '60 s'""",
    "I9 one terminal outbox event each": """
        SELECT job_id FROM jobs LEFT JOIN (SELECT * FROM outbox WHERE kind = 'job.ended') o USING (job_id)
        WHERE state IN ($END) GROUP BY 1 HAVING count(o.event_no) <> 1""",
    "I10 one job a key": """
        SELECT job_id FROM idempotency_keys GROUP BY job_id HAVING count(*) > 1""",
    "I11 a canceled job ends so": """
        SELECT job_id FROM jobs WHERE cancel_requested AND state IN ($END) AND state <> 'CANCELED'""",
    "I14 failures stay in bounds": "SELECT job_id FROM jobs WHERE failures > max_failures",
    "domain rows follow ends once": """
        SELECT job_id, state, count(*) FROM trial_follows WHERE state IN ('FAILED', 'CANCELED')
        GROUP BY 1, 2 HAVING count(*) > 1""",
}

_WORDS = {
    "END": ", ".join(f"'{state.value}'" for state in sorted(TERMINAL)),
    "DONE": "'COMPLETED', 'COMPLETED_WITH_ERRORS'",
}

INVARIANTS = {name: Template(statement).substitute(_WORDS) for name, statement in _STATEMENTS.items()}
