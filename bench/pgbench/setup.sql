-- Four restaurants of one login role, this month's partitions, and a plain table beside ours: the same columns and key, neither
-- partitions nor policies nor triggers.
INSERT INTO sop_ml.sop_restaurants (restaurant_id, name)
SELECT ('00000000-0000-0000-0000-0000000be00' || r)::uuid, 'Restaurant ' || r FROM generate_series(0, 3) AS r;
CREATE ROLE bench_ingest LOGIN;
GRANT sop_ml_analyst TO bench_ingest;
INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
SELECT ('00000000-0000-0000-0000-0000000be00' || r)::uuid, 'bench_ingest', 'analyst' FROM generate_series(0, 3) AS r;
SELECT count(*) FROM sop_ml.maintain_partitions();
CREATE TABLE public.plain_readings (LIKE sop_ml.sop_time_series_data INCLUDING DEFAULTS);
ALTER TABLE public.plain_readings ADD PRIMARY KEY (restaurant_id, metric_name, sop_id, source, observed_at);
GRANT INSERT, SELECT ON public.plain_readings TO bench_ingest;
