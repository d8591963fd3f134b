-- $1 the partitioned table, $2 its default partition: the statement that keeps writers out while rows move. It comes
-- first: writers then wait for the table itself and find the new partitions when it is free. Reading goes on, except
-- where the default partition is needed.
SELECT format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE',
              $1::regclass, $2::regclass)
