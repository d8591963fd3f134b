//! Context look-up and its cache, in one backend. Several sessions: `pgrx-tests/tests/tenant_isolation.rs`.

#[pgrx::pg_schema]
mod tests {
    use pgrx::Uuid;
    use pgrx::prelude::*;

    const A: u8 = 0xaa;
    const B: u8 = 0xbb;

    fn id(byte: u8) -> Uuid {
        Uuid::from_bytes([byte; 16])
    }

    fn current() -> Option<Uuid> {
        Spi::get_one("SELECT sop_ml.current_restaurant()").unwrap()
    }

    fn readable() -> Vec<Uuid> {
        Spi::get_one("SELECT sop_ml.readable_restaurants()")
            .unwrap()
            .unwrap()
    }

    fn has_access(level: &str) -> bool {
        Spi::get_one_with_args("SELECT sop_ml.has_access($1)", &[level.into()])
            .unwrap()
            .unwrap()
    }

    fn choose(restaurant: &str) {
        Spi::run_with_args(
            "SELECT set_config('sop_ml.restaurant_id', $1, true)",
            &[restaurant.into()],
        )
        .unwrap();
    }

    /// Two restaurants; `tenancy_one` belongs to A as analyst, `tenancy_two` to both, `tenancy_none` to none.
    fn fixture() {
        for byte in [A, B] {
            Spi::run_with_args(
                "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, time_zone, currency)
                 VALUES ($1, $2, 'UTC', 'EUR')",
                &[id(byte).into(), format!("restaurant {byte:x}").into()],
            )
            .unwrap();
        }
        for role in ["tenancy_one", "tenancy_two", "tenancy_none"] {
            Spi::run(&format!("CREATE ROLE {role}; GRANT sop_ml_owner TO {role}")).unwrap();
        }
        for (role, byte, level) in [
            ("tenancy_one", A, "analyst"),
            ("tenancy_two", A, "viewer"),
            ("tenancy_two", B, "manager"),
        ] {
            Spi::run_with_args(
                "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
                 VALUES ($1, $2, $3)",
                &[id(byte).into(), role.into(), level.into()],
            )
            .unwrap();
        }
    }

    #[pg_test]
    fn a_member_of_one_restaurant_needs_no_setting() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_one").unwrap();
        assert_eq!(current(), Some(id(A)));
        assert_eq!(readable(), vec![id(A)]);
        assert!(has_access("analyst") && !has_access("manager"));
    }

    #[pg_test]
    fn a_member_of_several_chooses_among_them_only() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_two").unwrap();
        assert_eq!(current(), None);
        assert_eq!(readable(), vec![id(A), id(B)]);
        choose(&id(B).to_string());
        assert_eq!(current(), Some(id(B)));
        assert!(has_access("manager"));
        choose(&id(A).to_string());
        assert_eq!(current(), Some(id(A)));
        assert!(has_access("viewer") && !has_access("staff"));
        choose(&id(0xcc).to_string());
        assert_eq!(current(), None);
    }

    #[pg_test]
    fn without_membership_there_is_no_restaurant_whatever_is_set() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_none").unwrap();
        choose(&id(A).to_string());
        assert_eq!(current(), None);
        assert_eq!(readable(), Vec::<Uuid>::new());
        assert!(!has_access("viewer"));
    }

    #[pg_test]
    fn a_rolled_back_choice_is_forgotten() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_two").unwrap();
        choose(&id(A).to_string());
        let failed = crate::subtransaction::isolated(|| {
            choose(&id(B).to_string());
            assert_eq!(current(), Some(id(B)));
            crate::sql::execute("SELECT 1 / 0", &[])
        });
        assert!(failed.is_err());
        assert_eq!(current(), Some(id(A)));
    }

    #[pg_test]
    fn a_revoked_membership_stops_at_the_next_statement() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_one").unwrap();
        assert_eq!(current(), Some(id(A)));
        Spi::run(
            "RESET ROLE;
             UPDATE sop_ml.sop_restaurant_members SET status = 'revoked' WHERE role_name = 'tenancy_one';
             SET LOCAL ROLE tenancy_one",
        )
        .unwrap();
        assert_eq!(current(), None);
    }

    #[pg_test]
    fn a_role_granted_later_counts_at_once() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_none").unwrap();
        assert_eq!(current(), None);
        Spi::run("RESET ROLE; GRANT tenancy_one TO tenancy_none; SET LOCAL ROLE tenancy_none")
            .unwrap();
        assert_eq!(current(), Some(id(A)));
    }

    #[pg_test]
    fn superusers_name_any_restaurant_and_see_all() {
        fixture();
        assert_eq!(current(), None);
        choose(&id(B).to_string());
        assert_eq!(current(), Some(id(B)));
        assert!(has_access("owner"));
        assert!(readable().len() >= 2);
    }

    #[pg_test]
    fn claims_are_believed_for_gateway_roles_only() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_none").unwrap();
        let claims = format!(r#"{{"restaurant": "{}", "role": "staff"}}"#, id(B));
        Spi::run_with_args(
            "SELECT set_config('request.jwt.claims', $1, true)",
            &[claims.into()],
        )
        .unwrap();
        assert_eq!(current(), None);
        Spi::run("RESET ROLE").unwrap();
        Spi::run("SELECT set_config('sop_ml.gateway_roles', 'other, ' || session_user, true)")
            .unwrap();
        Spi::run("SET LOCAL ROLE tenancy_none").unwrap();
        assert_eq!(current(), Some(id(B)));
        assert!(has_access("staff") && !has_access("analyst"));
    }

    #[pg_test(error = "invalid claims")]
    fn malformed_claims_are_refused_without_detail() {
        fixture();
        Spi::run("SELECT set_config('sop_ml.gateway_roles', session_user, true)").unwrap();
        Spi::run("SELECT set_config('request.jwt.claims', '{\"restaurant\": 7}', true)").unwrap();
        Spi::run("SET LOCAL ROLE tenancy_none").unwrap();
        current();
    }

    #[pg_test(error = "sop_ml.restaurant_id is not a uuid")]
    fn a_setting_that_is_no_uuid_is_an_error() {
        fixture();
        Spi::run("SET LOCAL ROLE tenancy_one").unwrap();
        choose("Berlin");
        current();
    }

    #[pg_test(error = "unknown access level \"boss\"")]
    fn unknown_levels_are_named() {
        has_access("boss");
    }
}
