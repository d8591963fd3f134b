//! Data that others recorded, as rows of the extension's tables. demo/data/NOTICE.md tells where it comes from, under
//! which licence it stands, and what is invented here because the sources do not have it.

mod source;

use crate::copy::{Field, block};
use crate::id::Id;
use chrono_tz::Tz;
use serde_json::json;
use source::{ASSUMED_ZONE, Delivery, deliveries, inspections, orders};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// The restaurant of the deliveries.
pub const DELIVERY_RESTAURANT: Id = Id::fixed(0xea000000_0000_5000_8000_000000000100);

/// The pizza place.
pub const PIZZA_PLACE: Id = Id::fixed(0xea000000_0000_5000_8000_000000000200);

/// The inspected restaurant number `index`, from 0, in the order of their names.
pub const fn inspected_restaurant(index: usize) -> Id {
    Id::fixed(0xea000000_0000_5000_8000_000000000001 + index as u128)
}

/// Writes the script and tells how many rows go into each table.
pub fn write<W: Write>(out: &mut W) -> io::Result<Vec<(String, u64)>> {
    let mut inspections = inspections()?;
    inspections.sort_by_key(|row| row.at);
    let deliveries = deliveries()?;
    let orders = orders()?;
    let pizzas: BTreeSet<&str> = orders
        .iter()
        .flat_map(|order| order.pizzas.keys().map(|(name, _)| name.as_str()))
        .collect();
    let mut counts = Vec::new();

    writeln!(
        out,
        "-- Real data with its notices in demo/data/NOTICE.md. Load as superuser: psql -X -f FILE\n\
         \\set ON_ERROR_STOP on\n\
         SET client_min_messages = warning;\n\
         BEGIN;\n\n\
         CREATE SCHEMA IF NOT EXISTS demo;\n\
         CREATE TABLE demo.deliveries (\n    \
             restaurant_id uuid NOT NULL,\n    \
             delivery_id integer NOT NULL,\n    \
             delivered_at timestamptz NOT NULL,\n    \
             minutes float8,\n    \
             hour float8,\n    \
             weekday text,\n    \
             distance float8,\n    \
             item_count integer,\n    \
             items smallint[],\n    \
             PRIMARY KEY (restaurant_id, delivery_id)\n\
         );\n\
         COMMENT ON TABLE demo.deliveries IS\n    \
             'A training relation: the minutes each delivery took and what was known when it left. Data set deliveries of \
         the R package modeldata (MIT).';\n"
    )?;

    let names: Vec<&str> = inspections
        .iter()
        .map(|row| row.business.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut rows = block(
        out,
        "sop_ml.sop_restaurants",
        "restaurant_id, name, region, country_code, kind, time_zone, currency",
    )?;
    let mut restaurant = |id: Id, name: &str, region: &str, kind: &str, zone: Tz| {
        rows.row(&[
            Field::Id(id),
            Field::Text(&format!("real: {name}")),
            Field::Text(region),
            Field::Text("US"),
            Field::Text(kind),
            Field::Text(zone.name()),
            Field::Text("USD"),
        ])
    };
    for (index, name) in names.iter().enumerate() {
        restaurant(
            inspected_restaurant(index),
            name,
            "alaska",
            "inspected",
            Tz::America__Anchorage,
        )?;
    }
    restaurant(
        DELIVERY_RESTAURANT,
        "deliveries",
        "unknown",
        "delivery",
        ASSUMED_ZONE,
    )?;
    restaurant(
        PIZZA_PLACE,
        "pizza place",
        "unknown",
        "pizzeria",
        ASSUMED_ZONE,
    )?;
    counts.push(("sop_ml.sop_restaurants".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_content_features",
        "restaurant_id, sop_id, title, category, language, tags, difficulty",
    )?;
    let mut procedure = |restaurant: Id, sop: Id, title: &str, category: &str| {
        rows.row(&[
            Field::Id(restaurant),
            Field::Id(sop),
            Field::Text(title),
            Field::Text(category),
            Field::Text("en"),
            Field::Texts(&[category]),
            Field::Number(0.5, 1),
        ])
    };
    procedure(
        DELIVERY_RESTAURANT,
        delivery_sop(),
        "Deliver the order",
        "delivery",
    )?;
    for pizza in &pizzas {
        procedure(
            PIZZA_PLACE,
            pizza_sop(pizza),
            &format!("Prepare {pizza}"),
            "kitchen",
        )?;
    }
    counts.push(("sop_ml.sop_content_features".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_time_series_data",
        "restaurant_id, metric_name, sop_id, source, observed_at, value, unit",
    )?;
    for row in &inspections {
        let index = names
            .iter()
            .position(|name| *name == row.business)
            .unwrap_or_default();
        rows.row(&[
            Field::Id(inspected_restaurant(index)),
            Field::Text("inspection_score"),
            Field::Id(Id::NIL),
            Field::Text("inspector"),
            Field::Instant(row.at),
            Field::Number(row.score, 0),
            Field::Text("points"),
        ])?;
    }
    let mut in_time: Vec<&Delivery> = deliveries.iter().collect();
    in_time.sort_by_key(|row| row.at);
    for row in in_time {
        rows.row(&[
            Field::Id(DELIVERY_RESTAURANT),
            Field::Text("step_duration_minutes"),
            Field::Id(delivery_sop()),
            Field::Text("driver"),
            Field::Instant(row.at),
            Field::Number(row.minutes, 4),
            Field::Text("min"),
        ])?;
    }
    counts.push(("sop_ml.sop_time_series_data".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "demo.deliveries",
        "restaurant_id, delivery_id, delivered_at, minutes, hour, weekday, distance, item_count, items",
    )?;
    for (index, row) in deliveries.iter().enumerate() {
        let items: Vec<String> = row.items.chars().map(String::from).collect();
        let total: u32 = row
            .items
            .chars()
            .filter_map(|digit| digit.to_digit(10))
            .sum();
        rows.row(&[
            Field::Id(DELIVERY_RESTAURANT),
            Field::Count(index as i64 + 1),
            Field::Instant(row.at),
            Field::Number(row.minutes, 4),
            Field::Number(row.hour, 3),
            Field::Text(row.weekday),
            Field::Number(row.distance, 2),
            Field::Count(total.into()),
            Field::Text(&format!("{{{}}}", items.join(","))),
        ])?;
    }
    counts.push(("demo.deliveries".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_user_interactions",
        "restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, outcome, context",
    )?;
    for (index, order) in orders.iter().enumerate() {
        let mut sorts: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
        for ((name, size), quantity) in &order.pizzas {
            sorts.entry(name).or_default().insert(size, *quantity);
        }
        for (name, sizes) in sorts {
            let quantity: u32 = sizes.values().sum();
            rows.row(&[
                Field::Id(PIZZA_PLACE),
                Field::Id(order.team),
                Field::Id(pizza_sop(name)),
                Field::Text("complete"),
                Field::Instant(order.at),
                Field::Id(Id::named(PIZZA_PLACE, &format!("order {index} {name}"))),
                Field::Text("success"),
                Field::Text(
                    &json!({ "order": index + 1, "quantity": quantity, "sizes": sizes })
                        .to_string(),
                ),
            ])?;
        }
    }
    counts.push(("sop_ml.sop_user_interactions".to_owned(), rows.end()?));
    writeln!(out, "COMMIT;")?;
    Ok(counts)
}

/// The SOP that the deliveries are runs of.
pub fn delivery_sop() -> Id {
    Id::named(DELIVERY_RESTAURANT, "Deliver the order")
}

/// The SOP of preparing a pizza.
pub fn pizza_sop(name: &str) -> Id {
    Id::named(PIZZA_PLACE, &format!("Prepare {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_same_every_time() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let counts = write(&mut one).unwrap();
        write(&mut two).unwrap();
        assert!(one == two);
        let rows = |table: &str| {
            counts
                .iter()
                .find(|(name, _)| name == table)
                .map(|(_, rows)| *rows)
        };
        assert_eq!(rows("sop_ml.sop_restaurants"), Some(22));
        assert_eq!(rows("sop_ml.sop_time_series_data"), Some(2_423 + 10_012));
        assert_eq!(rows("demo.deliveries"), Some(10_012));
    }
}
