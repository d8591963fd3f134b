-- The audit log: row triggers write who changed what, one more trigger numbers and chains the entries. While a superuser
-- restores a dump they add nothing: its rows are already chained. Operators are audited whatever they set.

-- What the hash covers, in this order. Numbers and times are written in forms that no setting changes.
CREATE OR REPLACE FUNCTION sop_ml_storage.audit_fields(entry sop_ml.sop_audit_log) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$function$
SELECT ARRAY[
    entry.restaurant_id::text, entry.entry_number::text,
    (extract(epoch FROM entry.occurred_at) * 1000000)::bigint::text, entry.action, entry.relation_name,
    entry.row_key::text, entry.row_count::text, entry.old_values::text, entry.new_values::text,
    array_to_json(entry.changed_columns)::text, entry.actor_role, entry.session_role, entry.actor_user_id::text,
    entry.access_level, entry.application_name, entry.client_address::text, entry.backend_pid::text,
    entry.transaction_id::text, entry.reason, entry.outcome, entry.hash_version::text];
$function$;
COMMENT ON FUNCTION sop_ml_storage.audit_fields(sop_ml.sop_audit_log) IS
'The fields of an audit entry that its hash covers (hash_version 1).';

CREATE OR REPLACE FUNCTION sop_ml_storage.chain_audit_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
DECLARE
    caller record;
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NEW;
    END IF;
    INSERT INTO sop_ml_storage.audit_heads (restaurant_id, entry_number) VALUES (NEW.restaurant_id, 0)
    ON CONFLICT (restaurant_id) DO NOTHING;
    -- The row lock is held until the end of the transaction: the next writer sees a number only when it is final.
    SELECT h.entry_number + 1, h.entry_hash INTO STRICT NEW.entry_number, NEW.previous_hash
    FROM sop_ml_storage.audit_heads AS h WHERE h.restaurant_id = NEW.restaurant_id FOR NO KEY UPDATE;
    SELECT * INTO STRICT caller FROM sop_ml.caller();
    -- Whatever the writer claims, these are facts.
    NEW.occurred_at := clock_timestamp();
    NEW.actor_role := caller.role_name;
    NEW.session_role := session_user;
    NEW.actor_user_id := caller.user_id;
    NEW.access_level := caller.access_level;
    NEW.application_name := current_setting('application_name', true);
    NEW.client_address := inet_client_addr();
    NEW.backend_pid := pg_backend_pid();
    NEW.transaction_id := pg_current_xact_id();
    NEW.hash_version := 1;
    NEW.entry_hash := sop_ml.audit_hash(NEW.previous_hash, sop_ml_storage.audit_fields(NEW));
    UPDATE sop_ml_storage.audit_heads AS h
    SET entry_number = NEW.entry_number, entry_hash = NEW.entry_hash
    WHERE h.restaurant_id = NEW.restaurant_id;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.chain_audit_entry() IS
'Row trigger of sop_audit_log: gives an entry its number, actor, time and hash.';

-- How a value is written into the log: bytes and long texts as their SHA-256, so that the log stays small; a person's id
-- as the SHA-256 of restaurant and id, so that erasing the person does not break the chain.
CREATE OR REPLACE FUNCTION sop_ml_storage.audit_value(restaurant_id uuid, column_name text, value jsonb) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$function$
SELECT CASE
    WHEN value IS NULL OR jsonb_typeof(value) = 'null' THEN 'null'::jsonb
    WHEN column_name = 'user_id' THEN
        to_jsonb('sha256:' || encode(sha256(convert_to(restaurant_id::text || (value #>> '{}'), 'UTF8')), 'hex'))
    WHEN length(value::text) > 4000 THEN
        to_jsonb('sha256:' || encode(sha256(convert_to(value::text, 'UTF8')), 'hex'))
    ELSE value
END;
$function$;
COMMENT ON FUNCTION sop_ml_storage.audit_value(uuid, text, jsonb) IS
'A column''s value as the audit log keeps it.';

-- Arguments of the trigger: the key columns of the table without restaurant_id.
CREATE OR REPLACE FUNCTION sop_ml_storage.audit_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$function$
DECLARE
    nobody     CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    restaurant uuid;
    before     jsonb;
    after      jsonb;
    changes    record;
BEGIN
    IF sop_ml_storage.is_restoring() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO sop_ml.sop_audit_log (restaurant_id, entry_number, action, relation_name)
        VALUES (nobody, 1, 'truncate', TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := to_jsonb(OLD);
        restaurant := OLD.restaurant_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := to_jsonb(NEW);
        restaurant := NEW.restaurant_id;
    END IF;
    SELECT array_agg(c.key ORDER BY c.key) AS names,
           jsonb_object_agg(c.key, sop_ml_storage.audit_value(restaurant, c.key, before -> c.key)) AS old_values,
           jsonb_object_agg(c.key, sop_ml_storage.audit_value(restaurant, c.key, after -> c.key)) AS new_values
    INTO STRICT changes
    FROM jsonb_object_keys(coalesce(after, before)) AS c (key)
    WHERE c.key NOT IN ('created_at', 'updated_at')
      AND coalesce(before -> c.key, 'null'::jsonb) <> coalesce(after -> c.key, 'null'::jsonb);
    IF changes.names IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO sop_ml.sop_audit_log (restaurant_id, entry_number, action, relation_name, row_key, row_count, old_values,
        new_values, changed_columns)
    SELECT restaurant, 1,
        CASE
            WHEN TG_OP = 'DELETE' THEN 'delete'
            WHEN TG_TABLE_NAME = 'sop_restaurant_members' THEN 'grant'
            WHEN TG_TABLE_NAME IN ('sop_ml_models', 'sop_recommendation_models') AND changes.names && ARRAY['status']
                AND after ->> 'status' = 'deployed' THEN 'deploy'
            WHEN TG_TABLE_NAME = 'sop_ab_feature_flags' THEN 'configure'
            ELSE lower(TG_OP)
        END,
        TG_TABLE_NAME,
        (SELECT jsonb_object_agg(k.name, sop_ml_storage.audit_value(restaurant, k.name, coalesce(after, before) -> k.name))
         FROM unnest(TG_ARGV) AS k (name)),
        1,
        CASE WHEN TG_OP <> 'INSERT' THEN changes.old_values END,
        CASE WHEN TG_OP <> 'DELETE' THEN changes.new_values END,
        changes.names;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.audit_change() IS
'Row trigger of the audited tables: writes what changed to sop_audit_log.';

REVOKE ALL ON FUNCTION sop_ml_storage.audit_fields(sop_ml.sop_audit_log),
    sop_ml_storage.chain_audit_entry(), sop_ml_storage.audit_value(uuid, text, jsonb), sop_ml_storage.audit_change()
    FROM PUBLIC;
ALTER FUNCTION sop_ml_storage.chain_audit_entry() OWNER TO sop_ml_definer;
ALTER FUNCTION sop_ml_storage.audit_change() OWNER TO sop_ml_definer;
GRANT EXECUTE ON FUNCTION sop_ml_storage.audit_fields(sop_ml.sop_audit_log),
    sop_ml_storage.audit_value(uuid, text, jsonb) TO sop_ml_definer;

CREATE OR REPLACE TRIGGER sop_ml_chain BEFORE INSERT ON sop_ml.sop_audit_log
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.chain_audit_entry();

DO $audited$
DECLARE
    audited record;
BEGIN
    FOR audited IN
        SELECT c.relname AS name, string_agg(quote_literal(a.attname), ', ' ORDER BY k.position) AS key_columns
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_constraint AS p ON p.conrelid = c.oid AND p.contype = 'p'
        CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number AND a.attname <> 'restaurant_id'
        WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace
          AND c.relname IN ('sop_ml_models', 'sop_predictive_models', 'sop_recommendation_models', 'sop_training_datasets',
              'sop_ab_experiments', 'sop_ab_feature_flags', 'sop_restaurant_members', 'sop_privacy_preferences')
        GROUP BY c.relname
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_audit AFTER INSERT OR UPDATE OR DELETE ON sop_ml.%I '
            'FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.audit_change(%s)', audited.name, audited.key_columns);
        EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_audit_truncate AFTER TRUNCATE ON sop_ml.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.audit_change()', audited.name);
    END LOOP;
END
$audited$;
