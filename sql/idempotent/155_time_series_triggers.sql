-- The triggers of the time series, on the table that holds the rows: the one of that name, or in mode vault the closed one behind the
-- view. Run at every install and at the end of every conversion (src/timescaledb).
-- TimescaleDB refuses DELETE triggers with transition tables beside compression. There a row trigger writes deleted hours down and a
-- statement trigger logs them; the row triggers also ask what policies ask for elsewhere, as policies do: too low a level is an error
-- of INSERT and UPDATE, and no row for DELETE; rows of restaurants that the caller may only read are left alone.
DO $triggers$
DECLARE
    is_vault CONSTANT boolean := to_regclass('sop_ml_storage.sop_time_series_data') IS NOT NULL;
    holder   CONSTANT regclass := coalesce(to_regclass('sop_ml_storage.sop_time_series_data'), to_regclass('sop_ml.sop_time_series_data'));
    log      CONSTANT text := 'FOR EACH STATEMENT EXECUTE FUNCTION sop_ml_storage.log_dirty_rows(''time_series'')';
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_dirty_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows %s', holder, log);
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_dirty_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows '
                   'NEW TABLE AS new_rows %s', holder, log);
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_dirty_truncate AFTER TRUNCATE ON %s %s', holder, log);
    -- Statements that set a key column to the value it has are let through: upserts write whole rows.
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_key_is_fixed '
                   'BEFORE UPDATE OF restaurant_id, metric_name, sop_id, source, observed_at ON %s '
                   'FOR EACH ROW WHEN (OLD.restaurant_id <> NEW.restaurant_id OR OLD.metric_name <> NEW.metric_name '
                   'OR OLD.sop_id <> NEW.sop_id OR OLD.source <> NEW.source OR OLD.observed_at <> NEW.observed_at) '
                   'EXECUTE FUNCTION sop_ml_storage.refuse_time_series_key_change()', holder);
    IF NOT is_vault THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_dirty_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows %s', holder, log);
        RETURN;
    END IF;
    EXECUTE format('DROP TRIGGER IF EXISTS sop_ml_dirty_delete ON %s', holder);
    -- A value that comes from the view is of the domain already, and not checked again.
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_vault_insert BEFORE INSERT ON %s FOR EACH ROW '
                   'WHEN (sop_ml.may_record(NEW.restaurant_id) IS NOT TRUE) '
                   'EXECUTE FUNCTION sop_ml_storage.refuse_time_series_insert()', holder);
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_vault_update BEFORE UPDATE ON %s FOR EACH ROW '
                   'EXECUTE FUNCTION sop_ml.time_series_row_updated()', holder);
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_vault_delete BEFORE DELETE ON %s FOR EACH ROW '
                   'EXECUTE FUNCTION sop_ml.time_series_row_deleted()', holder);
    EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_vault_deleted AFTER DELETE ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION sop_ml_storage.log_deleted_hours()', holder);
END
$triggers$;
