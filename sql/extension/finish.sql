-- CREATE EXTENSION looks names up in schema sop_ml first; from here on nothing there may stand in for what the server has.
SET LOCAL search_path TO pg_catalog, pg_temp;

-- Member functions: what tables are read or written by is not for PUBLIC. Functions over values alone (immutable) and the
-- six that policies, views, triggers and a domain call stay open to whoever has USAGE on the schema. The rest goes to the level that needs it; a volatile function
-- that is missing from the list can be called by superusers only.
DO $privileges$
DECLARE
    member record;
    grantees text;
BEGIN
    FOR member IN
        SELECT p.oid::pg_catalog.regprocedure::text AS signature, p.proname AS name, p.provolatile AS volatility
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid AND e.extname = 'sop_ml'
        JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
          AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND d.deptype = 'e'
          AND p.prokind = 'f'
          AND p.provolatile <> 'i'
          AND p.proname NOT IN ('current_restaurant', 'readable_restaurants', 'visible_restaurants', 'has_access',
                                'caller', 'may_record')
        ORDER BY 1
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', member.signature);
        grantees := CASE
            -- Called by a trigger function that runs as its owner.
            WHEN member.name = 'deleted_hours' THEN 'sop_ml_definer'
            WHEN member.name = 'self_check' THEN 'sop_ml_owner, sop_ml_operator'
            WHEN member.volatility = 's' THEN 'sop_ml_viewer, sop_ml_group_reader, sop_ml_operator'
            WHEN member.name = 'ingest_observations' THEN 'sop_ml_staff, sop_ml_operator'
            WHEN member.name IN ('validate_ml_training_data_quality', 'calculate_model_drift_metrics',
                                 'detect_prediction_anomalies', 'register_dataset', 'raise_alert', 'enqueue_job')
                THEN 'sop_ml_analyst, sop_ml_operator'
            WHEN member.name IN ('run_daily_ml_aggregation', 'aggregate_performance', 'compute_baselines',
                                 'acknowledge_alert', 'resolve_alert', 'cancel_job', 'set_privacy_preference')
                THEN 'sop_ml_manager, sop_ml_operator'
            WHEN member.name IN ('maintain_partitions', 'refresh_performance_summaries', 'claim_job', 'execute_job', 'schedule_jobs',
                                 'archive_time_series', 'restore_archive', 'apply_time_series_policies', 'load_observations')
                THEN 'sop_ml_operator'
        END;
        IF grantees IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', member.signature, grantees);
        END IF;
    END LOOP;
END
$privileges$;

-- pg_dump and pg_restore run with row_security off: then the dump brings the tables, and making them here would collide.
DO $install$
BEGIN
    IF pg_catalog.current_setting('row_security')::boolean THEN
        PERFORM sop_ml.install();
    ELSE
        RAISE WARNING 'sop_ml: row_security is off, so no table was made'
            USING HINT = 'If this is not a restore, run: SET row_security = on; SELECT * FROM sop_ml.install();';
    END IF;
END
$install$;
