//! Every routine of the extension meets hostile values: it answers, or raises what `docs/errors.md` declares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::hostile::own_types::OwnTypes;
use sop_ml_e2e::hostile::routines::{self, Kind, Routine, Shape};
use sop_ml_e2e::hostile::session::{Answer, Record, Session};
use sop_ml_e2e::hostile::survey::{Extent, Survey};
use sop_ml_e2e::hostile::{DECLARED, cancel, declared_by, malformed, memory, rows};
use sop_ml_e2e::{Database, shared, workspace};

/// Of every argument something: enough to reach each routine's errors.
const SAMPLE: Extent = Extent {
    small: 6,
    large: 0,
    per_option: 2,
    combinations: 3,
};

/// When the server was started, by which process.
fn postmaster(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT pg_postmaster_start_time()::text
         UNION ALL SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)",
    )
}

/// Lines of the server's log that tell of a process that died or of a bug in the extension.
fn alarming_lines(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT line FROM regexp_split_to_table(pg_read_file('server.log'), E'\\n') AS line
          WHERE line ~ 'was terminated by|panicked|TRAP:|PANIC:|all server processes terminated' LIMIT 20",
    )
}

fn assert_no_faults(record: &Record) {
    let shown: Vec<String> = record
        .faults
        .iter()
        .take(40)
        .map(|fault| fault.chars().take(1500).collect())
        .collect();
    assert!(
        record.faults.is_empty(),
        "{} faults (seed {}):\n{}",
        record.faults.len(),
        seed(),
        shown.join("\n")
    );
}

#[test]
fn the_declared_errors_are_those_of_the_page() {
    let page = std::fs::read_to_string(workspace().join("docs/errors.md")).unwrap();
    assert_eq!(declared_by(&page), DECLARED);
}

#[test]
fn every_routine_answers_or_raises_a_declared_error() {
    let database = shared().database_with_extension("hostile_survey");
    rows::ordinary(&database);
    let server = postmaster(&database);
    let own_types = OwnTypes::read(&database);
    let routines = routines::read(&database);
    assert!(routines.callable.len() > 50 && routines.uncallable.len() > 10);
    println!("seed {}", seed());
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut record = Record::default();
    let mut refused = BTreeMap::new();
    for role in [TENANTS[0].role, "postgres"] {
        let mut session = Session::open(&database, role);
        session.force_parallel();
        let mut survey = Survey::new(&mut session, &own_types, &mut random);
        for routine in &routines.callable {
            let extent = if routine.for_tenants == (role != "postgres") {
                Extent {
                    small: figure(8, usize::MAX),
                    large: figure(1, usize::MAX),
                    per_option: figure(2, usize::MAX),
                    combinations: figure(4, 60),
                }
            } else {
                SAMPLE
            };
            survey.call(routine, extent);
        }
        let (found, refusals) = (survey.record, survey.refused);
        record.merge(found);
        refused.extend(
            refusals
                .into_iter()
                .map(|(routine, error)| ((routine, role), error)),
        );
    }
    assert_no_faults(&record);
    // A reasonable call that is refused keeps the other arguments from being looked at.
    let useless: Vec<_> = routines
        .callable
        .iter()
        .filter_map(|routine| {
            let error = |role| refused.get(&(routine.signature.clone(), role));
            let superuser = error("postgres")?;
            error(TENANTS[0].role)?;
            Some(format!("{}: {superuser}", routine.signature))
        })
        .collect();
    assert!(
        useless.len() * 10 <= routines.callable.len(),
        "hostile::values has to learn what these want: {useless:#?}"
    );
    let worst = worst_cancel(&database, &record);
    assert_eq!(postmaster(&database), server, "the server was restarted");
    assert_eq!(alarming_lines(&database), Vec::<String>::new());
    let slowest = record.by_time();
    println!(
        "hostile values: {} routines ({} not callable from SQL), {} calls, SQLSTATEs {:?}, refused baselines {useless:?}, \
         slowest {} ms ({}), {worst}",
        routines.callable.len(),
        routines.uncallable.len(),
        record.calls,
        record.states,
        slowest[0].1.as_millis(),
        slowest[0].0,
    );
}

/// Cancels the slowest calls on their way.
fn worst_cancel(database: &Database, record: &Record) -> String {
    // The bound of 200 ms is for a release build on a machine with nothing else to do.
    let limit = Duration::from_millis(figure(2_000, 200) as u64);
    let slow: Vec<_> = record
        .by_time()
        .into_iter()
        .filter(|(_, elapsed, ..)| *elapsed > Duration::from_millis(200))
        .take(figure(4, 20))
        .collect();
    assert!(!slow.is_empty(), "no call is slow enough to be cancelled");
    let (mut worst, mut cancelled, mut late) = ((Duration::ZERO, ""), 0, Vec::new());
    for (routine, elapsed, role, statement) in slow {
        for part in [3, 6, 9] {
            let delay = elapsed * part / 12;
            if let Some(latency) = cancel::latency(database, role, statement, delay) {
                if latency > limit {
                    late.push(format!("{routine} after {latency:?}: {statement}"));
                }
                cancelled += 1;
                worst = worst.max((latency, routine));
            }
        }
    }
    assert!(cancelled > 0, "every call was done before its cancel came");
    assert!(late.is_empty(), "ended late after a cancel: {late:#?}");
    format!(
        "{cancelled} cancelled, the last to end did so after {} ms ({})",
        worst.0.as_millis(),
        worst.1
    )
}

#[test]
fn hostile_rows_are_answered_or_refused() {
    let database = shared().database_with_extension("hostile_rows");
    rows::ordinary(&database);
    rows::hostile(&database);
    let server = postmaster(&database);
    let own_types = OwnTypes::read(&database);
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut record = Record::default();
    for role in [TENANTS[0].role, "postgres"] {
        let mut session = Session::open(&database, role);
        let mut survey = Survey::new(&mut session, &own_types, &mut random);
        for routine in routines::read(&database).callable {
            // What reads no table meets no row.
            if routine.reads_tables {
                survey.call(&routine, SAMPLE);
            }
        }
        record.merge(survey.record);
    }
    assert!(record.calls > 100, "{} calls", record.calls);
    assert_no_faults(&record);
    assert_eq!(postmaster(&database), server, "the server was restarted");
    println!(
        "hostile rows: {} calls, SQLSTATEs {:?}",
        record.calls, record.states
    );
}

#[test]
fn malformed_values_of_every_type_are_refused_or_harmless() {
    let database = shared().database_with_extension("hostile_malformed");
    rows::ordinary(&database);
    let server = postmaster(&database);
    let own_types = OwnTypes::read(&database);
    assert!(!own_types.0.is_empty());
    let routines = routines::read(&database).callable;
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut session = Session::open(&database, TENANTS[0].role);
    let mut record = Record::default();
    let (mut damaged, mut accepted) = (0, 0);
    for own in &own_types.0 {
        let name = own.name.as_str();
        let valid = own_types.ordinary(name);
        let row = session
            .client()
            .query_one(
                &format!("SELECT v::bytea, v::text FROM (SELECT {valid}) AS x (v)"),
                &[],
            )
            .unwrap();
        let (bytes, text): (Vec<u8>, String) = (row.get(0), row.get(1));
        let table = format!("received_{}", name.replace('.', "_"));
        session
            .client()
            .batch_execute(&format!("CREATE TEMPORARY TABLE {table} (v {name})"))
            .unwrap();
        let mut sound = Vec::new();
        for form in malformed::binary(&bytes, figure(400, 8_000), &mut random) {
            damaged += 1;
            let value = format!("{}::{name}", malformed::literal(&form));
            let cast = session.run(name, &format!("SELECT ({value})::text"), &mut record);
            let copy = format!("COPY {table} FROM STDIN WITH (FORMAT binary)");
            let received = session.copy(name, &copy, &malformed::copied(&form), &mut record);
            assert_eq!(
                cast, received,
                "the cast and the receive function judge alike: {value}"
            );
            if cast == Answer::Rows {
                sound.push(value);
            }
        }
        for form in malformed::text(&text) {
            damaged += 1;
            let value = format!(
                "E'{}'::{name}",
                form.replace('\\', "\\\\").replace('\'', "\\'")
            );
            let read = session.run(name, &format!("SELECT ({value})::bytea"), &mut record);
            if read == Answer::Rows {
                sound.push(value);
            }
        }
        accepted += sound.len();
        assert!(!sound.is_empty(), "{name}: no damage is harmless");
        call_with(
            &mut session,
            &mut record,
            &routines,
            &own_types,
            name,
            &sound,
        );
    }
    assert_no_faults(&record);
    assert_eq!(postmaster(&database), server, "the server was restarted");
    println!(
        "malformed values: {} types, {damaged} damaged forms, {accepted} accepted, {} calls, SQLSTATEs {:?}",
        own_types.0.len(),
        record.calls,
        record.states
    );
}

/// What passed the checks of the type has to be good enough for every routine that takes it.
fn call_with(
    session: &mut Session,
    record: &mut Record,
    routines: &[Routine],
    own_types: &OwnTypes,
    type_name: &str,
    values: &[String],
) {
    let step = (values.len() / figure(30, 400)).max(1);
    for routine in routines {
        let ordinary = routine.reasonable(own_types);
        for (at, argument) in routine.arguments.iter().enumerate() {
            if argument.type_name != type_name {
                continue;
            }
            for value in values.iter().step_by(step) {
                let mut arguments: Vec<Option<&str>> =
                    ordinary.iter().map(Option::as_deref).collect();
                arguments[at] = Some(value);
                if matches!(routine.kind, Kind::Aggregate(_)) {
                    let ordinary: Vec<_> = ordinary.iter().map(Option::as_deref).collect();
                    let mixed =
                        routine.aggregate(&ordinary, Shape::Moving, 12, Some((at, value.as_str())));
                    session.run(&routine.signature, &mixed, record);
                }
                session.run(&routine.signature, &routine.call(&arguments), record);
            }
        }
    }
}

#[test]
fn memory_stays_flat_over_repeats() {
    let database = shared().database_with_extension("hostile_memory");
    rows::ordinary(&database);
    database.run(&format!("GRANT pg_read_all_stats TO {}", TENANTS[0].role));
    let own_types = OwnTypes::read(&database);
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut finder = Session::open(&database, TENANTS[0].role);
    let mut survey = Survey::new(&mut finder, &own_types, &mut random);
    for routine in routines::read(&database).callable {
        if routine.for_tenants && routine.kind != Kind::Procedure {
            survey.call(&routine, SAMPLE);
        }
    }
    let answered = (survey.statements.values())
        .filter(|by_state| by_state.contains_key("00000"))
        .count();
    let statements: Vec<(String, String)> = survey
        .statements
        .into_iter()
        .flat_map(|(routine, by_state)| {
            by_state
                .into_values()
                .map(move |statement| (routine.clone(), statement))
        })
        .collect();
    let mut session = Session::open(&database, TENANTS[0].role);
    let mut record = Record::default();
    let backend = session.backend();
    // Slow ones are few and take part less often, so that the rest can be repeated.
    let mut quick = Vec::new();
    let mut slow = Vec::new();
    for (routine, statement) in &statements {
        session.run(routine, statement, &mut record);
        let started = Instant::now();
        session.run(routine, statement, &mut record);
        let list = if started.elapsed() < Duration::from_millis(20) {
            &mut quick
        } else {
            &mut slow
        };
        list.push((routine, statement));
    }
    assert!(quick.len() > 60 && quick.len() > slow.len());
    let mut repeat = |rounds: usize, session: &mut Session| {
        for round in 0..rounds {
            for (routine, statement) in &quick {
                session.run(routine, statement, &mut record);
            }
            if round % 10 == 0 {
                for (routine, statement) in &slow {
                    session.run(routine, statement, &mut record);
                }
            }
        }
    };
    repeat(figure(11, 50), &mut session);
    let before = (
        memory::resident(backend),
        memory::contexts(session.client()),
    );
    let rounds = figure(40, 200);
    repeat(rounds, &mut session);
    let after = (
        memory::resident(backend),
        memory::contexts(session.client()),
    );
    assert_no_faults(&record);
    let grown = |(before, after): (u64, u64)| after.saturating_sub(before);
    let (resident, contexts) = (grown((before.0, after.0)), grown((before.1, after.1)));
    println!(
        "memory: {} statements ({} refused ones among them), {rounds} rounds: resident {} kB + {} kB, contexts {} kB + {} kB",
        statements.len(),
        statements.len() - answered,
        before.0 / 1024,
        resident / 1024,
        before.1 / 1024,
        contexts / 1024
    );
    // A call that loses 1 kB would have lost that many.
    let bound = (rounds * quick.len() * 128) as u64;
    assert!(
        resident < bound.max(2 << 20),
        "the backend grew by {resident} bytes"
    );
    assert!(
        contexts < 1 << 20,
        "memory contexts grew by {contexts} bytes"
    );
}

#[test]
fn the_harness_finds_what_is_bad() {
    let database = shared().database_with_extension("hostile_planted");
    rows::ordinary(&database);
    database.run(
        "CREATE FUNCTION sop_ml.planted_internal(value float8, label text DEFAULT 'x') RETURNS float8 LANGUAGE plpgsql AS
         $$ BEGIN IF value = 'NaN' THEN RAISE EXCEPTION 'a bug' USING ERRCODE = 'XX000'; END IF; RETURN value; END $$;
         CREATE FUNCTION sop_ml.planted_undeclared(count integer) RETURNS SETOF integer LANGUAGE plpgsql AS
         $$ BEGIN RETURN NEXT 1 / count; END $$;
         CREATE FUNCTION sop_ml.planted_report(label text) RETURNS text LANGUAGE sql AS
         $$ SELECT 'failed (SQLSTATE XX000)' WHERE label = '' $$;
         CREATE FUNCTION sop_ml.planted_fatal(options jsonb) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS
         $$ SELECT options = '[]' AND pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()) $$;
         CREATE AGGREGATE sop_ml.planted_aggregate(value float8) (SFUNC = float8mul, STYPE = float8, INITCOND = 1);
         CREATE FUNCTION sop_ml.planted_sound(value float8) RETURNS float8 LANGUAGE sql AS 'SELECT value'",
    );
    let own_types = OwnTypes::read(&database);
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut session = Session::open(&database, TENANTS[0].role);
    let mut survey = Survey::new(&mut session, &own_types, &mut random);
    let all = Extent {
        small: usize::MAX,
        large: 0,
        per_option: 0,
        combinations: 0,
    };
    let planted: Vec<Routine> = routines::read(&database)
        .callable
        .into_iter()
        .filter(|routine| routine.name.starts_with("sop_ml.planted_"))
        .collect();
    assert_eq!(planted.len(), 6);
    for routine in &planted {
        survey.call(routine, all);
    }
    let faults = survey.record.faults;
    for (name, problem) in [
        ("planted_internal", "XX000 a bug"),
        ("planted_undeclared", "22012 division by zero"),
        ("planted_report", "the answer reports SQLSTATE XX000"),
        ("planted_fatal", "57P01"),
        // 22003 of the server is declared too, so nothing is wrong with this one.
    ] {
        assert!(
            faults
                .iter()
                .any(|fault| fault.contains(name) && fault.contains(problem)),
            "{name} passed: {faults:#?}"
        );
    }
    assert!(!faults.iter().any(|fault| fault.contains("planted_sound")));
}
