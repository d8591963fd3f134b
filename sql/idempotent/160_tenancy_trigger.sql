-- A changed membership takes effect in every session at its next statement (src/tenancy/cache.rs).
CREATE OR REPLACE TRIGGER sop_restaurant_members_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sop_ml.sop_restaurant_members
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml.members_changed();

-- Database roles are the administrators'. An owner who made another restaurant's role a member here would not see more, but
-- that role would suddenly have two restaurants and so none that is chosen by itself. Owners add people (app_user_id).
CREATE OR REPLACE FUNCTION sop_ml_storage.refuse_role_claim() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.role_name IS NOT DISTINCT FROM OLD.role_name THEN
            RETURN NEW;
        END IF;
    END IF;
    IF (SELECT c.identity_source FROM sop_ml.caller() AS c) = 'unrestricted' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'only operators make a database role a member'
        USING ERRCODE = 'insufficient_privilege', HINT = 'Add the person by app_user_id, or ask an administrator.';
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.refuse_role_claim() IS
'Row trigger of sop_restaurant_members: raises 42501 when somebody else than an operator writes role_name.';
REVOKE ALL ON FUNCTION sop_ml_storage.refuse_role_claim() FROM PUBLIC;

CREATE OR REPLACE TRIGGER sop_ml_role_claim BEFORE INSERT OR UPDATE ON sop_ml.sop_restaurant_members
    FOR EACH ROW WHEN (NEW.role_name IS NOT NULL)
    EXECUTE FUNCTION sop_ml_storage.refuse_role_claim();
