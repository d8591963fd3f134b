//! The SQL types of the states.

use pgrx::prelude::*;
use sop_analytics::statistics;

sop_type! {
    /// Count, sum and central moments: SQL type `stats_summary`.
    StatsSummary(statistics::StatsSummary), sql_name = "stats_summary",
    input = stats_summary_in, output = stats_summary_out,
    receive = stats_summary_recv, send = stats_summary_send,
    from_bytea = stats_summary_from_bytea, to_bytea = stats_summary_to_bytea,
    equal = stats_summary_eq, not_equal = stats_summary_ne
}

extension_sql!(
    r#"
CREATE TYPE stats_summary;

CREATE FUNCTION stats_summary_in(cstring) RETURNS stats_summary
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_in_wrapper';
CREATE FUNCTION stats_summary_out(stats_summary) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_out_wrapper';
CREATE FUNCTION stats_summary_recv(internal) RETURNS stats_summary
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_recv_wrapper';
CREATE FUNCTION stats_summary_send(stats_summary) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_send_wrapper';

CREATE TYPE stats_summary (
    INPUT = stats_summary_in,
    OUTPUT = stats_summary_out,
    RECEIVE = stats_summary_recv,
    SEND = stats_summary_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);

CREATE FUNCTION stats_summary_from_bytea(bytes bytea) RETURNS stats_summary
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_from_bytea_wrapper';
CREATE FUNCTION stats_summary_to_bytea(value stats_summary) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_to_bytea_wrapper';
CREATE CAST (bytea AS stats_summary) WITH FUNCTION stats_summary_from_bytea(bytea);
CREATE CAST (stats_summary AS bytea) WITH FUNCTION stats_summary_to_bytea(stats_summary) AS ASSIGNMENT;

CREATE FUNCTION stats_summary_eq(left_value stats_summary, right_value stats_summary) RETURNS boolean
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_eq_wrapper';
CREATE FUNCTION stats_summary_ne(left_value stats_summary, right_value stats_summary) RETURNS boolean
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'stats_summary_ne_wrapper';
CREATE OPERATOR = (
    FUNCTION = stats_summary_eq, LEFTARG = stats_summary, RIGHTARG = stats_summary,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
    FUNCTION = stats_summary_ne, LEFTARG = stats_summary, RIGHTARG = stats_summary,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON FUNCTION stats_summary_in(cstring) IS 'Reads the JSON text form of stats_summary';
COMMENT ON FUNCTION stats_summary_out(stats_summary) IS 'Prints stats_summary as JSON text';
COMMENT ON FUNCTION stats_summary_recv(internal) IS 'Reads the binary form of stats_summary from a client';
COMMENT ON FUNCTION stats_summary_send(stats_summary) IS 'Sends stats_summary to a client in binary form';
COMMENT ON FUNCTION stats_summary_from_bytea(bytea) IS 'Validates bytes and reads them as stats_summary; the cast bytea::stats_summary';
COMMENT ON FUNCTION stats_summary_to_bytea(stats_summary) IS 'The binary form of stats_summary, for storage in a bytea column';
COMMENT ON FUNCTION stats_summary_eq(stats_summary, stats_summary) IS 'Implementation of the = operator';
COMMENT ON FUNCTION stats_summary_ne(stats_summary, stats_summary) IS 'Implementation of the <> operator';
COMMENT ON OPERATOR = (stats_summary, stats_summary) IS 'The same binary form';
COMMENT ON OPERATOR <> (stats_summary, stats_summary) IS 'Different binary forms';
COMMENT ON CAST (bytea AS stats_summary) IS 'Reads a stored binary form and validates it';
COMMENT ON CAST (stats_summary AS bytea) IS 'Binary form for storage';
COMMENT ON TYPE stats_summary IS 'Mergeable summary statistics (count, sum, central moments up to the fourth, minimum, maximum); made by stats_agg, merged by rollup, read by average, stddev, confidence_interval and others';
"#,
    name = "stats_summary_type",
    creates = [Type(StatsSummary)]
);

sop_type! {
    /// Quantiles with a relative error bound: SQL type `percentile_sketch`.
    PercentileSketch(statistics::PercentileSketch), sql_name = "percentile_sketch",
    input = percentile_sketch_in, output = percentile_sketch_out,
    receive = percentile_sketch_recv, send = percentile_sketch_send,
    from_bytea = percentile_sketch_from_bytea, to_bytea = percentile_sketch_to_bytea,
    equal = percentile_sketch_eq, not_equal = percentile_sketch_ne
}

extension_sql!(
    r#"
CREATE TYPE percentile_sketch;

CREATE FUNCTION percentile_sketch_in(cstring) RETURNS percentile_sketch
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_in_wrapper';
CREATE FUNCTION percentile_sketch_out(percentile_sketch) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_out_wrapper';
CREATE FUNCTION percentile_sketch_recv(internal) RETURNS percentile_sketch
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_recv_wrapper';
CREATE FUNCTION percentile_sketch_send(percentile_sketch) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_send_wrapper';

CREATE TYPE percentile_sketch (
    INPUT = percentile_sketch_in,
    OUTPUT = percentile_sketch_out,
    RECEIVE = percentile_sketch_recv,
    SEND = percentile_sketch_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);

CREATE FUNCTION percentile_sketch_from_bytea(bytes bytea) RETURNS percentile_sketch
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_from_bytea_wrapper';
CREATE FUNCTION percentile_sketch_to_bytea(value percentile_sketch) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_to_bytea_wrapper';
CREATE CAST (bytea AS percentile_sketch) WITH FUNCTION percentile_sketch_from_bytea(bytea);
CREATE CAST (percentile_sketch AS bytea) WITH FUNCTION percentile_sketch_to_bytea(percentile_sketch) AS ASSIGNMENT;

CREATE FUNCTION percentile_sketch_eq(left_value percentile_sketch, right_value percentile_sketch) RETURNS boolean
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_eq_wrapper';
CREATE FUNCTION percentile_sketch_ne(left_value percentile_sketch, right_value percentile_sketch) RETURNS boolean
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'percentile_sketch_ne_wrapper';
CREATE OPERATOR = (
    FUNCTION = percentile_sketch_eq, LEFTARG = percentile_sketch, RIGHTARG = percentile_sketch,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
    FUNCTION = percentile_sketch_ne, LEFTARG = percentile_sketch, RIGHTARG = percentile_sketch,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON FUNCTION percentile_sketch_in(cstring) IS 'Reads the JSON text form of percentile_sketch';
COMMENT ON FUNCTION percentile_sketch_out(percentile_sketch) IS 'Prints percentile_sketch as JSON text';
COMMENT ON FUNCTION percentile_sketch_recv(internal) IS 'Reads the binary form of percentile_sketch from a client';
COMMENT ON FUNCTION percentile_sketch_send(percentile_sketch) IS 'Sends percentile_sketch to a client in binary form';
COMMENT ON FUNCTION percentile_sketch_from_bytea(bytea) IS 'Validates bytes and reads them as percentile_sketch; the cast bytea::percentile_sketch';
COMMENT ON FUNCTION percentile_sketch_to_bytea(percentile_sketch) IS 'The binary form of percentile_sketch, for storage in a bytea column';
COMMENT ON FUNCTION percentile_sketch_eq(percentile_sketch, percentile_sketch) IS 'Implementation of the = operator';
COMMENT ON FUNCTION percentile_sketch_ne(percentile_sketch, percentile_sketch) IS 'Implementation of the <> operator';
COMMENT ON OPERATOR = (percentile_sketch, percentile_sketch) IS 'The same binary form';
COMMENT ON OPERATOR <> (percentile_sketch, percentile_sketch) IS 'Different binary forms';
COMMENT ON CAST (bytea AS percentile_sketch) IS 'Reads a stored binary form and validates it';
COMMENT ON CAST (percentile_sketch AS bytea) IS 'Binary form for storage';
COMMENT ON TYPE percentile_sketch IS 'Mergeable sketch of a distribution with a relative error bound; made by percentile_agg, merged by rollup, read by approx_percentile';
"#,
    name = "percentile_sketch_type",
    creates = [Type(PercentileSketch)]
);
