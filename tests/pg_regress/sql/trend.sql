-- trend_test: seven methods, missing values, positions, odd input.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never

SELECT * FROM trend_test('{1,2,4,3,5,7,8}');

-- 84 days, ties, a weekly pattern and some persistence.
CREATE TABLE public.trend_days AS
SELECT day, round((20 + 0.05 * day + 2 * sin(day * 2 * pi() / 7) + 1.5 * sin(day / 5.0) + (day * 7919 % 101) / 50.0)::numeric, 1)::float8 AS value
FROM generate_series(0, 83) AS day;
CREATE VIEW public.trend_series AS SELECT array_agg(value ORDER BY day) AS series FROM public.trend_days;
CREATE FUNCTION pg_temp.shown(series float8[], method text, seasonality int DEFAULT NULL, max_lag int DEFAULT NULL, positions float8[] DEFAULT NULL)
RETURNS TABLE (method_used text, direction text, slope numeric, low numeric, high numeric, tau numeric, p numeric, r2 numeric, n bigint, stat numeric, level numeric, r1 numeric)
LANGUAGE sql AS $$
SELECT t.method, t.direction, t.slope::numeric(12, 6), t.slope_low::numeric(12, 6), t.slope_high::numeric(12, 6), t.tau::numeric(8, 5),
       t.p_value::numeric(10, 8), t.r2::numeric(8, 6), t.n, t.statistic::numeric(10, 5), t.intercept::numeric(12, 5), t.autocorrelation::numeric(8, 5)
FROM sop_ml.trend_test($1, $2, positions => $5, seasonality => $3, max_lag => $4) AS t $$;
SELECT t.* FROM public.trend_series,
    (VALUES ('mann_kendall', NULL::int, NULL::int), ('hamed_rao', NULL, NULL), ('hamed_rao', NULL, 3), ('yue_wang', NULL, NULL),
            ('yue_wang', NULL, 1), ('pre_whitening', NULL, NULL), ('trend_free_pre_whitening', NULL, NULL),
            ('seasonal_mann_kendall', 7, NULL), ('ordinary_least_squares', NULL, NULL), ('ordinary_least_squares', NULL, 0))
        AS m (method, seasonality, max_lag),
    pg_temp.shown(series, m.method, m.seasonality, m.max_lag) AS t;

-- Missing days: as NULL, as NaN or as positions left out it is the same, in whichever order the elements come.
SELECT method, count(DISTINCT t::text) AS answers
FROM unnest('{mann_kendall,hamed_rao,yue_wang,pre_whitening,trend_free_pre_whitening,ordinary_least_squares,seasonal_mann_kendall}'::text[]) AS method,
    (SELECT array_agg(CASE WHEN day % 6 <> 2 THEN value END ORDER BY day), NULL::float8[] FROM public.trend_days
     UNION ALL SELECT array_agg(CASE WHEN day % 6 <> 2 THEN value ELSE 'NaN' END ORDER BY day), NULL FROM public.trend_days
     UNION ALL SELECT array_agg(value ORDER BY day), array_agg(day::float8 ORDER BY day) FROM public.trend_days WHERE day % 6 <> 2
     UNION ALL SELECT array_agg(value ORDER BY day DESC), array_agg(day::float8 ORDER BY day DESC) FROM public.trend_days WHERE day % 6 <> 2)
        AS s (series, positions),
    pg_temp.shown(series, method, CASE method WHEN 'seasonal_mann_kendall' THEN 7 END, NULL, positions) AS t
GROUP BY method ORDER BY method;
-- Positions in another unit, from another origin.
SELECT slope * 86400, p_value = q.p AS same
FROM (SELECT array_agg(value ORDER BY day) AS series, array_agg(extract(epoch FROM date '2026-01-01' + day)::float8 ORDER BY day) AS at
      FROM public.trend_days) AS s,
     LATERAL (SELECT p_value AS p FROM trend_test(s.series, 'yue_wang')) AS q, trend_test(s.series, 'yue_wang', s.at);

-- direction goes by the confidence level.
SELECT level, direction, slope_low, slope_high FROM unnest('{0.5,0.9,0.95,0.99}'::float8[]) AS level, trend_test('{3,1,4,2,6,4,7}', confidence_level => level);

-- Nothing, little, constants, perfect lines.
SELECT direction, n, slope, p_value FROM trend_test('{1,NULL,NaN,2}');
SELECT direction, n, slope, p_value FROM trend_test(NULL);
SELECT direction, n, slope, p_value FROM trend_test('{1,2,3}', positions => '{4,4,4}');
SELECT method, direction, n, slope, slope_low, tau, p_value, r2, statistic, autocorrelation
FROM unnest('{mann_kendall,hamed_rao,yue_wang,pre_whitening,trend_free_pre_whitening,ordinary_least_squares}'::text[]) AS name,
     unnest(ARRAY['{5,5,5,5,5,5}', '{1,3,5,7,9,11}']::text[]) AS series, trend_test(series::float8[], name);
SELECT direction, slope, p_value FROM trend_test('{1,2,3,4,5}', 'seasonal_mann_kendall', seasonality => 5);
SELECT direction, slope FROM trend_test('{1,2,3,4}', positions => '{0,10,20,30}');
SELECT slope, r2 FROM trend_test('{1e308,-1e308,1e308,-1e308,5e307}');
SELECT slope FROM trend_test('{-1.7e308,0,1.7e308}', positions => '{0,1e-300,2e-300}');
\echo :LAST_ERROR_SQLSTATE

-- What is refused.
SELECT direction FROM trend_test('{1,2,Infinity}');
SELECT direction FROM trend_test('{1,2,3}', method => 'guess');
SELECT direction FROM trend_test('{1,2,3}', positions => '{0,1}');
SELECT direction FROM trend_test('{1,2,3}', positions => '{0,1,NULL}');
SELECT direction FROM trend_test('{1,2,3}', confidence_level => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT direction FROM trend_test('{1,2,3}', confidence_level => NULL);
SELECT direction FROM trend_test('{1,2,3}', 'seasonal_mann_kendall');
SELECT direction FROM trend_test('{1,2,3}', 'seasonal_mann_kendall', seasonality => 1);
SELECT direction FROM trend_test('{1,2,3}', seasonality => 7);
SELECT direction FROM trend_test('{1,2,3}', max_lag => 7);
SELECT direction FROM trend_test('{1,2,3}', 'hamed_rao', max_lag => 0);
SELECT direction FROM trend_test('{1,2,3}', 'ordinary_least_squares', max_lag => -1);
SELECT direction FROM trend_test('{1,2,3}', 'yue_wang', positions => '{0,2,5}');
\echo :LAST_ERROR_SQLSTATE
SELECT direction FROM trend_test('{{1,2},{3,4}}');
\echo :LAST_ERROR_SQLSTATE
SELECT direction FROM trend_test('{1,2,3}', method => NULL);

-- Long series: 200,000 points in O(n log n), within the bound of memory.
SELECT direction, slope::numeric(10, 8), (slope_high - slope_low) < 1e-4 AS narrow, n
FROM (SELECT array_agg(0.001 * i + (i * 7919 % 10007) / 10007.0 ORDER BY i) AS series FROM generate_series(1, 200000) AS i) AS q,
     trend_test(series);
SET sop_ml.max_state_mb = 1;
SELECT direction FROM trend_test((SELECT array_agg(i) FROM generate_series(1, 100000) AS i)::float8[]);
\echo :LAST_ERROR_SQLSTATE
RESET sop_ml.max_state_mb;

-- Moving frames are for regression_agg: the built-in answers, and a row costs the same for frames of 10 and of 10,000 rows.
CREATE TABLE public.trend_minutes AS
SELECT timestamptz '2026-01-01 00:00Z' + i * interval '1 minute' AS at, 0.001 * i + (i * 7919 % 10007) / 10007.0 AS value
FROM generate_series(1, 30000) AS i;
SELECT count(*) AS frames, count(*) FILTER (WHERE abs(moving - fresh) <= 1e-9 * abs(fresh)) AS equal
FROM (SELECT at, slope(regression_agg(value, extract(epoch FROM at)::float8 / 86400) OVER (ORDER BY at ROWS 1439 PRECEDING)) AS moving
      FROM public.trend_minutes) AS m,
     LATERAL (SELECT regr_slope(f.value, extract(epoch FROM f.at - timestamptz '2026-01-01 00:00Z')::float8 / 86400) AS fresh
              FROM public.trend_minutes AS f WHERE f.at > m.at - interval '1440 minutes' AND f.at <= m.at) AS f
WHERE extract(minute FROM at) = 0 AND extract(hour FROM at) = 12;
CREATE FUNCTION pg_temp.milliseconds(rows_before int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp();
BEGIN
    EXECUTE format('SELECT count(slope(s)) FROM (SELECT sop_ml.regression_agg(value, extract(epoch FROM at)::float8 / 86400)
        OVER (ORDER BY at ROWS %s PRECEDING) AS s FROM public.trend_minutes) AS q', rows_before);
    RETURN 1000 * extract(epoch FROM clock_timestamp() - started);
END $$;
-- Without a moving state the long frames would take some hundred times as long.
SELECT pg_temp.milliseconds(10000) < 20 * greatest(pg_temp.milliseconds(10), 20) AS constant_cost;
DROP TABLE public.trend_minutes;

DROP VIEW public.trend_series;
DROP TABLE public.trend_days;
