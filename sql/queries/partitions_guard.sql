-- $1 a default partition, $2 conditions that its rows meet: the statements that add them as a constraint and drop it.
-- With the constraint the default partition is read once and not again for every partition that is attached.
SELECT format('ALTER TABLE %s ADD CONSTRAINT sop_ml_moved CHECK (%s)', $1::regclass,
              array_to_string($2::text[], ' AND ')),
       format('ALTER TABLE %s DROP CONSTRAINT sop_ml_moved', $1::regclass)
