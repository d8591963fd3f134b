//! Mode vault: the view is planned as its table is, where that shows nobody anything.
//!
//! A `security_barrier` view is planned by itself, so that no condition of the caller's sees a row before the view's own has let it
//! through. No order and no join reaches into it, and each row passes two more nodes. All of that is for conditions that can tell
//! what they saw: by an error, a message, the time they take. Where every condition of a SELECT, and every column of the queries in
//! it, consists of functions that the server calls leakproof (comparisons of uuid, text, numbers and times), there is nothing to
//! keep away, and the view is planned as one without the barrier. The server itself lets conditions of that kind through a barrier, one by one.

use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::prelude::*;

use pg_sys::NodeTag::{T_FromExpr, T_JoinExpr, T_RangeTblRef};

/// Whose turn it is next; set once, when the library is loaded.
static NEXT: OnceLock<pg_sys::planner_hook_type> = OnceLock::new();

pub(crate) fn register() {
    // SAFETY: libraries are loaded while nothing else runs in this process, and the function lives as long as it does.
    unsafe {
        if NEXT.set(pg_sys::planner_hook).is_ok() {
            pg_sys::planner_hook = Some(plan);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const std::ffi::c_char,
    options: i32,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the planner's own arguments; what is planned may be changed, as the planner does itself.
    unsafe {
        lower_barriers(query);
        match NEXT.get().copied().flatten() {
            // An error of the server's must not jump over what Rust has to leave.
            Some(next) => {
                pg_sys::ffi::pg_guard_ffi_boundary(|| next(query, text, options, parameters))
            }
            None => pg_sys::standard_planner(query, text, options, parameters),
        }
    }
}

/// Takes the barrier from views over the closed table, unless a condition anywhere in the statement could tell what it saw: what is
/// far from the view now may be brought near by the planner.
///
/// # Safety
/// A query as the planner gets it.
unsafe fn lower_barriers(query: *mut pg_sys::Query) {
    let mut found = Found::default();
    // SAFETY: a query as the planner gets it; the entries are those of its own lists.
    unsafe {
        found.look_through(query);
        if found.barriers.is_empty() {
            return;
        }
        let holder = holder();
        found
            .barriers
            .retain(|view| reads((**view).subquery, holder));
        let outermost = query;
        // The conditions of these views are our own.
        let views: Vec<_> = found
            .barriers
            .iter()
            .map(|view| (**view).subquery)
            .collect();
        found.queries.retain(|query| !views.contains(query));
        let leaks = |query: &*mut pg_sys::Query| leaks(*query, *query == outermost);
        if views.is_empty() || found.queries.iter().any(leaks) {
            return;
        }
        for view in found.barriers {
            (*view).security_barrier = false;
        }
    }
}

/// The queries that a statement is made of, and the barrier views in them.
#[derive(Default)]
struct Found {
    queries: Vec<*mut pg_sys::Query>,
    barriers: Vec<*mut pg_sys::RangeTblEntry>,
}

impl Found {
    /// # Safety
    /// A query as the planner gets it, or NULL.
    unsafe fn look_through(&mut self, query: *mut pg_sys::Query) {
        if query.is_null() {
            return;
        }
        self.queries.push(query);
        // SAFETY: lists of a query hold what their names say.
        unsafe {
            for entry in items::<pg_sys::RangeTblEntry>((*query).rtable) {
                if (*entry).rtekind == pg_sys::RTEKind::RTE_SUBQUERY {
                    if (*entry).security_barrier {
                        self.barriers.push(entry);
                    }
                    self.look_through((*entry).subquery);
                }
            }
            for expression in items::<pg_sys::CommonTableExpr>((*query).cteList) {
                self.look_through((*expression).ctequery.cast());
            }
        }
    }
}

/// What a list points to.
///
/// # Safety
/// A list of pointers to nodes of this kind, or NULL, that lives on unchanged.
unsafe fn items<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: a list has `length` elements.
    let elements = unsafe {
        list.as_ref().map_or(&[][..], |list| {
            std::slice::from_raw_parts(list.elements, usize::try_from(list.length).unwrap_or(0))
        })
    };
    elements
        .iter()
        // SAFETY: the list holds pointers.
        .map(|element| unsafe { element.ptr_value.cast() })
}

/// Whether a query reads this table itself.
///
/// # Safety
/// A query, or NULL.
unsafe fn reads(query: *const pg_sys::Query, table: pg_sys::Oid) -> bool {
    // SAFETY: as of this function.
    unsafe {
        table != pg_sys::InvalidOid
            && !query.is_null()
            && items::<pg_sys::RangeTblEntry>((*query).rtable).any(|entry| {
                (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && (*entry).relid == table
            })
    }
}

/// Whether a query has, or the planner could make of it, a condition that tells what it saw. A condition may name a column of a
/// query further in, and the planner puts in its place what that column is computed from: so the columns of all queries but the
/// outermost one count as conditions do. What is not sure to be harmless counts as harmful.
///
/// # Safety
/// A query.
unsafe fn leaks(query: *const pg_sys::Query, is_outermost: bool) -> bool {
    use pg_sys::CmdType::{CMD_INSERT, CMD_SELECT};
    // SAFETY: as of this function.
    unsafe {
        let query = &*query;
        // UPDATE, DELETE and MERGE keep conditions in other places, too.
        !matches!(query.commandType, CMD_SELECT | CMD_INSERT)
            // What stands in a sub-select cannot be looked through from here.
            || query.hasSubLinks
            // Becomes a condition of WHERE where it can; from PostgreSQL 18 on its columns stand for expressions.
            || !query.havingQual.is_null()
            || joins_leak(query.jointree.cast())
            || items::<pg_sys::RangeTblEntry>(query.rtable).any(|entry| entry_leaks(entry))
            || !is_outermost
                && (!query.groupClause.is_null()
                    || items::<pg_sys::TargetEntry>(query.targetList)
                        .any(|column| pg_sys::contain_leaked_vars((*column).expr.cast())))
    }
}

/// Whether an entry of FROM looks at rows of another one (LATERAL; functions of columns, which may be inlined), or joins by
/// columns that are computed.
///
/// # Safety
/// An entry of a query.
unsafe fn entry_leaks(entry: *const pg_sys::RangeTblEntry) -> bool {
    // SAFETY: as of this function.
    unsafe {
        (*entry).lateral
            || items::<pg_sys::Node>((*entry).joinaliasvars)
                .any(|column| pg_sys::contain_leaked_vars(column))
    }
}

/// The closed table; none in the other modes.
fn holder() -> pg_sys::Oid {
    // SAFETY: look-ups in caches of the catalogue, inside a transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"sop_ml_storage".as_ptr(), true);
        if schema == pg_sys::InvalidOid {
            return schema;
        }
        pg_sys::get_relname_relid(c"sop_time_series_data".as_ptr(), schema)
    }
}

/// Whether conditions of WHERE and ON could tell what they saw.
///
/// # Safety
/// A node of a join tree.
unsafe fn joins_leak(node: *mut pg_sys::Node) -> bool {
    // SAFETY: a node is what its tag says.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            T_RangeTblRef => false,
            T_FromExpr => {
                let from = node.cast::<pg_sys::FromExpr>();
                pg_sys::contain_leaked_vars((*from).quals)
                    || items::<pg_sys::Node>((*from).fromlist).any(|item| joins_leak(item))
            }
            T_JoinExpr => {
                let join = node.cast::<pg_sys::JoinExpr>();
                pg_sys::contain_leaked_vars((*join).quals)
                    || joins_leak((*join).larg)
                    || joins_leak((*join).rarg)
            }
            _ => true,
        }
    }
}
