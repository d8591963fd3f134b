-- Training data for recommenders, and registered data sets.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''da7a0000-0000-0000-0000-000000000001'''
\set other '''da7a0000-0000-0000-0000-000000000002'''

INSERT INTO sop_restaurants (restaurant_id, name) VALUES
    (:restaurant, 'Data kitchen'), (:other, 'Other kitchen'), ('da7a0000-0000-0000-0000-000000000003', 'Empty kitchen');

-- 20 people and 15 procedures over 100 days: who touches what follows from divisibility, so it needs no random numbers.
CREATE FUNCTION pg_temp.person(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('a0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.procedure(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('50000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, rating, interaction_id)
SELECT :restaurant, pg_temp.person(p), pg_temp.procedure(s),
       (ARRAY['view','start','complete','rate'])[1 + (p * s + d) % 4],
       timestamptz '2026-01-01 00:00+00' + make_interval(days => d, mins => p * 20 + s),
       CASE WHEN (p * s + d) % 4 = 3 THEN 1 + (p + s) % 5 END,
       md5(format('%s %s %s', p, s, d))::uuid
FROM generate_series(1, 20) AS p, generate_series(1, 15) AS s, generate_series(0, 99) AS d
WHERE (p * 7 + s * 3 + d) % 41 = 0 AND (p + s) % 3 <> 0;
-- What another restaurant does must not show.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
SELECT :other, pg_temp.person(1), pg_temp.procedure(90 + s), 'complete', timestamptz '2026-01-02 00:00+00' + make_interval(days => s)
FROM generate_series(1, 9) AS s;

-- A small case by hand: the first three days of person 90.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, rating) VALUES
    (:other, pg_temp.person(90), pg_temp.procedure(1), 'view',     '2026-02-01 00:00+00', NULL),
    (:other, pg_temp.person(90), pg_temp.procedure(1), 'complete', '2026-02-11 00:00+00', NULL),
    (:other, pg_temp.person(90), pg_temp.procedure(2), 'skip',     '2026-02-11 00:00+00', NULL),
    (:other, pg_temp.person(90), pg_temp.procedure(3), 'rate',     '2026-02-11 00:00+00', 2),
    (:other, pg_temp.person(90), pg_temp.procedure(3), 'rate',     '2026-02-12 00:00+00', 'NaN'),
    (:other, pg_temp.person(90), '00000000-0000-0000-0000-000000000000', 'search', '2026-02-12 00:00+00', NULL);
SELECT right(user_id::text, 2) AS person, right(sop_id::text, 2) AS sop, label, weight, split, occurred_at
FROM prepare_sop_recommendation_training_data(:other, '2026-02-01', '2026-02-21',
    '{"negatives_per_positive": 0, "half_life_days": 10, "validation_fraction": 0, "test_fraction": 0}');
SELECT right(sop_id::text, 2) AS sop, label, weight
FROM prepare_sop_recommendation_training_data(:other, '2026-02-01', '2026-02-21',
    '{"feedback": "explicit", "half_life_days": null, "validation_fraction": 0, "test_fraction": 0}');
SELECT right(sop_id::text, 2) AS sop, label, weight
FROM prepare_sop_recommendation_training_data(:other, '2026-02-01', '2026-02-21',
    '{"feedback": "both", "half_life_days": null, "negatives_per_positive": 0, "validation_fraction": 0, "test_fraction": 0, "weights": {"view": 2, "skip": 1}}');
-- Person 90 met 1, 2, 3 only; person 1 met 91 to 99. What is sampled is what the other one met.
SELECT right(user_id::text, 2) AS person, label, count(*), min(right(sop_id::text, 2)) AS first_sop, max(right(sop_id::text, 2)) AS last_sop
FROM prepare_sop_recommendation_training_data(:other, '2026-01-01', '2026-02-21', '{"validation_fraction": 0, "test_fraction": 0}')
GROUP BY 1, 2 ORDER BY 1, 2;

CREATE TEMP TABLE prepared AS
SELECT row_number() OVER () AS n, * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-11', '2026-04-01', '{"seed": 7}');
SELECT split, label, count(*), count(DISTINCT user_id) AS people, round(sum(weight)::numeric, 6) AS weight,
       min(occurred_at), max(occurred_at)
FROM prepared GROUP BY split, label ORDER BY min(occurred_at), label;
-- Splits follow each other; no row twice in a split; no sampled pair was ever met before to_time, not even before from_time.
SELECT (SELECT max(occurred_at) FROM prepared WHERE split = 'train') < (SELECT min(occurred_at) FROM prepared WHERE split = 'validation') AS train_first,
       (SELECT max(occurred_at) FROM prepared WHERE split = 'validation') < (SELECT min(occurred_at) FROM prepared WHERE split = 'test') AS test_last,
       (SELECT count(*) - count(DISTINCT (user_id, sop_id, split)) FROM prepared) AS repeated,
       (SELECT count(*) FROM prepared AS p JOIN sop_user_interactions AS i USING (user_id, sop_id)
        WHERE p.label = 0 AND i.restaurant_id = :restaurant AND i.occurred_at < '2026-04-01') AS met,
       (SELECT count(*) FROM prepared AS p WHERE p.label = 1 AND NOT EXISTS (
            SELECT FROM sop_user_interactions AS i WHERE i.restaurant_id = :restaurant AND i.user_id = p.user_id
            AND i.sop_id = p.sop_id AND i.occurred_at = p.occurred_at)) AS invented;
-- Equal input and seed: equal rows in equal order. Another seed: the same positives, other negatives.
SELECT count(*) AS different FROM prepared FULL JOIN (
    SELECT row_number() OVER () AS n, * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-11', '2026-04-01', '{"seed": 7}')) AS again USING (n)
WHERE (prepared.user_id, prepared.sop_id, prepared.label, prepared.weight, prepared.split, prepared.occurred_at)
    IS DISTINCT FROM (again.user_id, again.sop_id, again.label, again.weight, again.split, again.occurred_at);
SELECT label, count(*) > 0 AS differ FROM (
    (SELECT user_id, sop_id, label, weight, split, occurred_at FROM prepared
     EXCEPT SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-11', '2026-04-01', '{"seed": 8}'))) AS d
GROUP BY label ORDER BY label;
-- Rows from to_time on change nothing.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at) VALUES
    (:restaurant, pg_temp.person(3), pg_temp.procedure(1), 'complete', '2026-04-01 00:00+00');
SELECT count(*) AS different FROM (SELECT user_id, sop_id, label, weight, split, occurred_at FROM prepared
    EXCEPT SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-11', '2026-04-01', '{"seed": 7}')) AS d;
-- Cut at given times; pairs that repeat can be dropped from the later splits.
SELECT o.repeated_pairs, p.split, count(*), min(p.occurred_at), max(p.occurred_at)
FROM (VALUES ('keep'), ('drop')) AS o (repeated_pairs),
     prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', jsonb_build_object(
         'validation_from', timestamptz '2026-01-20 00:00+00', 'test_from', timestamptz '2026-02-01 00:00+00',
         'repeated_pairs', o.repeated_pairs)) AS p
GROUP BY o.repeated_pairs, p.split ORDER BY o.repeated_pairs DESC, min(p.occurred_at);
SELECT count(*) - count(DISTINCT (user_id, sop_id)) AS repeated
FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01',
    '{"test_from": "2026-02-01T00:00:00Z", "repeated_pairs": "drop"}');

-- Data sets: named by content, one version per change.
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 7}') AS first \gset
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 7, "feedback": "implicit"}') = :'first' AS same_again;
SELECT d.name, d.version, d.kind, d.status, d.seed, d.row_count = (SELECT count(*) FROM prepared) AS rows_agree,
       d.positive_count = (SELECT count(*) FROM prepared WHERE label = 1) AS positives_agree,
       d.positive_count + d.negative_count = d.row_count AS counts_agree, d.user_count, d.sop_count,
       d.split_counts = (SELECT jsonb_object_agg(split, n) FROM (SELECT split, count(*) AS n FROM prepared GROUP BY split) AS s) AS splits_agree,
       length(d.content_hash) AS hash_digits, round(d.label_mean::numeric, 6) AS label_mean,
       (SELECT round(avg(label)::numeric, 6) FROM prepared) AS expected_mean
FROM sop_training_datasets AS d WHERE d.dataset_id = :'first';
SELECT c ->> 'column' AS column, c -> 'n' = to_jsonb(p.n) AS n, round((c ->> 'mean')::numeric, 9) = round(p.mean::numeric, 9) AS mean,
       round((c ->> 'stddev')::numeric, 9) = round(p.stddev::numeric, 9) AS stddev,
       (SELECT array_agg(round((q ->> 1)::numeric, 9) ORDER BY (q ->> 0)::numeric) FROM jsonb_array_elements(c -> 'quantiles') AS q)
           = ARRAY(SELECT round(q::numeric, 9) FROM unnest(p.quantiles) AS q) AS quantiles
FROM sop_training_datasets AS d, jsonb_array_elements(d.profile -> 'columns') AS c,
     (SELECT count(*) AS n, avg(weight) AS mean, stddev(weight) AS stddev,
             percentile_cont(ARRAY[0.01,0.05,0.25,0.5,0.75,0.95,0.99]) WITHIN GROUP (ORDER BY weight) AS quantiles FROM prepared) AS p
WHERE d.dataset_id = :'first' AND c ->> 'column' = 'weight';
-- Equal data stored in another order has the same hash: delete and insert again, reversed.
CREATE TEMP TABLE kept AS SELECT * FROM sop_user_interactions WHERE restaurant_id = :restaurant;
DELETE FROM sop_user_interactions WHERE restaurant_id = :restaurant;
INSERT INTO sop_user_interactions SELECT * FROM kept ORDER BY occurred_at DESC, sop_id;
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 7}') = :'first' AS same_again;
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 8}') = :'first' AS same_again;
SELECT name, version, seed, count(*) OVER (PARTITION BY content_hash) AS same_hash FROM sop_training_datasets WHERE restaurant_id = :restaurant ORDER BY version;
-- One changed rating changes no implicit data, one more interaction does.
UPDATE sop_user_interactions SET rating = 5 WHERE restaurant_id = :restaurant AND interaction_type = 'rate';
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 8}') IS NOT NULL AS registered;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at) VALUES
    (:restaurant, pg_temp.person(3), pg_temp.procedure(2), 'complete', '2026-02-01 00:00+00');
SELECT register_dataset(:restaurant, 'weekly', 'recommendation', '2026-01-11', '2026-04-01', '{"seed": 8}') IS NOT NULL AS registered;
SELECT register_dataset(:restaurant, 'performance of march', 'performance', '2026-03-01', '2026-04-01') IS NOT NULL AS registered;
SELECT register_dataset(:restaurant, 'performance of march', 'performance', '2026-03-01', '2026-04-01') IS NOT NULL AS registered;
SELECT register_dataset('da7a0000-0000-0000-0000-000000000003', 'nothing', 'recommendation', '2026-01-11', '2026-04-01') IS NOT NULL AS registered;
SELECT name, version, kind, row_count, sop_count, split_counts, cardinality(feature_names) AS features
FROM sop_training_datasets WHERE restaurant_id::text LIKE 'da7a%' AND (name <> 'weekly' OR version > 1) ORDER BY name, version;

-- Who refused is absent, also from what negatives are drawn from.
INSERT INTO sop_privacy_preferences (restaurant_id, user_id, purpose, state) VALUES
    (:restaurant, pg_temp.person(1), 'training', 'denied'),
    (:restaurant, pg_temp.person(2), 'personalisation', 'denied'),
    (:restaurant, pg_temp.person(3), 'experimentation', 'denied'),
    (:restaurant, pg_temp.person(4), 'training', 'allowed'),
    (:other, pg_temp.person(5), 'training', 'denied');
INSERT INTO sop_user_profiles (restaurant_id, user_id, status) VALUES
    (:restaurant, pg_temp.person(6), 'erased'), (:restaurant, pg_temp.person(7), 'active');
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at) VALUES
    (:restaurant, pg_temp.person(1), pg_temp.procedure(77), 'complete', '2026-02-01 00:00+00');
SELECT array_agg(DISTINCT right(user_id::text, 2)::int) FILTER (WHERE right(user_id::text, 2)::int < 9) AS people,
       count(*) FILTER (WHERE sop_id = pg_temp.procedure(77)) AS only_theirs
FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01');

-- Nothing there.
SELECT count(*) FROM prepare_sop_recommendation_training_data('da7a0000-0000-0000-0000-000000000003', '2026-01-01', '2026-04-01');
SELECT count(*) > 0 AS all_history FROM prepare_sop_recommendation_training_data(:restaurant, '-infinity', '2026-04-01');

-- Errors.
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, NULL, '2026-04-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-04-01', NULL);
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-04-01', '2026-04-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', 'infinity');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"sed": 7}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '[1]');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"feedback": "loud"}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"weights": {"wave": 1}}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"weights": {"view": -1}}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"half_life_days": 0}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"negatives_per_positive": -1}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"feedback": "explicit", "negatives_per_positive": 1}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"negative_weight": 0}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"min_interactions": -1}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"test_fraction": 1}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"test_from": "soon"}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"test_from": "2026-05-01T00:00:00Z"}');
SELECT * FROM prepare_sop_recommendation_training_data(:restaurant, '2026-01-01', '2026-04-01', '{"test_from": "2026-03-01T00:00:00Z", "test_fraction": 0.1}');
SELECT * FROM prepare_sop_recommendation_training_data(NULL, '2026-01-01', '2026-04-01');
\echo :LAST_ERROR_SQLSTATE
SELECT register_dataset(:restaurant, NULL, 'recommendation', '2026-01-01', '2026-04-01');
SELECT register_dataset(:restaurant, '', 'recommendation', '2026-01-01', '2026-04-01');
SELECT register_dataset(:restaurant, 'x', 'weather', '2026-01-01', '2026-04-01');
SELECT register_dataset(:restaurant, 'x', 'performance', '2026-04-01', '2026-01-01');
SELECT register_dataset(:restaurant, 'x', 'performance', '2026-01-01', '2026-04-01', '{"seed": 7}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM sop_training_datasets WHERE restaurant_id = :restaurant AND name = 'x';
