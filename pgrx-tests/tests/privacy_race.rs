//! People refuse while others write and read: no read that starts after a refusal was committed contains anything of that
//! person, and none leaves out anybody who did not refuse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::{Database, describe, shared};
use uuid::Uuid;

const RESTAURANT: &str = "cccccccc-0000-4000-8000-000000000003";
const WRITERS: usize = 10;
const READERS: usize = 12;
const REFUSERS: usize = 10;

/// A person's identifier, and that of the procedure that nobody else touches: whoever shows it shows the person.
fn person(number: usize) -> Uuid {
    Uuid::from_u128(0xa000_0000_0000_4000_8000_0000_0000_0000 + number as u128)
}

fn private_sop(number: usize) -> Uuid {
    Uuid::from_u128(0x5000_0000_0000_4000_8000_0000_0000_0000 + number as u128)
}

/// A procedure that everybody touches.
fn common_sop() -> Uuid {
    Uuid::from_u128(0xc000_0000_0000_4000_8000_0000_0000_0000)
}

/// What is known about each person's refusal from outside the server.
struct Board {
    /// A commit may have happened: set before it is sent.
    asked: Vec<AtomicBool>,
    /// The commit was acknowledged.
    refused: Vec<AtomicBool>,
}

impl Board {
    fn new(people: usize) -> Self {
        let unset = || (0..people).map(|_| AtomicBool::new(false)).collect();
        Self {
            asked: unset(),
            refused: unset(),
        }
    }

    fn people(&self) -> usize {
        self.asked.len()
    }
}

fn snapshot(flags: &[AtomicBool]) -> Vec<bool> {
    flags
        .iter()
        .map(|flag| flag.load(Ordering::SeqCst))
        .collect()
}

/// What a read shows of the people.
struct Seen {
    /// Something of the person is there.
    any: Vec<bool>,
    /// All that there should be of the person is there.
    all: Vec<bool>,
    /// Numbers of people that the read tells.
    counts: Vec<i64>,
}

impl Seen {
    fn nobody(people: usize) -> Self {
        Self {
            any: vec![false; people],
            all: vec![false; people],
            counts: Vec::new(),
        }
    }

    /// A read that tells numbers alone.
    fn only_counts(counts: Vec<i64>) -> Self {
        Self {
            any: Vec::new(),
            all: Vec::new(),
            counts,
        }
    }

    fn whole(&mut self, number: usize) {
        self.any[number] = true;
        self.all[number] = true;
    }
}

/// Compares a read with what was known before it was sent and after it came back.
fn check(read: &str, refused: &[bool], asked: &[bool], seen: &Seen) -> Result<(), String> {
    let number = |flags: &[bool]| flags.iter().filter(|flag| **flag).count() as i64;
    let people = refused.len() as i64;
    for (person, any) in seen.any.iter().enumerate() {
        if *any && refused[person] {
            return Err(format!(
                "{read} shows person {person}, whose refusal was committed before it started"
            ));
        }
    }
    for (person, all) in seen.all.iter().enumerate() {
        if !*all && !asked[person] {
            return Err(format!(
                "{read} misses person {person}, who has refused nothing"
            ));
        }
    }
    for count in &seen.counts {
        let (least, most) = (people - number(asked), people - number(refused));
        if !(least..=most).contains(count) {
            return Err(format!(
                "{read} tells {count} people, not {least} to {most}"
            ));
        }
    }
    Ok(())
}

type Read = (&'static str, fn(&mut Client, usize) -> Seen);

/// Every function that reads people's rows for training or recommendation.
const READS: [Read; 8] = [
    ("prepare_sop_recommendation_training_data", preparation),
    ("a data set registered earlier", registered_earlier),
    ("aggregate_sop_performance_features", performance),
    ("generate_ml_feature_matrix of people", matrix_of_people),
    ("generate_ml_feature_matrix of SOPs", matrix_of_sops),
    ("generate_ml_feature_matrix of pairs", matrix_of_pairs),
    ("register_dataset recommendation", register_recommendation),
    ("register_dataset performance", register_performance),
];

const TRAINING_ROWS: &str =
    "SELECT DISTINCT user_id, sop_id FROM sop_ml.prepare_sop_recommendation_training_data";

fn training_rows(client: &mut Client, people: usize, statement: &str) -> Seen {
    let numbers = numbers(people);
    let mut seen = Seen::nobody(people);
    for row in client.query(statement, &[]).unwrap() {
        seen.whole(numbers[&row.get::<_, Uuid>(0)]);
        // Sampled ones too: nobody else knows the procedure.
        if let Some(owner) = numbers.get(&row.get::<_, Uuid>(1)) {
            seen.any[*owner] = true;
        }
    }
    seen
}

/// The number of a person, by the identifier and by that of the private procedure.
fn numbers(people: usize) -> HashMap<Uuid, usize> {
    (0..people)
        .flat_map(|number| [(person(number), number), (private_sop(number), number)])
        .collect()
}

fn preparation(client: &mut Client, people: usize) -> Seen {
    let statement =
        format!("{TRAINING_ROWS}(NULL, now() - interval '60 days', now() + interval '1 day')");
    training_rows(client, people, &statement)
}

fn registered_earlier(client: &mut Client, people: usize) -> Seen {
    let row = client
        .query_one("SELECT from_time::text, to_time::text, parameters::text FROM sop_ml.sop_training_datasets WHERE name = 'earlier' AND version = 1", &[])
        .unwrap();
    let (from, to, parameters): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    training_rows(
        client,
        people,
        &format!("{TRAINING_ROWS}(NULL, '{from}', '{to}', '{parameters}')"),
    )
}

fn performance(client: &mut Client, people: usize) -> Seen {
    let numbers = numbers(people);
    let mut seen = Seen::nobody(people);
    let rows = client
        .query(
            "SELECT sop_id, value FROM sop_ml.aggregate_sop_performance_features(NULL, now() + interval '1 day', '{60 days}')
              WHERE feature_name = 'active_users'",
            &[],
        )
        .unwrap();
    for row in rows {
        let sop: Uuid = row.get(0);
        match numbers.get(&sop) {
            Some(owner) => seen.whole(*owner),
            None => {
                assert_eq!(sop, common_sop());
                seen.counts.push(row.get::<_, f64>(1) as i64);
            }
        }
    }
    seen
}

/// A vector per entity: any element but NULL and zero shows something.
fn matrix(client: &mut Client, people: usize, entity: &str, ids: &[Uuid], features: &str) -> Seen {
    let array = if entity == "user_sop" {
        "(SELECT array_agg(ARRAY[pair[1], pair[2]]) FROM (SELECT ARRAY[($1::uuid[])[2 * n - 1], ($1::uuid[])[2 * n]] FROM generate_series(1, cardinality($1::uuid[]) / 2) AS n) AS p (pair))"
    } else {
        "$1::uuid[]"
    };
    let statement = format!(
        "SELECT features FROM sop_ml.generate_ml_feature_matrix(NULL, '{entity}', {array}, ARRAY[now() + interval '1 day'], '{features}')"
    );
    let rows = client.query(&statement, &[&ids]).unwrap();
    assert_eq!(rows.len(), people, "{entity}");
    let mut seen = Seen::nobody(people);
    for (number, row) in rows.iter().enumerate() {
        let vector: Vec<Option<f64>> = row.get(0);
        let shown = |value: &Option<f64>| value.is_some_and(|value| value != 0.0);
        seen.any[number] = vector.iter().any(shown);
        seen.all[number] = vector.iter().all(shown);
    }
    seen
}

fn matrix_of_people(client: &mut Client, people: usize) -> Seen {
    let ids: Vec<Uuid> = (0..people).map(person).collect();
    let features = "{interactions:90d,skill_level,experience_days,certifications}";
    matrix(client, people, "user", &ids, features)
}

fn matrix_of_sops(client: &mut Client, people: usize) -> Seen {
    let ids: Vec<Uuid> = (0..people).map(private_sop).collect();
    matrix(
        client,
        people,
        "sop",
        &ids,
        "{interactions:90d,active_users:90d}",
    )
}

fn matrix_of_pairs(client: &mut Client, people: usize) -> Seen {
    let ids: Vec<Uuid> = (0..people)
        .flat_map(|number| [person(number), private_sop(number)])
        .collect();
    matrix(client, people, "user_sop", &ids, "{interactions:90d}")
}

/// Registers under a name of this connection's own and returns a column of what was stored.
fn registered(client: &mut Client, kind: &str, column: &str) -> i64 {
    let statement = format!(
        "SELECT sop_ml.register_dataset(NULL, 'data of ' || pg_backend_pid(), '{kind}', now() - interval '60 days', now() + interval '1 day')"
    );
    let id: Uuid = client.query_one(&statement, &[]).unwrap().get(0);
    let statement =
        format!("SELECT {column} FROM sop_ml.sop_training_datasets WHERE dataset_id = $1");
    client.query_one(&statement, &[&id]).unwrap().get(0)
}

fn register_recommendation(client: &mut Client, _people: usize) -> Seen {
    Seen::only_counts(vec![registered(client, "recommendation", "user_count")])
}

fn register_performance(client: &mut Client, _people: usize) -> Seen {
    // Every SOP but the common one is a person's.
    Seen::only_counts(vec![registered(client, "performance", "sop_count") - 1])
}

/// Runs a read and judges it.
fn judged(client: &mut Client, board: &Board, (name, read): Read) -> Result<(), String> {
    let refused = snapshot(&board.refused);
    let seen = read(client, board.people());
    let asked = snapshot(&board.asked);
    check(name, &refused, &asked, &seen)
}

/// A restaurant whose people have interactions, a profile and a certificate each, and its owner's login role.
fn restaurant(name: &str, people: usize) -> Database {
    let database = shared().database_with_extension(name);
    let role = role(&database);
    database.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT sop_ml_owner TO {role};
         INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{RESTAURANT}', 'Old Mill');
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES ('{RESTAURANT}', '{role}', 'owner')"
    ));
    let ids: Vec<Uuid> = (0..people).map(person).collect();
    let sops: Vec<Uuid> = (0..people).map(private_sop).collect();
    let mut client = database.connect(&role);
    for statement in [
        format!(
            "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
             SELECT '{RESTAURANT}', p.person, s.sop, 'complete', now() - day * interval '1 day'
               FROM unnest($1::uuid[], $2::uuid[]) AS p (person, private), generate_series(1, 3) AS day,
                    LATERAL (VALUES (p.private), ('{}'::uuid)) AS s (sop)",
            common_sop()
        ),
        format!(
            "INSERT INTO sop_ml.sop_user_profiles (restaurant_id, user_id, skill_level)
             SELECT '{RESTAURANT}', p.person, 0.5 FROM unnest($1::uuid[], $2::uuid[]) AS p (person, private)"
        ),
        format!(
            "INSERT INTO sop_ml.sop_training_records (restaurant_id, user_id, module_id, certification, status, completed_at)
             SELECT '{RESTAURANT}', p.person, p.private, 'hygiene', 'completed', now() - interval '1 hour'
               FROM unnest($1::uuid[], $2::uuid[]) AS p (person, private)"
        ),
    ] {
        client.execute(&statement, &[&ids, &sops]).unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
    }
    client
        .batch_execute("SELECT sop_ml.register_dataset(NULL, 'earlier', 'recommendation', now() - interval '60 days', now())")
        .unwrap();
    database
}

/// The owner's login; roles are the cluster's, so each database has its own.
fn role(database: &Database) -> String {
    format!("owner_of_{}", database.name)
}

/// One way of refusing, as one statement.
fn refusal(random: &mut ChaCha8Rng, number: usize) -> String {
    let person = person(number);
    match random.random_range(0..4) {
        0 => {
            format!("SELECT sop_ml.set_privacy_preference(NULL, '{person}', 'training', 'denied')")
        }
        1 => format!(
            "SELECT sop_ml.set_privacy_preference(NULL, '{person}', 'personalisation', 'denied')"
        ),
        2 => format!(
            "INSERT INTO sop_ml.sop_privacy_preferences (restaurant_id, user_id, purpose, state)
             VALUES ('{RESTAURANT}', '{person}', 'training', 'denied')"
        ),
        _ => format!(
            "UPDATE sop_ml.sop_user_profiles SET status = 'erased' WHERE user_id = '{person}'"
        ),
    }
}

/// Refuses for each person at the moment that chance gave; every fifth changes their mind before the commit.
fn refuse(
    client: &mut Client,
    board: &Board,
    plan: &[(Duration, usize)],
    next: &AtomicUsize,
    started: Instant,
    random: &mut ChaCha8Rng,
) {
    while let Some((moment, number)) = plan.get(next.fetch_add(1, Ordering::SeqCst)) {
        std::thread::sleep(moment.saturating_sub(started.elapsed()));
        let statement = refusal(random, *number);
        if random.random_bool(0.3) {
            board.asked[*number].store(true, Ordering::SeqCst);
            client.batch_execute(&statement).unwrap();
        } else {
            // Until the commit is sent, the refusal must have no effect.
            client
                .batch_execute(&format!("BEGIN; {statement}"))
                .unwrap();
            std::thread::sleep(Duration::from_millis(random.random_range(0..30)));
            if number % 5 == 0 {
                client.batch_execute("ROLLBACK").unwrap();
                continue;
            }
            board.asked[*number].store(true, Ordering::SeqCst);
            client.batch_execute("COMMIT").unwrap();
        }
        board.refused[*number].store(true, Ordering::SeqCst);
    }
}

/// Records interactions of anybody, also of those who have refused, until the race ends; returns how many.
fn write(client: &mut Client, people: usize, over: &AtomicBool, random: &mut ChaCha8Rng) -> usize {
    let mut written = 0;
    while !over.load(Ordering::SeqCst) {
        let number = random.random_range(0..people);
        let sop = if random.random_bool(0.5) {
            private_sop(number)
        } else {
            common_sop()
        };
        let statement = format!(
            "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
             VALUES ('{RESTAURANT}', '{}', '{sop}', 'complete', clock_timestamp())",
            person(number)
        );
        client
            .batch_execute(&statement)
            .unwrap_or_else(|error| panic!("{}", describe(&error)));
        written += 1;
        std::thread::sleep(Duration::from_millis(random.random_range(0..40)));
    }
    written
}

/// Ends the race when it goes, also when a thread has failed.
struct OverOnDrop<'a>(&'a AtomicBool);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_refusal_holds_in_every_read_that_starts_after_its_commit() {
    let (people, seconds, seed) = (figure(250, 1500), figure(5, 120), seed());
    let database = restaurant("privacy_race", people);
    let role = role(&database);
    let board = Board::new(people);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Four of five people refuse, at random moments.
    let mut plan: Vec<(Duration, usize)> = Vec::new();
    for number in 0..people {
        if random.random_bool(0.8) {
            let moment = random.random::<f64>() * seconds as f64;
            plan.push((Duration::from_secs_f64(moment), number));
        }
    }
    plan.sort_unstable();
    let (over, next, started) = (AtomicBool::new(false), AtomicUsize::new(0), Instant::now());
    let violations = Mutex::new(Vec::<String>::new());
    let generator =
        |number: usize| ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1000) + number as u64);
    let (mut reads, mut written) = ([0_usize; READS.len()], 0);

    std::thread::scope(|scope| {
        let ending = OverOnDrop(&over);
        let connect = || database.connect(&role);
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| (connect(), generator(number)))
            .map(|(mut client, mut random)| {
                let over = &over;
                scope.spawn(move || write(&mut client, people, over, &mut random))
            })
            .collect();
        let readers: Vec<_> = (0..READERS)
            .map(|number| (number, connect()))
            .map(|(number, mut client)| {
                let (over, board, violations) = (&over, &board, &violations);
                scope.spawn(move || {
                    let mut done = [0_usize; READS.len()];
                    // At least once through all, each reader from another start.
                    for turn in number.. {
                        if over.load(Ordering::SeqCst) && turn >= number + READS.len() {
                            break;
                        }
                        let which = turn % READS.len();
                        if let Err(violation) = judged(&mut client, board, READS[which]) {
                            violations.lock().unwrap().push(violation);
                        }
                        done[which] += 1;
                    }
                    done
                })
            })
            .collect();
        let refusers: Vec<_> = (0..REFUSERS)
            .map(|number| (connect(), generator(100 + number)))
            .map(|(mut client, mut random)| {
                let (board, plan, next) = (&board, &plan, &next);
                scope.spawn(move || refuse(&mut client, board, plan, next, started, &mut random))
            })
            .collect();
        for refuser in refusers {
            refuser.join().unwrap();
        }
        drop(ending);
        written = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum();
        for reader in readers {
            for (total, done) in reads.iter_mut().zip(reader.join().unwrap()) {
                *total += done;
            }
        }
    });

    let violations = violations.into_inner().unwrap();
    assert!(
        violations.is_empty(),
        "seed {seed}: {} violations, for example {}",
        violations.len(),
        violations[0]
    );
    let refused = snapshot(&board.refused)
        .iter()
        .filter(|refused| **refused)
        .count();
    assert!(
        refused > people / 2 && refused < people,
        "{refused} of {people} refused"
    );
    assert!(written > 0);
    println!(
        "privacy_race: {} clients, {:.1} s, {refused} of {people} people refused ({} took it back), {written} interactions written, {} reads of {} kinds ({reads:?}), 0 violations; seed {seed}",
        WRITERS + READERS + REFUSERS,
        started.elapsed().as_secs_f64(),
        plan.len() - refused,
        reads.iter().sum::<usize>(),
        READS.len(),
    );
}

/// The race would prove nothing if its judge could not see a fault: the rule is taken away, and then overdone.
#[test]
fn a_missing_rule_is_seen_in_every_read() {
    let people = 40;
    let database = restaurant("privacy_fault", people);
    let mut client = database.connect(&role(&database));
    let board = Board::new(people);
    let complaints = |client: &mut Client| {
        let found: Vec<&str> = READS
            .into_iter()
            .filter(|read| judged(client, &board, *read).is_err())
            .map(|read| read.0)
            .collect();
        found
    };
    let all: Vec<&str> = READS.iter().map(|read| read.0).collect();
    for read in READS {
        judged(&mut client, &board, read)
            .unwrap_or_else(|violation| panic!("before any refusal: {violation}"));
    }
    for number in (0..people).step_by(2) {
        let statement = refusal(&mut ChaCha8Rng::seed_from_u64(number as u64), number);
        client.batch_execute(&statement).unwrap();
        board.asked[number].store(true, Ordering::SeqCst);
        board.refused[number].store(true, Ordering::SeqCst);
    }
    for read in READS {
        judged(&mut client, &board, read)
            .unwrap_or_else(|violation| panic!("after refusals: {violation}"));
    }
    let rule = database
        .texts("SELECT pg_catalog.pg_get_viewdef('sop_ml.sop_training_exclusions'::regclass)");
    let replace = |definition: &str| {
        database.run(&format!("CREATE OR REPLACE VIEW sop_ml.sop_training_exclusions WITH (security_invoker = true) AS {definition}"));
    };
    replace(
        "SELECT restaurant_id, user_id, purpose AS reason FROM sop_ml.sop_privacy_preferences WHERE state = 'never'",
    );
    assert_eq!(
        complaints(&mut client),
        all,
        "reads in which a missing rule is not seen"
    );
    replace("SELECT restaurant_id, user_id, status AS reason FROM sop_ml.sop_user_profiles");
    assert_eq!(
        complaints(&mut client),
        all,
        "reads in which too strict a rule is not seen"
    );
    replace(&rule[0]);
    for read in READS {
        judged(&mut client, &board, read)
            .unwrap_or_else(|violation| panic!("with the rule back: {violation}"));
    }
}

/// Whoever states a preference is told the state that it really replaced.
#[test]
fn statements_at_once_form_one_chain() {
    let database = restaurant("privacy_chain", 1);
    let role = role(&database);
    let call = |state: &str| {
        format!(
            "SELECT old_state, new_state FROM sop_ml.set_privacy_preference(NULL, '{}', 'personalisation', '{state}')",
            person(7)
        )
    };
    let answers: Vec<(Option<String>, String)> = std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..8)
            .map(|number| {
                let mut client = database.connect(&role);
                let call = &call;
                scope.spawn(move || {
                    let state = if number % 2 == 0 { "allowed" } else { "denied" };
                    (0..10)
                        .map(|_| {
                            let row = client
                                .query_one(&call(state), &[])
                                .unwrap_or_else(|error| panic!("{}", describe(&error)));
                            (row.get(0), row.get(1))
                        })
                        .collect::<Vec<(Option<String>, String)>>()
                })
            })
            .collect();
        sessions
            .into_iter()
            .flat_map(|session| session.join().unwrap())
            .collect()
    });
    assert_eq!(answers.len(), 80);
    assert_eq!(
        answers.iter().filter(|(old, _)| old.is_none()).count(),
        1,
        "{answers:?}"
    );
    // In a chain every state but the last is replaced as often as it was stated.
    let last = database.texts(
        "SELECT state FROM sop_ml.sop_privacy_preferences WHERE purpose = 'personalisation'",
    );
    for state in ["allowed", "denied"] {
        let stated = answers.iter().filter(|(_, new)| new == state).count();
        let replaced = answers
            .iter()
            .filter(|(old, _)| old.as_deref() == Some(state))
            .count();
        assert_eq!(
            replaced + usize::from(last[0] == state),
            stated,
            "{state}: {answers:?}"
        );
    }
}
