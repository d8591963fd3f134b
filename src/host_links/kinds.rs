//! The key tables that may point at a table of the host application.

use crate::error::{PgResult, invalid_parameter};

/// What may be linked. Partitioned and time-series tables are never linked: they are written too often, and outlive what
/// they tell of.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "restaurants",
        table: "sop_restaurants",
        column: "restaurant_id",
        constraint: "sop_restaurants_host_fkey",
        index: None,
    },
    Kind {
        name: "documents",
        table: "sop_content_features",
        column: "host_document_id",
        constraint: "sop_content_features_host_fkey",
        index: Some("sop_content_features_host_idx"),
    },
    Kind {
        name: "users",
        table: "sop_user_profiles",
        column: "host_user_id",
        constraint: "sop_user_profiles_host_fkey",
        index: Some("sop_user_profiles_host_idx"),
    },
    Kind {
        name: "training_modules",
        table: "sop_training_records",
        column: "host_module_id",
        constraint: "sop_training_records_host_fkey",
        index: Some("sop_training_records_host_idx"),
    },
];

/// A table of ours that may point at one of the host's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    /// The column that the foreign key uses: NULL for nil rows, which need no host row.
    pub(super) column: &'static str,
    pub(super) constraint: &'static str,
    /// Made with the link, so that a deletion in the host's table finds its rows here; `None` where a key serves.
    pub(super) index: Option<&'static str>,
}

impl Kind {
    /// The kind of this name.
    pub(super) fn named(name: &str) -> PgResult<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
            invalid_parameter(format!("unknown kind \"{name}\""))
                .set_hint("Kinds are restaurants, documents, users and training_modules.")
        })
    }
}
