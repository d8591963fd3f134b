//! Restaurants, staff and procedures as rows.

use super::{Counts, Member};
use crate::calendar::{day, instant};
use crate::copy::{Field, block};
use crate::id::Id;
use crate::world::CATEGORIES;
use chrono::{Days, TimeDelta};
use serde_json::json;
use std::io::{self, Write};

pub(super) fn restaurants<W: Write>(
    out: &mut W,
    counts: &mut Counts,
    world: &[Member],
) -> io::Result<()> {
    let mut rows = block(
        out,
        "sop_ml.sop_restaurants",
        "restaurant_id, name, region, country_code, kind, time_zone, currency, default_language, opening_hours, closures, \
         seat_count, staff_count, labour_cost_per_hour, cross_restaurant_opt_in",
    )?;
    for Member {
        restaurant, people, ..
    } in world
    {
        let hours: Vec<_> = (1..=7)
            .map(|weekday| {
                json!({ "weekday": weekday, "opens": format!("{:02}:00", restaurant.opens),
                    "closes": format!("{:02}:00", restaurant.closes) })
            })
            .collect();
        let closures: Vec<_> = restaurant
            .closed_between()
            .map(|(from, to)| {
                json!({ "from": from.to_string(), "to": to.to_string(),
                    "reason": restaurant.closure.map(|closure| closure.reason) })
            })
            .into_iter()
            .collect();
        rows.row(&[
            Field::Id(restaurant.id),
            Field::Text(restaurant.name),
            Field::Text(restaurant.region),
            Field::Text(restaurant.country),
            Field::Text("full-service"),
            Field::Text(restaurant.zone.name()),
            Field::Text(restaurant.currency),
            Field::Text(restaurant.language),
            Field::Text(&json!(hours).to_string()),
            Field::Text(&json!(closures).to_string()),
            Field::Count((restaurant.orders_per_hour * 2.0) as i64),
            Field::Count(people.len() as i64),
            Field::Number(restaurant.labour_cost, 2),
            Field::Flag(restaurant.country == "US"),
        ])?;
    }
    counts.push(("sop_restaurants".to_owned(), rows.end()?));
    Ok(())
}

pub(super) fn people<W: Write>(
    out: &mut W,
    counts: &mut Counts,
    world: &[Member],
) -> io::Result<()> {
    let everybody = || {
        world
            .iter()
            .flat_map(|member| member.people.iter().map(move |person| (member, person)))
    };
    let mut rows = block(
        out,
        "sop_ml.sop_user_profiles",
        "restaurant_id, user_id, job_role, skill_level, certifications, preferred_language, personalization_opt_out, \
         department, experience_months, hired_on",
    )?;
    for (member, person) in everybody() {
        rows.row(&[
            Field::Id(member.restaurant.id),
            Field::Id(person.id),
            Field::Text(person.job),
            Field::Number(person.skill, 3),
            Field::Texts(&Member::certifications(person)),
            Field::Text(person.language),
            Field::Flag(person.opted_out),
            Field::Text(if person.job == "server" {
                "dining room"
            } else {
                "back of house"
            }),
            Field::Number(person.hired_days_ago as f64 / 30.4, 1),
            Field::Day(crate::FIRST_DAY - Days::new(person.hired_days_ago as u64)),
        ])?;
    }
    counts.push(("sop_user_profiles".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_privacy_preferences",
        "restaurant_id, user_id, purpose, state, since, source, legal_basis",
    )?;
    for (member, person) in everybody().filter(|(_, person)| person.opted_out) {
        for purpose in ["personalisation", "training"] {
            rows.row(&[
                Field::Id(member.restaurant.id),
                Field::Id(person.id),
                Field::Text(purpose),
                Field::Text("denied"),
                Field::Instant(instant(member.restaurant.zone, day(0), 36_000.0)),
                Field::Text("user"),
                Field::Text("consent withdrawn"),
            ])?;
        }
    }
    counts.push(("sop_privacy_preferences".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_training_records",
        "restaurant_id, record_id, user_id, module_id, module_name, certification, status, is_mandatory, assigned_at, \
         started_at, completed_at, expires_at, score, passing_score",
    )?;
    for (member, person) in everybody() {
        let zone = member.restaurant.zone;
        for (number, certification) in Member::certifications(person).into_iter().enumerate() {
            let assigned = instant(zone, crate::FIRST_DAY, 32_400.0)
                - TimeDelta::days(20 + person.hired_days_ago % 300);
            let completed = assigned + TimeDelta::days(3);
            rows.row(&[
                Field::Id(member.restaurant.id),
                Field::Id(Id::named(person.id, certification)),
                Field::Id(person.id),
                Field::Id(member.restaurant.own(&format!("module {certification}"))),
                Field::Text(certification),
                Field::Text(certification),
                Field::Text("completed"),
                Field::Flag(true),
                Field::Instant(assigned),
                Field::Instant(assigned + TimeDelta::days(1)),
                Field::Instant(completed),
                Field::Instant(completed + TimeDelta::days(365)),
                Field::Number((70.0 + 28.0 * person.skill - number as f64).min(100.0), 1),
                Field::Number(65.0, 0),
            ])?;
        }
    }
    counts.push(("sop_training_records".to_owned(), rows.end()?));
    Ok(())
}

pub(super) fn content<W: Write>(
    out: &mut W,
    counts: &mut Counts,
    world: &[Member],
) -> io::Result<()> {
    let mut rows = block(
        out,
        "sop_ml.sop_content_features",
        "restaurant_id, sop_id, title, body, category, language, tags, difficulty, required_certifications, is_mandatory, \
         estimated_minutes, risk_level, published_at",
    )?;
    for Member {
        restaurant,
        procedures,
        ..
    } in world
    {
        for procedure in procedures {
            let category = CATEGORIES
                .get(procedure.category)
                .copied()
                .unwrap_or("other");
            let certifications: Vec<&str> = procedure.certification.into_iter().collect();
            rows.row(&[
                Field::Id(restaurant.id),
                Field::Id(procedure.id),
                Field::Text(procedure.title),
                Field::Text(&format!(
                    "{}. Part of {category} at {}. Takes about {:.0} minutes. Record the result when done.",
                    procedure.title, restaurant.name, procedure.minutes
                )),
                Field::Text(category),
                Field::Text("en"),
                Field::Texts(&[category, if procedure.minutes > 15.0 { "long" } else { "short" }]),
                Field::Number(procedure.difficulty, 3),
                Field::Texts(&certifications),
                Field::Flag(category == "hygiene"),
                Field::Number(procedure.minutes, 1),
                Field::Text(if category == "hygiene" { "high" } else { "low" }),
                Field::Instant(instant(restaurant.zone, crate::FIRST_DAY, 0.0) - TimeDelta::days(200)),
            ])?;
        }
    }
    counts.push(("sop_content_features".to_owned(), rows.end()?));
    Ok(())
}
