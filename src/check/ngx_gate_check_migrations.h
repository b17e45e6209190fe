
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tables of migration tools in a PostgreSQL database: their names, the
 * queries, and the verdicts of the results.  Independent of libpq.
 */


#ifndef _NGX_GATE_CHECK_MIGRATIONS_H_INCLUDED_
#define _NGX_GATE_CHECK_MIGRATIONS_H_INCLUDED_


#include <ngx_gate.h>


/* the columns of "sql", which returns one row */

#define NGX_GATE_CHECK_MIGRATIONS_NEWEST    0  /* NULL: none is applied */
#define NGX_GATE_CHECK_MIGRATIONS_REACHED   1  /* the wanted version is
                                                  applied */
#define NGX_GATE_CHECK_MIGRATIONS_AHEAD     2  /* and a later one */
#define NGX_GATE_CHECK_MIGRATIONS_STATE     3  /* NULL, "dirty", "running",
                                                  "unclear": one of both, or
                                                  "ambiguous": the version */
#define NGX_GATE_CHECK_MIGRATIONS_SUBJECT   4  /* the version in that state */
#define NGX_GATE_CHECK_MIGRATIONS_LOCKS     5  /* advisory locks, if a tool's */
#define NGX_GATE_CHECK_MIGRATIONS_SCHEMA    6  /* own cannot be named in SQL */
#define NGX_GATE_CHECK_MIGRATIONS_TABLE     7
#define NGX_GATE_CHECK_MIGRATIONS_DATABASE  8
#define NGX_GATE_CHECK_MIGRATIONS_ROW_N     9

/* the columns of "lock_sql": a row if the lock is held */

#define NGX_GATE_CHECK_MIGRATIONS_HOLDER  0
#define NGX_GATE_CHECK_MIGRATIONS_SINCE   1
#define NGX_GATE_CHECK_MIGRATIONS_OLD     2
#define NGX_GATE_CHECK_MIGRATIONS_LOCK_N  3

/* a lock with the same holder, or an unclear state, becomes stale after this */

#define NGX_GATE_CHECK_MIGRATIONS_STALE  600000


typedef struct {
    ngx_str_t       name;

    /* as an SQL name; the second one is an alternative, or NULL */
    const char     *table[2];
    const char     *lock_table;
    const char     *lock_suffix;    /* appended to the table's name, or NULL */

    ngx_int_t     (*is_version)(ngx_str_t *version);
    const char     *form;           /* of a version, for messages */

    /* versions are ordered, so a missing one is "behind" */
    ngx_uint_t      ordered;

    /* columns that only another tool's table of this name has, or NULL */
    const char     *others;

    /* the column with the time of a row, or NULL */
    const char     *time;

    /* $1 is the wanted version or NULL, $2 the table, which is "t" */
    const char     *sql;
    const char     *lock_sql;
} ngx_gate_check_migrations_tool_t;


typedef struct {
    ngx_gate_check_migrations_tool_t  *tool;
    const char                        *lock_table;
    ngx_str_t                          version; /* empty: any */
    ngx_uint_t                         exact;
} ngx_gate_check_migrations_conf_t;


typedef struct {
    ngx_gate_verdict_e        verdict;
    ngx_gate_reason_e         reason;
    ngx_str_t                 message;      /* buffer of the caller */
} ngx_gate_check_migrations_result_t;


ngx_gate_check_migrations_tool_t *ngx_gate_check_migrations_tools_find(
    ngx_str_t *name);

/* the names of all tools, for a message */

u_char *ngx_gate_check_migrations_tools_names(u_char *p, u_char *last);

/* whether a version has the form of a tool; may normalize it */

ngx_int_t ngx_gate_check_migrations_version_number(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_digits(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_dotted(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_diesel(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_heads(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_apps(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_efcore(ngx_str_t *version);
ngx_int_t ngx_gate_check_migrations_version_text(ngx_str_t *version);

/*
 * A row as text, by the columns above; a NULL has no data.  "held" is the
 * time since the state and its subject last changed.  The message is written
 * to found->message.data, message.len bytes at most.
 */

void ngx_gate_check_migrations_evaluate(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_msec_t held,
    ngx_gate_check_migrations_result_t *result);

/* the table does not exist or is empty */

void ngx_gate_check_migrations_none(ngx_gate_check_migrations_conf_t *conf,
    ngx_gate_check_migrations_result_t *result);

/* the row of "lock_sql"; "held" is the time since the holder was first seen */

void ngx_gate_check_migrations_locked(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_msec_t held,
    ngx_gate_check_migrations_result_t *result);


#endif /* _NGX_GATE_CHECK_MIGRATIONS_H_INCLUDED_ */
