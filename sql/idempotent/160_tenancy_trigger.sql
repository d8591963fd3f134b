-- A changed membership takes effect in every session at its next statement (src/tenancy/cache.rs).
CREATE OR REPLACE TRIGGER sop_restaurant_members_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sop_ml.sop_restaurant_members
    FOR EACH STATEMENT EXECUTE FUNCTION sop_ml.members_changed();
