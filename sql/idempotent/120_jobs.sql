-- The job queue: who submitted a job is a fact, and the worker is a procedure because every job has a transaction of its own.

CREATE OR REPLACE FUNCTION sop_ml_storage.sign_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
DECLARE
    caller record;
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.restaurant_id, NEW.job_id, NEW.job_name, NEW.parameters, NEW.submitted_by, NEW.app_user_id,
                NEW.access_level, NEW.identity_source)
            IS DISTINCT FROM (OLD.restaurant_id, OLD.job_id, OLD.job_name, OLD.parameters, OLD.submitted_by,
                OLD.app_user_id, OLD.access_level, OLD.identity_source) THEN
            RAISE EXCEPTION 'what a job does and who submitted it never change'
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Cancel the job and enqueue another one.';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO STRICT caller FROM sop_ml.caller();
    NEW.submitted_by := caller.role_name;
    NEW.app_user_id := caller.user_id;
    NEW.access_level := caller.access_level;
    NEW.identity_source := caller.identity_source;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.sign_job() IS
'Row trigger of sop_job_queue: a job bears the identity of the caller who inserted it, and keeps it.';
REVOKE ALL ON FUNCTION sop_ml_storage.sign_job() FROM PUBLIC;
ALTER FUNCTION sop_ml_storage.sign_job() OWNER TO sop_ml_definer;

CREATE OR REPLACE TRIGGER sop_ml_signed BEFORE INSERT OR UPDATE ON sop_ml.sop_job_queue
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.sign_job();

-- No SET clause: it would forbid COMMIT. So everything is qualified.
CREATE OR REPLACE PROCEDURE sop_ml.run_jobs(
    max_jobs integer DEFAULT 100,
    budget interval DEFAULT '50 seconds',
    INOUT succeeded bigint DEFAULT 0,
    INOUT failed bigint DEFAULT 0)
    LANGUAGE plpgsql AS
$procedure$
DECLARE
    deadline timestamptz;
    job      record;
    outcome  text;
BEGIN
    IF budget OPERATOR(pg_catalog.<) '0'::interval OR budget OPERATOR(pg_catalog.>) '1 day'::interval THEN
        RAISE EXCEPTION 'budget must be between 0 and 1 day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    deadline := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) coalesce(budget, '50 seconds'::interval);
    succeeded := 0;
    failed := 0;
    WHILE (succeeded OPERATOR(pg_catalog.+) failed) OPERATOR(pg_catalog.<) coalesce(max_jobs, 100)
        AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) deadline
    LOOP
        SELECT c.restaurant_id, c.job_id, c.fencing_token INTO job FROM sop_ml.claim_job() AS c;
        -- The claim is on record before the work begins: a job that takes its server down counts as an attempt.
        COMMIT;
        EXIT WHEN job.job_id IS NULL;
        outcome := sop_ml.execute_job(job.restaurant_id, job.job_id, job.fencing_token);
        COMMIT;
        IF outcome OPERATOR(pg_catalog.=) 'succeeded' THEN
            succeeded := succeeded OPERATOR(pg_catalog.+) 1;
        ELSE
            failed := failed OPERATOR(pg_catalog.+) 1;
        END IF;
    END LOOP;
END
$procedure$;
COMMENT ON PROCEDURE sop_ml.run_jobs(integer, interval, bigint, bigint) IS
'Runs whatever is due in sop_job_queue, each job in a transaction of its own and as the one who submitted it, until max_jobs or the budget is used up; for operators. The one thing to schedule: CALL sop_ml.run_jobs();';
REVOKE ALL ON PROCEDURE sop_ml.run_jobs(integer, interval, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE sop_ml.run_jobs(integer, interval, bigint, bigint) TO sop_ml_operator;

-- What TimescaleDB's scheduler calls every day in mode vault (sql/queries/vault_jobs.sql).
CREATE OR REPLACE PROCEDURE sop_ml_storage.maintain_time_series(job_id integer, config jsonb)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$procedure$
BEGIN
    PERFORM sop_ml.maintain_partitions();
END
$procedure$;
COMMENT ON PROCEDURE sop_ml_storage.maintain_time_series(integer, jsonb) IS
'Job of TimescaleDB in mode vault: maintain_partitions() of every day. Arguments are the scheduler''s.';
REVOKE ALL ON PROCEDURE sop_ml_storage.maintain_time_series(integer, jsonb) FROM PUBLIC;
