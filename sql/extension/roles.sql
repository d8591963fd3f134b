-- Roles are cluster-wide and no dump carries them: every path that runs this script makes those that are missing, before
-- a policy or a GRANT names them. They are never dropped.
DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('sop_ml_viewer',       'NOLOGIN'),
            ('sop_ml_staff',        'NOLOGIN'),
            ('sop_ml_analyst',      'NOLOGIN'),
            ('sop_ml_manager',      'NOLOGIN'),
            ('sop_ml_owner',        'NOLOGIN'),
            ('sop_ml_group_reader', 'NOLOGIN'),
            ('sop_ml_operator',     'NOLOGIN BYPASSRLS'),
            -- Owns the trigger functions that write where the writer may not; granted to nobody.
            ('sop_ml_definer',      'NOLOGIN BYPASSRLS')
        ) AS role (name, attributes)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) wanted.name) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I %s', wanted.name, wanted.attributes);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Another database of this cluster is creating the extension at the same moment.
                NULL;
            END;
        END IF;
    END LOOP;
    FOR wanted IN
        SELECT * FROM (VALUES
            ('sop_ml_viewer',  'sop_ml_staff'),
            ('sop_ml_staff',   'sop_ml_analyst'),
            ('sop_ml_analyst', 'sop_ml_manager'),
            ('sop_ml_manager', 'sop_ml_owner')
        ) AS grant_to (lower_level, higher_level)
    LOOP
        IF NOT pg_catalog.pg_has_role(wanted.higher_level, wanted.lower_level, 'MEMBER') THEN
            EXECUTE pg_catalog.format('GRANT %I TO %I', wanted.lower_level, wanted.higher_level);
        END IF;
    END LOOP;
END
$roles$;
