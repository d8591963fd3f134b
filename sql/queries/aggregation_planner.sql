-- The statements of a run are many and short: compiling each of them takes longer than running it. Until the function ends.
SELECT pg_catalog.set_config('jit', 'off', true)
