-- What restaurant_id is in mode vault, where there are no policies. A value of a domain is checked when the row is put together,
-- before a key is looked for: a policy for INSERT would come too late, and whether another tenant's row exists would show.
DO $domain$
BEGIN
    IF to_regtype('sop_ml_storage.recorded_restaurant') IS NULL THEN
        CREATE DOMAIN sop_ml_storage.recorded_restaurant AS uuid;
    END IF;
    -- DROP EXTENSION … CASCADE takes the function, and the constraint with it.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                   WHERE k.contypid = 'sop_ml_storage.recorded_restaurant'::regtype AND k.conname = 'recorded_restaurant_check') THEN
        ALTER DOMAIN sop_ml_storage.recorded_restaurant
            ADD CONSTRAINT recorded_restaurant_check CHECK (sop_ml.may_record(VALUE));
    END IF;
END
$domain$;
COMMENT ON DOMAIN sop_ml_storage.recorded_restaurant IS
'A restaurant that the caller may write readings of: restaurant_id of the time series in mode vault.';
