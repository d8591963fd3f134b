//! What each access level may do, cell by cell, for every way in which a caller is known; docs/context.md shows the result.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use postgres::Client;
use sop_ml_e2e::{Database, describe, shared, sqlstate, tokens, workspace};

const RESTAURANT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const LEVELS: [&str; 5] = ["viewer", "staff", "analyst", "manager", "owner"];

/// What somebody wants to do, the statements that stand for it, and the first level that may.
struct Capability {
    name: &'static str,
    example: &'static str,
    from: usize,
    statements: &'static [&'static str],
}

const CAPABILITIES: [Capability; 6] = [
    Capability {
        name: "read",
        example: "rows, summaries, reports",
        from: 0,
        statements: &[
            "SELECT 1 FROM sop_ml.sop_restaurants",
            "SELECT 1 FROM sop_ml.sop_ml_models WHERE name = 'deployed'",
        ],
    },
    Capability {
        name: "record",
        example: "interactions, events, observations, feedback",
        from: 1,
        statements: &[
            "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
             VALUES ('{restaurant}', gen_random_uuid(), gen_random_uuid(), 'view', now())",
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES ('{restaurant}', 'm', now(), 1)",
            "UPDATE sop_ml.sop_ml_predictions SET feedback_score = 1",
        ],
    },
    Capability {
        name: "train",
        example: "features, datasets, models, drafts of experiments, checks",
        from: 2,
        statements: &[
            "INSERT INTO sop_ml.sop_ml_models (restaurant_id, name, version, task, algorithm) VALUES ('{restaurant}', 'mine', 1, 'regression', 'linear')",
            "INSERT INTO sop_ml.sop_ab_experiments (restaurant_id, name, variants, primary_metric) VALUES ('{restaurant}', 'e', '[\"a\", \"b\"]', 'm')",
            "UPDATE sop_ml.sop_ml_predictions SET predicted_value = 2",
            "SELECT 1 FROM sop_ml.validate_ml_training_data_quality(NULL, 'sop_ml.sop_user_interactions')",
            "SELECT sop_ml.raise_alert(NULL, 'custom', 'low', 'by hand')",
        ],
    },
    Capability {
        name: "deploy",
        example: "approve and deploy models, start and stop experiments, flags",
        from: 3,
        statements: &[
            "UPDATE sop_ml.sop_ml_models SET status = 'approved' WHERE name = 'draft'",
            "UPDATE sop_ml.sop_ab_experiments SET status = 'running' WHERE name = 'draft'",
            "INSERT INTO sop_ml.sop_ab_feature_flags (restaurant_id, flag_key) VALUES ('{restaurant}', 'f')",
        ],
    },
    Capability {
        name: "manage",
        example: "targets, privacy requests, alerts, jobs, the audit log",
        from: 3,
        statements: &[
            "INSERT INTO sop_ml.sop_privacy_preferences (restaurant_id, user_id, purpose, state)
             VALUES ('{restaurant}', gen_random_uuid(), 'training', 'denied')",
            "SELECT sop_ml.resolve_alert(NULL, alert_id) FROM sop_ml.sop_alerts",
            "UPDATE sop_ml.sop_alerts SET status = 'acknowledged'",
            "DELETE FROM sop_ml.sop_user_interactions",
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines')",
            "SELECT 1 FROM sop_ml.run_daily_ml_aggregation(sop_ml.current_restaurant(), current_date)",
            "SELECT 1 FROM sop_ml.verify_audit()",
        ],
    },
    Capability {
        name: "administer",
        example: "members, settings, retention",
        from: 4,
        statements: &[
            "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, app_user_id, access_level)
             VALUES ('{restaurant}', gen_random_uuid(), 'viewer')",
            "UPDATE sop_ml.sop_restaurants SET settings = '{}'",
        ],
    },
];

/// How the caller of a level is known.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The database role and the membership have the level.
    Role,
    /// The membership narrows a role that could do everything.
    Membership,
    /// The token narrows a role that could do everything.
    Token,
    /// The database role narrows a token that says owner.
    TokenOfNarrowRole,
    /// The membership of the token's user narrows both.
    TokenOfMember,
}

const WAYS: [Way; 5] = [
    Way::Role,
    Way::Membership,
    Way::Token,
    Way::TokenOfNarrowRole,
    Way::TokenOfMember,
];

fn user_of(level: usize) -> String {
    format!("77777777-0000-4000-8000-00000000000{level}")
}

fn database() -> Database {
    let database = shared().database_with_extension("access_matrix");
    let keys = tokens::key_set(&tokens::signers());
    database.run(&format!(
        "ALTER DATABASE access_matrix SET sop_ml.jwks = '{keys}';
         CREATE ROLE matrix_web LOGIN; GRANT sop_ml_owner TO matrix_web;
         INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{RESTAURANT}', 'Matrix');
         INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
         VALUES ('{RESTAURANT}', gen_random_uuid(), gen_random_uuid(), 'view', now());
         INSERT INTO sop_ml.sop_ml_models (restaurant_id, name, version, task, algorithm)
         VALUES ('{RESTAURANT}', 'draft', 1, 'regression', 'linear'), ('{RESTAURANT}', 'deployed', 1, 'regression', 'linear');
         INSERT INTO sop_ml.sop_ab_experiments (restaurant_id, name, variants, primary_metric) VALUES ('{RESTAURANT}', 'draft', '[\"a\", \"b\"]', 'm');
         INSERT INTO sop_ml.sop_ml_predictions (restaurant_id, model_restaurant_id, model_id, predicted_at, features, predicted_value)
         SELECT restaurant_id, restaurant_id, model_id, now(), '{{}}', 1 FROM sop_ml.sop_ml_models WHERE name = 'deployed';
         SELECT sop_ml.raise_alert('{RESTAURANT}', 'custom', 'low', 'standing')"
    ));
    for (number, level) in LEVELS.iter().enumerate() {
        database.run(&format!(
            "CREATE ROLE matrix_{level} LOGIN; GRANT sop_ml_{level} TO matrix_{level};
             CREATE ROLE matrix_member_{level} LOGIN; GRANT sop_ml_owner TO matrix_member_{level};
             INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, app_user_id, access_level)
             VALUES ('{RESTAURANT}', 'matrix_{level}', NULL, '{level}'),
                    ('{RESTAURANT}', 'matrix_member_{level}', NULL, '{level}'),
                    ('{RESTAURANT}', NULL, '{}', '{level}')",
            user_of(number)
        ));
    }
    database
}

fn caller(database: &Database, way: Way, number: usize) -> Client {
    let level = LEVELS[number];
    let [ed, ec, rsa] = tokens::signers();
    let (role, token) = match way {
        Way::Role => (format!("matrix_{level}"), None),
        Way::Membership => (format!("matrix_member_{level}"), None),
        Way::Token => (
            "matrix_web".to_owned(),
            Some(ed.sign(&tokens::claims(RESTAURANT, level, 600))),
        ),
        Way::TokenOfNarrowRole => (
            format!("matrix_{level}"),
            Some(ec.sign(&tokens::claims(RESTAURANT, "owner", 600))),
        ),
        Way::TokenOfMember => {
            let mut claims = tokens::claims(RESTAURANT, "owner", 600);
            claims["sub"] = user_of(number).into();
            ("matrix_web".to_owned(), Some(rsa.sign(&claims)))
        }
    };
    let mut client = database.connect(&role);
    if let Some(token) = token {
        client
            .batch_execute(&format!("SET sop_ml.jwt = '{token}'"))
            .unwrap();
    }
    client
}

/// Whether the statement had an effect: a refusal is an error 42501, or no row where PostgreSQL has no error for it.
fn may(client: &mut Client, statement: &str) -> bool {
    let mut transaction = client.transaction().unwrap();
    let outcome = transaction.execute(statement, &[]);
    transaction.rollback().unwrap();
    match outcome {
        Ok(rows) => rows > 0,
        Err(error) => {
            assert_eq!(
                sqlstate(&error),
                "42501",
                "{statement}: {}",
                describe(&error)
            );
            false
        }
    }
}

fn table() -> String {
    let mut text = String::from("| | what it stands for |");
    for level in LEVELS {
        text.push_str(&format!(" {level} |"));
    }
    text.push_str("\n|---|---|---|---|---|---|---|\n");
    for capability in &CAPABILITIES {
        text.push_str(&format!(
            "| **{}** | {} |",
            capability.name, capability.example
        ));
        for number in 0..LEVELS.len() {
            text.push_str(if number >= capability.from {
                " yes |"
            } else {
                " – |"
            });
        }
        text.push('\n');
    }
    text
}

#[test]
fn each_level_does_what_the_matrix_says_and_nothing_else() {
    let database = database();
    let mut cells = 0;
    for way in WAYS {
        for (number, level) in LEVELS.iter().enumerate() {
            let mut client = caller(&database, way, number);
            let known: Option<String> = client
                .query_one("SELECT access_level FROM sop_ml.caller()", &[])
                .unwrap()
                .get(0);
            assert_eq!(known.as_deref(), Some(*level), "{way:?}");
            for capability in &CAPABILITIES {
                for statement in capability.statements {
                    let statement = statement.replace("{restaurant}", RESTAURANT);
                    assert_eq!(
                        may(&mut client, &statement),
                        number >= capability.from,
                        "{way:?}: may a {level} {}? {statement}",
                        capability.name
                    );
                    cells += 1;
                }
            }
        }
    }
    println!("access matrix: {cells} statements of {} ways", WAYS.len());
}

#[test]
fn the_page_shows_this_matrix() {
    let page = std::fs::read_to_string(workspace().join("docs/context.md")).unwrap();
    assert!(
        page.contains(&table()),
        "docs/context.md has to show:\n{}",
        table()
    );
}
