-- The statements of a run are many and short: compiling each of them takes longer than running it. Their groups are as many
-- as there are buckets in a part of a day: hashing them needs some room, and sorting all rows instead takes twice as long.
-- Until the function ends.
SELECT pg_catalog.set_config('jit', 'off', true),
       pg_catalog.set_config('work_mem', CASE
           WHEN pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) < pg_catalog.pg_size_bytes('64MB') THEN '64MB'
           ELSE pg_catalog.current_setting('work_mem') END, true),
       -- The planner takes every third row for a bucket of its own and would sort all of them for fear of their number.
       pg_catalog.set_config('hash_mem_multiplier', CASE
           WHEN pg_catalog.current_setting('hash_mem_multiplier')::float8 < 8 THEN '8'
           ELSE pg_catalog.current_setting('hash_mem_multiplier') END, true)
