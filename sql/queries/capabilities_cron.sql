-- Whether pg_cron calls run_jobs() of this database; only where its extension is.
SELECT EXISTS (
    SELECT FROM cron.job AS j WHERE j.database = current_database()::text AND j.active AND j.command ~ 'sop_ml\.run_jobs'
)
