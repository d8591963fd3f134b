-- The base types. Each has the same eight functions (src/sop_type.rs makes them), two casts and two operators; a type that
-- comes is one more row here and one more name in src/statistics/types.rs.
DO $types$
DECLARE
    base record;
    called text;
BEGIN
    FOR base IN
        SELECT * FROM (VALUES
            ('stats_summary', 'Mergeable summary statistics (count, sum, central moments up to the fourth, minimum, maximum); made by stats_agg, merged by rollup, read by average, stddev, confidence_interval and others'),
            ('percentile_sketch', 'Mergeable sketch of a distribution with a relative error bound; made by percentile_agg, merged by rollup, read by approx_percentile'),
            ('distinct_sketch', 'Mergeable sketch of a set that counts its values with a known error; made by distinct_agg, merged by rollup, read by distinct_count'),
            ('top_n_sketch', 'Mergeable sketch of the most frequent values with bounds for their counts; made by top_n_agg, merged by rollup, read by top_n'),
            ('distribution_profile', 'Mergeable profile of a column of numbers or texts, the reference that drift is measured against; made by profile_agg and profile_agg_text, merged by rollup, read by profile_bins, profile_categories, drift_metrics and others'),
            ('regression_summary', 'Mergeable summary of a straight line through points (count, sums, central second moments of x and y); made by regression_agg, merged by rollup, read by slope, regression_test and others'),
            ('state_durations', 'The states that something was in, one after the other, and when each began; made by state_duration_agg, read by duration_in, state_durations, state_transitions and state_timeline; not mergeable')
        ) AS type (name, comment)
    LOOP
        called := 'IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS ''MODULE_PATHNAME''';
        EXECUTE pg_catalog.format($statements$
CREATE TYPE sop_ml.%1$s;
CREATE FUNCTION sop_ml.%1$s_in(cstring) RETURNS sop_ml.%1$s %2$s, '%1$s_in_wrapper';
CREATE FUNCTION sop_ml.%1$s_out(sop_ml.%1$s) RETURNS cstring %2$s, '%1$s_out_wrapper';
CREATE FUNCTION sop_ml.%1$s_recv(internal) RETURNS sop_ml.%1$s %2$s, '%1$s_recv_wrapper';
CREATE FUNCTION sop_ml.%1$s_send(sop_ml.%1$s) RETURNS bytea %2$s, '%1$s_send_wrapper';
CREATE TYPE sop_ml.%1$s (
    INPUT = sop_ml.%1$s_in,
    OUTPUT = sop_ml.%1$s_out,
    RECEIVE = sop_ml.%1$s_recv,
    SEND = sop_ml.%1$s_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
CREATE FUNCTION sop_ml.%1$s_from_bytea(bytes bytea) RETURNS sop_ml.%1$s %2$s, '%1$s_from_bytea_wrapper';
CREATE FUNCTION sop_ml.%1$s_to_bytea(value sop_ml.%1$s) RETURNS bytea %2$s, '%1$s_to_bytea_wrapper';
CREATE CAST (bytea AS sop_ml.%1$s) WITH FUNCTION sop_ml.%1$s_from_bytea(bytea);
CREATE CAST (sop_ml.%1$s AS bytea) WITH FUNCTION sop_ml.%1$s_to_bytea(sop_ml.%1$s) AS ASSIGNMENT;
CREATE FUNCTION sop_ml.%1$s_eq(left_value sop_ml.%1$s, right_value sop_ml.%1$s) RETURNS boolean %2$s, '%1$s_eq_wrapper';
CREATE FUNCTION sop_ml.%1$s_ne(left_value sop_ml.%1$s, right_value sop_ml.%1$s) RETURNS boolean %2$s, '%1$s_ne_wrapper';
CREATE OPERATOR sop_ml.= (
    FUNCTION = sop_ml.%1$s_eq, LEFTARG = sop_ml.%1$s, RIGHTARG = sop_ml.%1$s,
    COMMUTATOR = OPERATOR(sop_ml.=), NEGATOR = OPERATOR(sop_ml.<>),
    RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel
);
CREATE OPERATOR sop_ml.<> (
    FUNCTION = sop_ml.%1$s_ne, LEFTARG = sop_ml.%1$s, RIGHTARG = sop_ml.%1$s,
    COMMUTATOR = OPERATOR(sop_ml.<>), NEGATOR = OPERATOR(sop_ml.=),
    RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON FUNCTION sop_ml.%1$s_in(cstring) IS 'Reads the JSON text form of %1$s';
COMMENT ON FUNCTION sop_ml.%1$s_out(sop_ml.%1$s) IS 'Prints %1$s as JSON text';
COMMENT ON FUNCTION sop_ml.%1$s_recv(internal) IS 'Reads the binary form of %1$s from a client';
COMMENT ON FUNCTION sop_ml.%1$s_send(sop_ml.%1$s) IS 'Sends %1$s to a client in binary form';
COMMENT ON FUNCTION sop_ml.%1$s_from_bytea(bytea) IS 'Validates bytes and reads them as %1$s; the cast bytea::%1$s';
COMMENT ON FUNCTION sop_ml.%1$s_to_bytea(sop_ml.%1$s) IS 'The binary form of %1$s, for storage in a bytea column';
COMMENT ON FUNCTION sop_ml.%1$s_eq(sop_ml.%1$s, sop_ml.%1$s) IS 'Implementation of the = operator';
COMMENT ON FUNCTION sop_ml.%1$s_ne(sop_ml.%1$s, sop_ml.%1$s) IS 'Implementation of the <> operator';
COMMENT ON OPERATOR sop_ml.= (sop_ml.%1$s, sop_ml.%1$s) IS 'The same binary form';
COMMENT ON OPERATOR sop_ml.<> (sop_ml.%1$s, sop_ml.%1$s) IS 'Different binary forms';
COMMENT ON CAST (bytea AS sop_ml.%1$s) IS 'Reads a stored binary form and validates it';
COMMENT ON CAST (sop_ml.%1$s AS bytea) IS 'Binary form for storage';
COMMENT ON TYPE sop_ml.%1$s IS %3$L;
$statements$, base.name, called, base.comment);
    END LOOP;
END
$types$;
