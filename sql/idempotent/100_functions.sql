-- Trigger functions. They live in sop_ml_storage, where nobody but the operator has USAGE, and are run by triggers alone.
-- Those that touch what the writer has no right to run as sop_ml_definer, which is not bound by row-level security and is
-- granted to nobody: whoever owns a function can change it.

-- A superuser restoring a dump (pg_dump, pg_restore and their scripts switch row security off) loads rows that already are
-- what triggers once made of them. Nobody else can claim to be doing that.
CREATE OR REPLACE FUNCTION sop_ml_storage.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$function$
SELECT NOT current_setting('row_security')::boolean
    AND (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user);
$function$;
COMMENT ON FUNCTION sop_ml_storage.is_restoring() IS
'Whether a superuser loads rows with row_security off, as pg_restore does: then triggers add nothing to them.';

-- Which hours have to be rolled up again. Appending to a log without a key makes no writer wait for another. One function
-- for both tables, whose times have different names: the name that is no column of the table at hand is a variable that is
-- NULL. (A plan is kept for each trigger, so the statements are planned once for each table.)
CREATE OR REPLACE FUNCTION sop_ml_storage.log_dirty_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
#variable_conflict use_column
DECLARE
    observed_at CONSTANT timestamptz := NULL;
    occurred_at CONSTANT timestamptz := NULL;
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
        SELECT DISTINCT n.restaurant_id, TG_ARGV[0], date_bin('1 hour', coalesce(observed_at, occurred_at), '2000-01-01 00:00:00+00')
        FROM new_rows AS n;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
        SELECT o.restaurant_id, TG_ARGV[0], date_bin('1 hour', coalesce(observed_at, occurred_at), '2000-01-01 00:00:00+00')
        FROM old_rows AS o
        UNION
        SELECT n.restaurant_id, TG_ARGV[0], date_bin('1 hour', coalesce(observed_at, occurred_at), '2000-01-01 00:00:00+00')
        FROM new_rows AS n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
        SELECT DISTINCT o.restaurant_id, TG_ARGV[0], date_bin('1 hour', coalesce(observed_at, occurred_at), '2000-01-01 00:00:00+00')
        FROM old_rows AS o;
    ELSE
        -- TRUNCATE says nothing about rows: every hour that has a bucket may have lost some.
        INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
        SELECT DISTINCT a.restaurant_id, TG_ARGV[0], date_bin('1 hour', a.bucket_start, '2000-01-01 00:00:00+00')
        FROM sop_ml.sop_performance_aggregates AS a
        WHERE a.grain = 'hour';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.log_dirty_rows() IS
'Statement trigger of sop_time_series_data and sop_user_interactions: appends the hours (UTC) whose rows changed to sop_ml_storage.dirty_buckets, under the source that its argument names.';

-- Hypertables cannot move a row between chunks and barrier views have limits of their own, so a change of the key is
-- refused everywhere instead of working on one storage only.
CREATE OR REPLACE FUNCTION sop_ml_storage.refuse_time_series_key_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    RAISE EXCEPTION 'the key columns of sop_time_series_data never change'
        USING ERRCODE = 'object_not_in_prerequisite_state',
              DETAIL = 'Key columns: restaurant_id, metric_name, sop_id, source, observed_at.',
              HINT = 'DELETE the row and INSERT it with the right key.';
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.refuse_time_series_key_change() IS
'Row trigger of sop_time_series_data: raises 55000 when an UPDATE would change a key column.';

-- Mode vault: what the policy for INSERT says elsewhere. (may_record(), which the trigger asks first, raises the error itself.)
CREATE OR REPLACE FUNCTION sop_ml_storage.refuse_time_series_insert() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    RAISE EXCEPTION 'new row violates row-level security policy for table "sop_time_series_data"'
        USING ERRCODE = 'insufficient_privilege';
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.refuse_time_series_insert() IS
'Row trigger of the time series in mode vault, for restaurants that the caller may not write to: raises 42501, as the policy does in the other modes.';

-- Mode vault: DELETE triggers with transition tables are refused beside compression.
CREATE OR REPLACE FUNCTION sop_ml_storage.log_deleted_hours() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    IF NOT sop_ml_storage.is_restoring() THEN
        INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
        SELECT h.restaurant_id, 'time_series', h.bucket_start FROM sop_ml.deleted_hours() AS h;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.log_deleted_hours() IS
'Statement trigger of the time series in mode vault: appends the hours (UTC) of the rows that the statement deleted, which a row trigger wrote down, to sop_ml_storage.dirty_buckets.';

CREATE OR REPLACE FUNCTION sop_ml_storage.refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    RAISE EXCEPTION 'sop_audit_log is append-only: % is refused', TG_OP
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'Write a new entry that corrects the earlier one.';
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.refuse_audit_change() IS
'Statement trigger of sop_audit_log: raises 55000 on UPDATE, DELETE and TRUNCATE.';

-- Whatever is written into the flag, the preference wins. The lock on the preference lets a concurrent change of it and
-- this write see each other; for a preference that does not exist yet, follow_privacy_preference does it.
CREATE OR REPLACE FUNCTION sop_ml_storage.set_personalization_flag() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
DECLARE
    stated text;
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NEW;
    END IF;
    SELECT p.state INTO stated
    FROM sop_ml.sop_privacy_preferences AS p
    WHERE p.restaurant_id = NEW.restaurant_id AND p.user_id = NEW.user_id AND p.purpose = 'personalisation'
    FOR SHARE;
    NEW.personalization_opt_out := coalesce(stated = 'denied', false);
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.set_personalization_flag() IS
'Row trigger of sop_user_profiles: personalization_opt_out is what sop_privacy_preferences says for the purpose personalisation.';

-- A stated preference makes a profile where there is none: the unique key then makes this transaction and one that is
-- inserting the same profile wait for each other, at every isolation level. A withdrawn preference makes no profile, so
-- that erasing a person leaves nothing behind.
CREATE OR REPLACE FUNCTION sop_ml_storage.follow_privacy_preference() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE sop_ml.sop_user_profiles SET personalization_opt_out = false WHERE personalization_opt_out;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        IF OLD.purpose = 'personalisation' AND (TG_OP = 'DELETE'
                OR (NEW.restaurant_id, NEW.user_id, NEW.purpose) <> (OLD.restaurant_id, OLD.user_id, OLD.purpose)) THEN
            UPDATE sop_ml.sop_user_profiles AS u SET personalization_opt_out = false
            WHERE u.restaurant_id = OLD.restaurant_id AND u.user_id = OLD.user_id;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.purpose = 'personalisation' THEN
            INSERT INTO sop_ml.sop_user_profiles AS u (restaurant_id, user_id, personalization_opt_out)
            VALUES (NEW.restaurant_id, NEW.user_id, NEW.state = 'denied')
            ON CONFLICT (restaurant_id, user_id) DO UPDATE
                SET personalization_opt_out = excluded.personalization_opt_out;
        END IF;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.follow_privacy_preference() IS
'Trigger of sop_privacy_preferences: carries the state of the purpose personalisation to sop_user_profiles.personalization_opt_out.';

-- Every role of the database may LISTEN: the payload says that there is an alert and how bad it is, and nothing of whose
-- or of what. Whoever may read it finds it by its id.
CREATE OR REPLACE FUNCTION sop_ml_storage.announce_alert() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    -- The same as is_restoring(), which the writer of an alert has no right to call.
    IF NOT current_setting('row_security')::boolean
        AND (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_notify('sop_ml_alerts',
        jsonb_build_object('alert_id', NEW.alert_id, 'severity', NEW.severity)::text);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.announce_alert() IS
'Row trigger of sop_alerts: announces an alert that is new, worse, or raised again after its cooldown on channel sop_ml_alerts as a JSON object (alert_id, severity); the rest is read from the table, under its policies.';

-- Who shared, and since when, decides who is in a peer group: nobody but operators can date it back.
CREATE OR REPLACE FUNCTION sop_ml_storage.date_opt_in() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    IF (SELECT c.identity_source FROM sop_ml.caller() AS c) = 'unrestricted' THEN
        RETURN NEW;
    END IF;
    NEW.opt_in_changed_at := CASE WHEN NEW.cross_restaurant_opt_in = OLD.cross_restaurant_opt_in THEN OLD.opt_in_changed_at
                                  ELSE now() END;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.date_opt_in() IS
'Row trigger of sop_restaurants: opt_in_changed_at is when cross_restaurant_opt_in was changed, whatever a tenant writes there.';

CREATE OR REPLACE FUNCTION sop_ml_storage.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.set_updated_at() IS
'Row trigger of every table with a column updated_at: the time of the transaction that changed the row.';

-- Renewing the planner's statistics is for the table's owner, the nightly run is the operator's.
CREATE OR REPLACE FUNCTION sop_ml_storage.analyze_aggregates() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    ANALYZE sop_ml.sop_performance_aggregates;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.analyze_aggregates() IS
'Renews the planner''s statistics of sop_performance_aggregates after a large roll-up.';
REVOKE ALL ON FUNCTION sop_ml_storage.analyze_aggregates() FROM PUBLIC;

REVOKE ALL ON FUNCTION sop_ml_storage.is_restoring() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sop_ml_storage.is_restoring() TO sop_ml_definer;
REVOKE ALL ON FUNCTION sop_ml_storage.log_dirty_rows(),
    sop_ml_storage.refuse_time_series_key_change(), sop_ml_storage.refuse_time_series_insert(), sop_ml_storage.log_deleted_hours(),
    sop_ml_storage.refuse_audit_change(),
    sop_ml_storage.set_personalization_flag(), sop_ml_storage.follow_privacy_preference(),
    sop_ml_storage.announce_alert(), sop_ml_storage.date_opt_in(), sop_ml_storage.set_updated_at() FROM PUBLIC;
-- Least privilege: the definer has the few rights of 400_grants.sql, unlike the superuser who installs.
ALTER FUNCTION sop_ml_storage.log_dirty_rows() OWNER TO sop_ml_definer;
ALTER FUNCTION sop_ml_storage.log_deleted_hours() OWNER TO sop_ml_definer;
ALTER FUNCTION sop_ml_storage.set_personalization_flag() OWNER TO sop_ml_definer;
ALTER FUNCTION sop_ml_storage.follow_privacy_preference() OWNER TO sop_ml_definer;
