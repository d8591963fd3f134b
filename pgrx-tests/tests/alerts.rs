//! Alerts from many sessions at once: one alert per cause, announced at COMMIT without saying what it is about.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::thread;
use std::time::Duration;

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{describe, shared};

const RAISE: &str = "SELECT sop_ml.raise_alert(NULL, 'custom', 'high', 'The secret ingredient is out', '{\"sku\": 7}')::text";

/// The payloads that arrive within a moment.
fn heard(listener: &mut Client) -> Vec<String> {
    let mut notifications = listener.notifications();
    let mut arriving = notifications.timeout_iter(Duration::from_millis(500));
    let mut payloads = Vec::new();
    while let Some(notification) = arriving.next().unwrap() {
        assert_eq!(notification.channel(), "sop_ml_alerts");
        payloads.push(notification.payload().to_owned());
    }
    payloads
}

#[test]
fn many_sessions_raise_one_alert_and_listeners_learn_only_that_there_is_one() {
    const SESSIONS: usize = 16;
    let database = shared().database_with_extension("alerts_concurrent");
    fill(&database);
    // The other tenant listens, as it may.
    let mut listener = database.connect(TENANTS[1].role);
    listener.batch_execute("LISTEN sop_ml_alerts").unwrap();

    let mut undecided = database.connect(TENANTS[0].role);
    let mut transaction = undecided.transaction().unwrap();
    transaction.query_one(RAISE, &[]).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(heard(&mut listener), Vec::<String>::new(), "rolled back");

    let ids: Vec<String> = thread::scope(|scope| {
        let raising: Vec<_> = (0..SESSIONS)
            .map(|_| {
                scope.spawn(|| {
                    database
                        .connect(TENANTS[0].role)
                        .query_one(RAISE, &[])
                        .unwrap_or_else(|error| panic!("{}", describe(&error)))
                        .get::<_, String>(0)
                })
            })
            .collect();
        raising
            .into_iter()
            .map(|session| session.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let count: i64 = database
        .superuser()
        .query_one(
            "SELECT raise_count FROM sop_ml.sop_alerts WHERE alert_id = $1::text::uuid",
            &[&ids[0]],
        )
        .unwrap()
        .get(0);
    assert_eq!(count, i64::try_from(SESSIONS).unwrap());

    let payloads = heard(&mut listener);
    assert_eq!(payloads.len(), 1, "{payloads:?}");
    let payload: Value = serde_json::from_str(&payloads[0]).unwrap();
    let keys: Vec<&String> = payload.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["alert_id", "severity"]);
    assert_eq!(payload["alert_id"], ids[0].as_str());
    // The id opens nothing to the listener.
    let visible: i64 = listener
        .query_one(
            "SELECT count(*) FROM sop_ml.sop_alerts WHERE alert_id = $1::text::uuid",
            &[&ids[0]],
        )
        .unwrap()
        .get(0);
    assert_eq!(visible, 0);
}
