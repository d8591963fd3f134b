-- Which trigger runs where; the functions are in 100_functions.sql.

-- One event per trigger: PostgreSQL allows transition tables only so. ON CONFLICT DO UPDATE and MERGE fire several. (Those of the
-- time series are in 155_time_series_triggers.sql.)
CREATE OR REPLACE TRIGGER sop_ml_dirty_insert AFTER INSERT ON sop_ml.sop_user_interactions
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.log_dirty_rows('interactions');
CREATE OR REPLACE TRIGGER sop_ml_dirty_update AFTER UPDATE ON sop_ml.sop_user_interactions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.log_dirty_rows('interactions');
CREATE OR REPLACE TRIGGER sop_ml_dirty_delete AFTER DELETE ON sop_ml.sop_user_interactions
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.log_dirty_rows('interactions');
CREATE OR REPLACE TRIGGER sop_ml_dirty_truncate AFTER TRUNCATE ON sop_ml.sop_user_interactions
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.log_dirty_rows('interactions');

CREATE OR REPLACE TRIGGER sop_ml_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sop_ml.sop_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.refuse_audit_change();
-- Also where session_replication_role switches ordinary triggers off.
ALTER TABLE sop_ml.sop_audit_log ENABLE ALWAYS TRIGGER sop_ml_append_only;

CREATE OR REPLACE TRIGGER sop_ml_privacy_flag
    BEFORE INSERT OR UPDATE OF restaurant_id, user_id, personalization_opt_out ON sop_ml.sop_user_profiles
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.set_personalization_flag();
CREATE OR REPLACE TRIGGER sop_ml_privacy_follow AFTER INSERT OR UPDATE OR DELETE ON sop_ml.sop_privacy_preferences
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.follow_privacy_preference();
CREATE OR REPLACE TRIGGER sop_ml_privacy_truncate AFTER TRUNCATE ON sop_ml.sop_privacy_preferences
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.follow_privacy_preference();

CREATE OR REPLACE TRIGGER sop_ml_announce AFTER INSERT ON sop_ml.sop_alerts
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.announce_alert();
CREATE OR REPLACE TRIGGER sop_ml_announce_again AFTER UPDATE OF announced_at ON sop_ml.sop_alerts
    FOR EACH ROW WHEN (NEW.announced_at > OLD.announced_at) EXECUTE FUNCTION sop_ml_storage.announce_alert();

CREATE OR REPLACE TRIGGER sop_ml_opt_in BEFORE UPDATE OF cross_restaurant_opt_in, opt_in_changed_at ON sop_ml.sop_restaurants
    FOR EACH ROW EXECUTE FUNCTION sop_ml_storage.date_opt_in();

DO $updated_at$
DECLARE
    table_name name;
BEGIN
    FOR table_name IN
        SELECT c.relname
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'updated_at' AND NOT a.attisdropped
        WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
        ORDER BY c.relname
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_updated_at BEFORE UPDATE ON sop_ml.%I FOR EACH ROW '
            'EXECUTE FUNCTION sop_ml_storage.set_updated_at()', table_name);
    END LOOP;
END
$updated_at$;
