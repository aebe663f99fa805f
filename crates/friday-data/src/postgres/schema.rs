//! The schema of a database as one digest: the same tables, columns, indexes, constraints, views, functions, triggers
//! and types give the same one, in whatever order they were made and whatever their numbers are.
//!
//! Rows, privileges, comments, statistics and what belongs to an extension do not count; that the extension is there,
//! and in which version, does.

use friday_wire::Digest;

use super::error::PostgresError;
use super::server::Server;
use crate::course::Watch;

/// Each gives lines. `{there}` is put where a schema is asked for.
const LISTINGS: [&str; 12] = [
    "SELECT format('schema %I', nspname) FROM pg_namespace n WHERE {there}",
    "SELECT format('extension %I %s', extname, extversion) FROM pg_extension",
    "SELECT format('relation %I.%I %s %s %s %s %s %s', nspname, relname, relkind, relpersistence, relrowsecurity, \
     array_to_string(reloptions, ','), pg_get_expr(relpartbound, c.oid), \
     (SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid)) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') \
     AND {there} AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')",
    // By its place among those that are there: what was dropped leaves a hole in the numbers.
    "SELECT format('column %I.%I %s %I %s %s %s %s %s %s', nspname, relname, \
     row_number() OVER (PARTITION BY c.oid ORDER BY attnum), attname, format_type(atttypid, atttypmod), attnotnull, \
     attidentity, attgenerated, pg_get_expr(adbin, adrelid), collname) \
     FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace \
     LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum LEFT JOIN pg_collation o ON o.oid = attcollation \
     WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {there}",
    "SELECT format('index %s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisready) FROM pg_index \
     JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {there}",
    "SELECT format('constraint %I.%I %s %s %s %s', nspname, conname, conrelid::regclass, contypid::regtype, \
     pg_get_constraintdef(c.oid), convalidated) FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE {there}",
    "SELECT format('view %I.%I %s', nspname, relname, pg_get_viewdef(c.oid)) FROM pg_class c \
     JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('v', 'm') AND {there}",
    "SELECT format('function %I.%I(%s) %s', nspname, proname, pg_get_function_identity_arguments(p.oid), \
     CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END) FROM pg_proc p \
     JOIN pg_namespace n ON n.oid = pronamespace WHERE {there} \
     AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')",
    "SELECT format('trigger %s %s', pg_get_triggerdef(t.oid), tgenabled) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid \
     JOIN pg_namespace n ON n.oid = relnamespace WHERE NOT tgisinternal AND {there}",
    "SELECT format('type %I.%I %s %s %s %s %s', nspname, typname, typtype, format_type(typbasetype, typtypmod), typnotnull, \
     typdefault, (SELECT string_agg(quote_literal(enumlabel), ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)) \
     FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE typtype IN ('e', 'd', 'r') AND {there}",
    "SELECT format('sequence %I.%I %s %s %s %s %s %s', nspname, relname, seqtypid::regtype, seqstart, seqincrement, seqmin, \
     seqmax, seqcycle) FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {there}",
    "SELECT format('policy %I on %s %s %s %s %s %s', polname, polrelid::regclass, polpermissive, polcmd, \
     (SELECT string_agg(CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r)::text END, ',' ORDER BY 1) FROM unnest(polroles) r), \
     pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy \
     JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {there}",
];

/// Schemas that are the team's.
const THERE: &str =
    "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_%'";

/// What is asked waits so long for somebody who changes a table.
const BEGIN: &str = "SET search_path = ''; SET lock_timeout = '30s'; \
     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Who still changes a table keeps everybody from reading what it looks like.
fn kept(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::Sql { says, .. } if says.contains("lock timeout") => PostgresError::Refused {
            why: "the copy's schema cannot be read: a release still holds a lock on one of its tables"
                .to_owned(),
            help: Some("let the release end its transaction".to_owned()),
        },
        other => other,
    }
}

/// Reads it, in a connection that is used for nothing else.
///
/// # Errors
/// PostgreSQL's, or that time is over.
pub fn digest(server: &Server, watch: &Watch) -> Result<Digest, PostgresError> {
    let doing = "reading the copy's schema";
    server.ask(watch, doing, |client| client.batch_execute(BEGIN))?;
    let mut hash = blake3::Hasher::new_derive_key("friday-data schema of PostgreSQL 1");
    for listing in LISTINGS {
        let rows = server.rows(watch, doing, &listing.replace("{there}", THERE)).map_err(kept)?;
        let mut lines: Vec<String> = rows.into_iter().flatten().flatten().collect();
        // By bytes: no server's collation.
        lines.sort();
        hash.update(&(lines.len() as u64).to_le_bytes());
        for line in lines {
            hash.update(&(line.len() as u64).to_le_bytes()).update(line.as_bytes());
        }
    }
    server.ask(watch, doing, |client| client.batch_execute("ROLLBACK"))?;
    Ok(Digest(*hash.finalize().as_bytes()))
}
