-- Tests of significance: answers as scipy and statsmodels give them, and the SQLSTATE of each bad input.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.shown(VARIADIC numbers float8[]) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(coalesce(trim(to_char(x, '9.99999999EEEE')), '-'), ' ' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY AS u (x, i) $$;

-- Every test begins with the same columns.
SELECT p.proname, array_to_string(p.proargnames[p.pronargs + 1:], ' ') AS columns
FROM pg_proc AS p WHERE p.pronamespace = 'sop_ml'::regnamespace AND p.proname LIKE '%\_test%' AND p.proretset AND p.proargnames[p.pronargs + 1] = 'statistic'
ORDER BY 1;

CREATE TEMPORARY TABLE two AS
SELECT stats_agg(x) FILTER (WHERE g = 1) AS a, stats_agg(x) FILTER (WHERE g = 2) AS b
FROM (SELECT 1 AS g, unnest('{14,15,11,12,16}'::float8[]) AS x UNION ALL SELECT 2, unnest('{10,11,9,14}'::float8[])) AS q;

-- Means.
SELECT pg_temp.shown(statistic, df, p_value, effect_size, effect_lower, effect_upper) AS test, method, n, pg_temp.shown(difference, lower, upper) AS difference
FROM two, welch_t_test(a, b);
SELECT pg_temp.shown(p_value, lower) AS greater, upper FROM two, welch_t_test(a, b, 0.9, 'greater');
SELECT pg_temp.shown(p_value, upper) AS less, lower FROM two, welch_t_test(a, b, 0.9, 'less');
SELECT * FROM welch_t_test(NULL, NULL);
SELECT pg_temp.shown(statistic, df, p_value, effect_size) AS test, method, n, pg_temp.shown(difference, lower, upper) AS difference
FROM (SELECT stats_agg(x) AS s FROM unnest('{1,2,4,-1,3}'::float8[]) AS x) AS q, paired_t_test(s);
SELECT * FROM paired_t_test((SELECT stats_agg(x) FROM unnest('{2,2}'::float8[]) AS x));
SELECT welch_t_test(a, b, 1) FROM two;
\echo :LAST_ERROR_SQLSTATE
SELECT welch_t_test(a, b, 0.95, 'two-sided') FROM two;
\echo :LAST_ERROR_SQLSTATE

-- Proportions.
SELECT pg_temp.shown(statistic, p_value, effect_size, effect_lower, effect_upper) AS test, method, n, pg_temp.shown(difference, lower, upper) AS difference
FROM z_test_proportions(45, 50, 30, 50);
SELECT pg_temp.shown(p_value) AS less FROM z_test_proportions(45, 50, 30, 50, alternative => 'less');
SELECT * FROM z_test_proportions(0, 5, 0, 7);
SELECT * FROM z_test_proportions(NULL, 5, 0, 7);
SELECT z_test_proportions(6, 5, 0, 7);
\echo :LAST_ERROR_SQLSTATE

-- Counts.
SELECT pg_temp.shown(statistic, df, p_value, effect_size, effect_lower, effect_upper) AS test, method, n, smallest_expected FROM chi_square_test('{16,18,16,14,12,12}');
SELECT pg_temp.shown(statistic, df, p_value) AS test, smallest_expected FROM chi_square_test('{900,50,50}', expected => '{0.8,0.1,0.1}');
SELECT pg_temp.shown(statistic, df, p_value, effect_size, effect_lower, effect_upper) AS test, method, n, smallest_expected FROM chi_square_test('{{10,20},{30,40}}');
SELECT pg_temp.shown(statistic, df, p_value) AS test FROM chi_square_test('{{5,0,3},{2,9,4}}');
SELECT * FROM chi_square_test('{0,0}');
SELECT * FROM chi_square_test(NULL);
SELECT * FROM chi_square_test('{{1,2}}');
SELECT chi_square_test('{5}');
\echo :LAST_ERROR_SQLSTATE
SELECT chi_square_test('{5,6}', '{1,0}');
\echo :LAST_ERROR_SQLSTATE
SELECT chi_square_test('{5,6}', '{1,1,1}');
\echo :LAST_ERROR_SQLSTATE
SELECT chi_square_test('{5,-6}');
\echo :LAST_ERROR_SQLSTATE
SELECT chi_square_test('{{5,6},{7,8}}', '{1,1}');
\echo :LAST_ERROR_SQLSTATE
SELECT chi_square_test('{{{5,6},{7,8}}}');
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown(statistic, p_value, effect_size, effect_lower, effect_upper) AS test, method, n FROM fisher_test('{{8,2},{1,5}}');
SELECT pg_temp.shown(p_value) AS greater FROM fisher_test('{{8,2},{1,5}}', alternative => 'greater');
SELECT statistic, effect_size, effect_upper FROM fisher_test('{{3,0},{0,3}}');
SELECT * FROM fisher_test('{{0,0},{3,4}}');
SELECT fisher_test('{8,2,1,5}');
\echo :LAST_ERROR_SQLSTATE
SELECT fisher_test('{{8,2,3},{1,5,4}}');
\echo :LAST_ERROR_SQLSTATE

-- Ranks.
SELECT pg_temp.shown(statistic, p_value, effect_size, effect_lower, effect_upper) AS test, method, n FROM mann_whitney_test('{1,2,3}', '{2.5,4,5,6}');
SELECT pg_temp.shown(statistic, p_value) AS ties, method FROM mann_whitney_test('{1,2,2,3}', '{2,4,5,6}', alternative => 'less');
SELECT * FROM mann_whitney_test('{}', '{1}');
SELECT mann_whitney_test('{NaN}', '{1}');
\echo :LAST_ERROR_SQLSTATE
SELECT mann_whitney_test('{1,NULL}', '{1}');
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown(statistic, p_value, effect_size, effect_lower, effect_upper) AS test, method, n FROM wilcoxon_signed_rank_test('{1,-2,3,4}');
SELECT pg_temp.shown(statistic, p_value) AS test, method, n FROM wilcoxon_signed_rank_test('{1,1,-1,2,3,0}', alternative => 'greater');
SELECT * FROM wilcoxon_signed_rank_test('{0,0}');

-- Distributions.
SELECT pg_temp.shown(statistic, p_value, effect_lower, effect_upper) AS test, method, n FROM ks_test('{1,2,3,4,5}', '[0:4]={3.5,4.5,5.5,6.5,7.5}');
SELECT pg_temp.shown(statistic, p_value) AS less FROM ks_test('{1,2,3,4,5}', '{3.5,4.5,5.5,6.5,7.5}', alternative => 'less');
SELECT * FROM ks_test('{}', '{1}');
SELECT ks_test('{1,NaN}', '{1}');
\echo :LAST_ERROR_SQLSTATE
SELECT ks_test('{1,NULL}', '{1}');
\echo :LAST_ERROR_SQLSTATE
SELECT ks_test('{{1},{2}}', '{1}');
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown(statistic, p_value) AS normal, method, n FROM ks_test_distribution('{-1.2,0.3,0.5,2.1}');
SELECT pg_temp.shown(statistic, p_value) AS uniform FROM ks_test_distribution('{0.1,0.2,0.25,0.4,0.7}', 'uniform');
SELECT pg_temp.shown(statistic, p_value) AS exponential FROM ks_test_distribution('{1,2,5}', 'exponential', '{2}', alternative => 'greater');
SELECT ks_test_distribution('{1}', 'cauchy');
\echo :LAST_ERROR_SQLSTATE
SELECT ks_test_distribution('{1}', 'normal', '{0,-1}');
\echo :LAST_ERROR_SQLSTATE
SELECT ks_test_distribution('{1}', 'gamma');
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown(statistic, p_value) AS normal, method, n, effect_size FROM anderson_darling_test('{2.1,2.9,3.0,3.3,3.6,3.8,4.4,9.0}');
SELECT pg_temp.shown(statistic, p_value) AS exponential, method FROM anderson_darling_test('{0.1,0.4,0.9,1.2,3.0,4.4,5.1,8.0}', 'exponential');
SELECT pg_temp.shown(statistic, p_value) AS uniform, method FROM anderson_darling_test('{0.1,0.2,0.25,0.4,0.7}', 'uniform', '{0,1}');
SELECT * FROM anderson_darling_test('{3,3,3}');
SELECT anderson_darling_test('{1,2}', 'weibull');
\echo :LAST_ERROR_SQLSTATE
SELECT anderson_darling_test('{-1,2}', 'exponential');
\echo :LAST_ERROR_SQLSTATE
SELECT anderson_darling_test('{1,Infinity}');
\echo :LAST_ERROR_SQLSTATE

-- Several groups.
CREATE TEMPORARY TABLE long (grp text, x float8);
INSERT INTO long VALUES ('a', 1), ('a', 2), ('a', 4), ('b', 2), ('b', 4), ('b', 7), ('c', 9), ('c', 5), ('c', 6), ('c', 12);
SELECT pg_temp.shown(statistic, df, p_value, effect_size, effect_lower, effect_upper) AS test, method, n, df_within, pg_temp.shown(omega_squared) AS omega_squared
FROM (SELECT array_agg(s ORDER BY grp) AS groups FROM (SELECT grp, stats_agg(x) AS s FROM long GROUP BY grp) AS q) AS q, anova_test(groups);
SELECT pg_temp.shown(statistic, df, p_value, df_within) AS test, method
FROM (SELECT array_agg(s ORDER BY grp) AS groups FROM (SELECT grp, stats_agg(x) AS s FROM long GROUP BY grp) AS q) AS q, anova_test(groups, 'welch');
SELECT n FROM two, anova_test(ARRAY[a, NULL, b]);
SELECT * FROM two, anova_test(ARRAY[a, NULL]) LIMIT 1;
SELECT anova_test(ARRAY[a, b], 'brown') FROM two;
\echo :LAST_ERROR_SQLSTATE
SELECT anova_test(ARRAY[[a], [b]]) FROM two;
\echo :LAST_ERROR_SQLSTATE
SELECT center, pg_temp.shown(statistic, df, p_value) AS test, method, n, df_within
FROM (SELECT array_agg(x) AS x, array_agg(grp) AS g FROM long) AS q, unnest('{median,mean,trimmed}'::text[]) AS center, levene_test(q.x, g, center, trimmed_share => 0.25);
SELECT levene_test('{1,2}', '{a}');
\echo :LAST_ERROR_SQLSTATE
SELECT levene_test('{1,2}', '{a,NULL}');
\echo :LAST_ERROR_SQLSTATE
SELECT levene_test('{1,2}', '{a,b}', 'trimmed', 0.5);
\echo :LAST_ERROR_SQLSTATE

-- Resampling: equal seeds give equal answers.
SELECT pg_temp.shown(statistic, p_value, difference) AS test, method, n FROM permutation_test('{1,4,2}', '{3,7,9.5,6}');
SELECT pg_temp.shown(p_value) AS median FROM permutation_test('{1,4,2}', '{3,7,9.5,6}', 'median', alternative => 'less');
SELECT method, p_value < 0.01 AS significant, p_value = again AS repeatable
FROM (SELECT array_agg(x::float8) AS a FROM generate_series(1, 30) AS x) AS q, permutation_test(a, '{40,41,42,43}', permutations => 999, seed => 5),
     LATERAL (SELECT t.p_value AS again FROM permutation_test(a, '{40,41,42,43}', permutations => 999, seed => 5) AS t) AS r;
SELECT * FROM permutation_test('{}', '{1}');
SELECT permutation_test('{1}', '{2}', permutations => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT permutation_test(array_fill(1::float8, '{2000}'), '{2}', permutations => 1000000);
\echo :LAST_ERROR_SQLSTATE
SELECT estimated, method, n, estimate, lower < estimate AND estimate < upper AS inside, upper - lower < 4 AS narrow
FROM (SELECT array_agg((x * 7 % 11)::float8) AS a FROM generate_series(1, 50) AS x) AS q, unnest('{mean,median,trimmed_mean,stddev}'::text[]) AS estimated, bootstrap_interval(a, estimated, resamples => 499);
SELECT estimate, method, n, upper < 0 AS apart FROM bootstrap_interval('{1,2,3,4}', second_sample => '{11,12,13,15}', method => 'percentile', resamples => 199);
SELECT a = b AS same, a <> c AS other FROM bootstrap_interval('{1,2,5,9}', seed => 3) AS a, bootstrap_interval('{1,2,5,9}', seed => 3) AS b, bootstrap_interval('{1,2,5,9}', seed => 4) AS c;
SELECT * FROM bootstrap_interval('{}');
SELECT bootstrap_interval('{1,2}', 'mode');
\echo :LAST_ERROR_SQLSTATE
SELECT bootstrap_interval('{1,2}', method => 'studentized');
\echo :LAST_ERROR_SQLSTATE

-- Many p-values.
SELECT method, adjust_p_values('{0.01,NULL,0.04,0.03,0.05}', method) AS adjusted
FROM unnest('{bonferroni,sidak,holm,hochberg,hommel,benjamini_hochberg,benjamini_yekutieli}'::text[]) AS method;
SELECT adjust_p_values('{}'), adjust_p_values(NULL) IS NULL AS null_in_null_out, adjust_p_values('{NULL}'), adjust_p_values('{0.02}');
SELECT adjust_p_values('{0.5,1.5}');
\echo :LAST_ERROR_SQLSTATE
SELECT adjust_p_values('{NaN}');
\echo :LAST_ERROR_SQLSTATE
SELECT adjust_p_values('{0.5}', 'fdr');
\echo :LAST_ERROR_SQLSTATE
