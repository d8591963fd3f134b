//! Tokens that were not signed by a key of the set, or not for now, are refused; revocation and expiry stop running sessions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use postgres::Client;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sop_ml_e2e::{Database, describe, effort, shared, sqlstate, tokens};

const RESTAURANT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const OTHER: &str = "bbbbbbbb-0000-4000-8000-000000000002";

fn database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    let keys = tokens::key_set(&tokens::signers());
    database.run(&format!(
        "ALTER DATABASE {name} SET sop_ml.jwks = '{keys}';
         DO $$ BEGIN CREATE ROLE token_web LOGIN; GRANT sop_ml_owner TO token_web;
               EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{RESTAURANT}', 'One'), ('{OTHER}', 'Two');
         CREATE FUNCTION public.try_token(token text) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM set_config('sop_ml.jwt', token, true);
             RETURN coalesce(sop_ml.current_restaurant()::text, 'nobody');
         EXCEPTION WHEN OTHERS THEN
             RETURN SQLSTATE || ' ' || SQLERRM;
         END $$;"
    ));
    database
}

fn answer(client: &mut Client, token: &str) -> String {
    client
        .query_one("SELECT public.try_token($1)", &[&token])
        .unwrap()
        .get(0)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| (group << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = (group >> (18 - 6 * position)) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    format!(
        "{}.{}.{signature}",
        base64(header.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    )
}

/// One forgery of a kind chosen at random; the kind is for the report.
fn forgery(random: &mut ChaCha8Rng) -> (&'static str, String) {
    let signers = tokens::signers();
    let signer = &signers[random.random_range(0..signers.len())];
    let seconds = random.random_range(60..100_000);
    let claims = tokens::claims(RESTAURANT, "owner", seconds);
    let valid = signer.sign(&claims);
    let parts: Vec<&str> = valid.split('.').collect();
    let mut bytes = valid.clone().into_bytes();
    match random.random_range(0..16) {
        0..=3 => {
            // Another character of the alphabet at a random place: header, payload or signature.
            let place = random.random_range(0..bytes.len());
            if bytes[place] == b'.' {
                bytes[place] = b'A';
            } else {
                let old = bytes[place];
                while bytes[place] == old || !bytes[place].is_ascii_alphanumeric() {
                    bytes[place] = random.random_range(b'0'..=b'z');
                }
            }
            ("changed character", String::from_utf8(bytes).unwrap())
        }
        4 | 5 => {
            let length = random.random_range(1..bytes.len());
            ("truncated", valid[..length].to_owned())
        }
        6 => {
            let past = -random.random_range(1..1_000_000);
            let claims = tokens::claims(RESTAURANT, "owner", past);
            ("expired", signer.sign(&claims))
        }
        7 => {
            let mut claims = claims;
            claims["nbf"] = (tokens::now() + 3600).into();
            ("not yet valid", signer.sign(&claims))
        }
        8 => {
            let name = ["none", "None", "NONE", ""][random.random_range(0..4)];
            let signature = if random.random_bool(0.5) {
                ""
            } else {
                parts[2]
            };
            let header = json!({ "alg": name, "typ": "JWT", "kid": signer.id });
            ("algorithm none", unsigned(&header, &claims, signature))
        }
        9 => {
            let jwk = serde_json::to_value(signer.public()).unwrap();
            let secret = match random.random_range(0..3) {
                0 => jwk.to_string(),
                1 => tokens::key_set(&tokens::signers()),
                _ => jwk["x"].as_str().or(jwk["n"].as_str()).unwrap().to_owned(),
            };
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some(signer.id.to_owned());
            let key = EncodingKey::from_secret(secret.as_bytes());
            (
                "HS256 with the public key",
                encode(&header, &claims, &key).unwrap(),
            )
        }
        10 => ("wrong key", tokens::stranger().sign(&claims)),
        11 => {
            // The attacker's own key beside the token.
            let stranger = tokens::stranger();
            let mut header = Header::new(Algorithm::EdDSA);
            header.jwk = Some(stranger.public());
            let key = EncodingKey::from_ed_der(include_bytes!("../keys/stranger.der"));
            (
                "own key in the header",
                encode(&header, &claims, &key).unwrap(),
            )
        }
        12 => {
            let other = signer.sign(&tokens::claims(OTHER, "owner", seconds + 1));
            let payload = other.split('.').nth(1).unwrap();
            (
                "payload of another token",
                format!("{}.{payload}.{}", parts[0], parts[2]),
            )
        }
        13 => {
            let name = ["ES256", "RS256", "EdDSA", "ES384", "PS256"][random.random_range(0..5)];
            let header = json!({ "alg": name, "typ": "JWT", "x": seconds });
            ("another header", unsigned(&header, &claims, parts[2]))
        }
        14 => {
            let mut claims = claims;
            match random.random_range(0..5) {
                0 => claims["exp"] = Value::Null,
                1 => claims["exp"] = "2099-01-01".into(),
                2 => claims["role"] = "superuser".into(),
                3 => claims["restaurant"] = "everything".into(),
                _ => claims["restaurants"] = json!([RESTAURANT, 7]),
            }
            ("malformed claims, well signed", signer.sign(&claims))
        }
        _ => {
            let broken = [
                format!("{valid}.{}", parts[2]),
                format!("{}..{}", parts[0], parts[2]),
                format!("..{}", parts[2]),
                format!(" {valid}"),
                format!("{valid}="),
                "a".repeat(random.random_range(1..20_000)),
                "Bearer ".to_owned() + &valid,
            ];
            (
                "malformed",
                broken[random.random_range(0..broken.len())].clone(),
            )
        }
    }
}

#[test]
fn no_forged_token_is_accepted() {
    let database = database("forged_tokens");
    let mut client = database.connect("token_web");
    // Without this the test could pass because nothing is ever accepted.
    for signer in tokens::signers() {
        let token = signer.sign(&tokens::claims(RESTAURANT, "viewer", 600));
        assert_eq!(answer(&mut client, &token), RESTAURANT, "{}", signer.id);
    }
    let seed = effort::seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let wanted = effort::figure(5_000, 100_000);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..wanted {
        let (kind, token) = forgery(&mut random);
        let answer = answer(&mut client, &token);
        assert_eq!(
            answer, "42501 invalid token",
            "{kind} (seed {seed}): {token}"
        );
        *kinds.entry(kind).or_default() += 1;
    }
    println!("forged tokens: {wanted} tried, 0 accepted (seed {seed}): {kinds:?}");
}

#[test]
fn an_empty_key_set_accepts_nothing_and_a_removed_key_stops_at_once() {
    let database = database("token_keys");
    let [ed, ec, _] = tokens::signers();
    let token = ed.sign(&tokens::claims(RESTAURANT, "viewer", 600));
    let mut client = database.superuser();
    assert_eq!(answer(&mut client, &token), RESTAURANT);
    for keys in [String::new(), tokens::key_set(&[ec])] {
        client
            .batch_execute(&format!("SET sop_ml.jwks = '{keys}'"))
            .unwrap();
        assert_eq!(answer(&mut client, &token), "42501 invalid token");
    }
    client.batch_execute("RESET sop_ml.jwks").unwrap();
    assert_eq!(answer(&mut client, &token), RESTAURANT);
    // Key ids are optional: a key without one is tried for every token.
    let mut nameless = serde_json::to_value(ed.public()).unwrap();
    nameless.as_object_mut().unwrap().remove("kid");
    client
        .batch_execute(&format!(
            "SET sop_ml.jwks = '{}'",
            json!({ "keys": [nameless] })
        ))
        .unwrap();
    assert_eq!(answer(&mut client, &token), RESTAURANT);
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let database = database("token_audience");
    let [ed, ..] = tokens::signers();
    let mut client = database.superuser();
    client
        .batch_execute("SET sop_ml.jwt_audience = 'kitchen'")
        .unwrap();
    for (audience, accepted) in [
        (json!("kitchen"), true),
        (json!(["bar", "kitchen"]), true),
        (json!("bar"), false),
        (json!([]), false),
        (Value::Null, false),
    ] {
        let mut claims = tokens::claims(RESTAURANT, "viewer", 600);
        claims["aud"] = audience.clone();
        let answer = answer(&mut client, &ed.sign(&claims));
        assert_eq!(answer == RESTAURANT, accepted, "{audience}: {answer}");
    }
}

#[test]
fn bad_key_sets_are_refused_with_a_reason() {
    let database = database("token_bad_keys");
    let mut client = database.superuser();
    // Loads the library, and with it the checks.
    client
        .batch_execute("SELECT sop_ml.current_restaurant()")
        .unwrap();
    let secret = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }).to_string();
    for (keys, reason) in [
        ("nonsense".to_owned(), "not JSON"),
        ("{}".to_owned(), "not a JWK set"),
        (tokens::key_set(&[tokens::weak()]), "2048 bits"),
        (secret, "private or symmetric"),
    ] {
        let error = client
            .batch_execute(&format!("SET sop_ml.jwks = '{keys}'"))
            .unwrap_err();
        assert_eq!(sqlstate(&error), "22023", "{}", describe(&error));
        let detail = error.as_db_error().unwrap().detail().unwrap_or_default();
        assert!(detail.contains(reason), "{keys}: {detail}");
    }
}

#[test]
fn an_expired_token_stops_a_running_transaction() {
    let database = database("token_expiry");
    let [ed, ..] = tokens::signers();
    let mut client = database.connect("token_web");
    let expires = Instant::now() + Duration::from_secs(2);
    let token = ed.sign(&tokens::claims(RESTAURANT, "viewer", 2));
    let mut transaction = client.transaction().unwrap();
    transaction
        .batch_execute(&format!("SET LOCAL sop_ml.jwt = '{token}'"))
        .unwrap();
    let rows = "SELECT count(*) FROM sop_ml.sop_restaurants";
    let prepared = transaction.prepare(rows).unwrap();
    assert_eq!(
        transaction
            .query_one(&prepared, &[])
            .unwrap()
            .get::<_, i64>(0),
        1
    );
    std::thread::sleep(expires - Instant::now() + Duration::from_millis(100));
    let mut attempt = transaction.transaction().unwrap();
    let error = attempt.query_one(&prepared, &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "42501", "{}", describe(&error));
    attempt.rollback().unwrap();
    transaction
        .batch_execute("SET LOCAL ROLE sop_ml_viewer")
        .unwrap();
    let error = transaction.query_one(rows, &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "42501", "{}", describe(&error));
}

#[test]
fn a_revoked_membership_takes_the_restaurant_from_tokens_that_still_name_it() {
    let database = database("token_revoked");
    let [_, ec, _] = tokens::signers();
    let user = "77777777-0000-4000-8000-000000000001";
    database.run(&format!(
        "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, app_user_id, access_level)
         VALUES ('{RESTAURANT}', '{user}', 'manager'), ('{OTHER}', '{user}', 'viewer')"
    ));
    let mut claims = json!({ "sub": user, "restaurants": [RESTAURANT, OTHER], "restaurant": RESTAURANT,
        "exp": tokens::now() + 600 });
    let named = ec.sign(&claims);
    claims.as_object_mut().unwrap().remove("restaurants");
    claims.as_object_mut().unwrap().remove("restaurant");
    let by_membership = ec.sign(&claims);

    let mut client = database.connect("token_web");
    client
        .batch_execute(&format!("SET sop_ml.jwt = '{named}'"))
        .unwrap();
    let mut state = |statement: &str| -> String {
        client
            .query_one(statement, &[])
            .unwrap()
            .get::<_, Option<String>>(0)
            .unwrap_or_default()
    };
    let level = "SELECT access_level FROM sop_ml.caller()";
    let current = "SELECT sop_ml.current_restaurant()::text";
    assert_eq!(state(level), "manager");
    database.run(&format!(
        "UPDATE sop_ml.sop_restaurant_members SET status = 'revoked' WHERE restaurant_id = '{RESTAURANT}'"
    ));
    assert_eq!(
        state(current),
        "",
        "a revoked membership, in the running session"
    );
    assert_eq!(
        state(&format!(
            "SELECT set_config('sop_ml.restaurant_id', '{OTHER}', false)"
        )),
        OTHER
    );
    assert_eq!(state(level), "viewer");
    assert_eq!(
        state("SELECT set_config('sop_ml.restaurant_id', '', false)"),
        ""
    );
    assert_eq!(
        state(&format!(
            "SELECT set_config('sop_ml.jwt', '{by_membership}', false)"
        )),
        by_membership
    );
    assert_eq!(state(current), OTHER, "the only membership that is left");
}
