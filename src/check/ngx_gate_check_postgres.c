
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check type "postgres": tables, rows, migrations and the result of a
 * query; with none of them, whether the server accepts a login and a query.
 *
 * The existence of a table is looked up before it is read, so that waiting
 * for it causes no errors in the server's log.  When all tables have been
 * found, they are read without the lookup: one round trip.
 */


#include <ngx_gate_check_postgres.h>


#define NGX_GATE_CHECK_POSTGRES_BOOL  16    /* the type's number in pg_type */


#define NGX_GATE_CHECK_POSTGRES_TLS                                           \
    "the server requires TLS: sslmode=require, or verify-full with "          \
    "sslrootcert=, is needed in the connection string"


typedef struct ngx_gate_check_postgres_state_s  ngx_gate_check_postgres_state_t;

/* NGX_OK: the condition is met; NGX_DONE: the probe has ended */

typedef ngx_int_t (*ngx_gate_check_postgres_handler_pt)(
    ngx_gate_check_postgres_state_t *state, PGresult *result);


struct ngx_gate_check_postgres_state_s {
    ngx_gate_probe_t         *probe;
    ngx_gate_pq_query_t       query;

    /* the handler of the result of each statement */
    ngx_gate_check_postgres_handler_pt  handlers[NGX_GATE_PQ_STATEMENTS];

    ngx_gate_pq_statement_t  *migrations;     /* reads the table that was
                                                 found, or NULL */
    unsigned                  lock_table:1;   /* the lock table exists */
    unsigned                  known:1;        /* all tables were found before */
    unsigned                  retried:1;      /* during this probe */

    /* the tool's table, if no version is required */

    uint32_t                  table_hash;
    ngx_msec_t                table_since;    /* time of its last change */
    unsigned                  table_seen:1;
    unsigned                  table_changed:1;
    unsigned                  settled:1;

    uint32_t                  held_hash;      /* of a lock or a migration */
    ngx_msec_t                held_since;     /* time it was first seen */

    u_char                    message[NGX_GATE_MESSAGE_MAX];
    size_t                    message_len;
};


static void ngx_gate_check_postgres_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_postgres_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_postgres_notified(ngx_gate_pq_query_t *q);
static void ngx_gate_check_postgres_watched(
    ngx_gate_check_postgres_state_t *state);
static ngx_int_t ngx_gate_check_postgres_send(
    ngx_gate_check_postgres_state_t *state, ngx_uint_t lookup,
    ngx_uint_t rest);
static void ngx_gate_check_postgres_add(ngx_gate_check_postgres_state_t *state,
    ngx_gate_pq_statement_t *statement,
    ngx_gate_check_postgres_handler_pt handler);
static void ngx_gate_check_postgres_handler(ngx_gate_pq_query_t *q);
static ngx_int_t ngx_gate_check_postgres_result(
    ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_postgres_handler_pt handler, PGresult *result);
static ngx_int_t ngx_gate_check_postgres_result_error(
    ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_postgres_handler_pt handler, PGresult *result);
static ngx_uint_t ngx_gate_check_postgres_is_missing(const char *code,
    ngx_gate_check_postgres_handler_pt handler);
static void ngx_gate_check_postgres_error(
    ngx_gate_check_postgres_state_t *state, ngx_gate_error_t *error);

static ngx_int_t ngx_gate_check_postgres_lookup_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_uint_t ngx_gate_check_postgres_table_exists(PGresult *result,
    ngx_uint_t i);
static ngx_int_t ngx_gate_check_postgres_other_tool(
    ngx_gate_check_postgres_state_t *state, PGresult *result, ngx_uint_t i);
static ngx_int_t ngx_gate_check_postgres_tables(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_int_t ngx_gate_check_postgres_lock_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_msec_t ngx_gate_check_postgres_held(
    ngx_gate_check_postgres_state_t *state, ngx_str_t *a, ngx_str_t *b);
static ngx_int_t ngx_gate_check_postgres_migrations_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_int_t ngx_gate_check_postgres_changed_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static void ngx_gate_check_postgres_unsettle(
    ngx_gate_check_postgres_state_t *state);
static ngx_int_t ngx_gate_check_postgres_count_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_int_t ngx_gate_check_postgres_query_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_int_t ngx_gate_check_postgres_query_min(
    ngx_gate_check_postgres_state_t *state, PGresult *result);
static ngx_uint_t ngx_gate_check_postgres_query_equal(PGresult *result,
    ngx_str_t *expect);

static ngx_int_t ngx_gate_check_postgres_migrations_end(
    ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_migrations_result_t *found);
static ngx_int_t ngx_gate_check_postgres_row(
    ngx_gate_check_postgres_state_t *state, PGresult *result, ngx_str_t *row,
    ngx_uint_t n);


ngx_gate_check_type_t  ngx_gate_check_postgres = {
    ngx_string("postgres"),
    ngx_gate_check_postgres_conf_params,
    sizeof(ngx_gate_check_postgres_conf_t),
    sizeof(ngx_gate_check_postgres_state_t),
    ngx_gate_check_postgres_conf_parse,
    ngx_gate_check_postgres_start,
    ngx_gate_check_postgres_cancel,
    1,
    0
};


static void
ngx_gate_check_postgres_start(ngx_gate_probe_t *probe)
{
    ngx_gate_check_postgres_conf_t   *conf;
    ngx_gate_check_postgres_state_t  *state;

    conf = probe->check->conf;
    state = probe->state;

    state->probe = probe;
    state->query.deadline = probe->deadline;
    state->message_len = 0;
    state->retried = 0;

    if (conf->lookup.nparams == 0) {
        state->known = 1;
    }

    if (ngx_gate_check_postgres_send(state, conf->nnames || !state->known,
                                     state->known)
        != NGX_OK)
    {
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }
}


static void
ngx_gate_check_postgres_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_postgres_state_t *state = probe->state;

    ngx_gate_pq_detach(&state->query);
    ngx_gate_check_postgres_watched(state);
    state->known = 0;
}


/* the server reports changes; a report only makes the next probe due */

static void
ngx_gate_check_postgres_notified(ngx_gate_pq_query_t *q)
{
    ngx_gate_check_postgres_state_t  *state;

    state = q->data;

    ngx_gate_probe_due(state->probe);
}


static void
ngx_gate_check_postgres_watched(ngx_gate_check_postgres_state_t *state)
{
    ngx_gate_pq_query_t  *q;

    q = &state->query;

    state->probe->lost = ngx_gate_pq_listen_is_lost(q);
    state->probe->note = *ngx_gate_pq_listen_text(q);
}


static ngx_int_t
ngx_gate_check_postgres_send(ngx_gate_check_postgres_state_t *state,
    ngx_uint_t lookup, ngx_uint_t rest)
{
    ngx_gate_pq_query_t             *q;
    ngx_gate_check_postgres_conf_t  *conf;

    conf = state->probe->check->conf;

    q = &state->query;

    q->conf = &conf->pq;
    q->resolver = state->probe->resolver;
    q->log = state->probe->log;
    q->search_path = conf->search_path;
    q->data = state;
    q->handler = ngx_gate_check_postgres_handler;
    q->notified = ngx_gate_check_postgres_notified;
    q->channel = conf->listen.len ? (char *) conf->listen.data : NULL;
    q->nstatements = 0;

    if (lookup) {
        ngx_gate_check_postgres_add(state, &conf->lookup,
                                    ngx_gate_check_postgres_lookup_handler);
    }

    if (!rest) {
        return ngx_gate_pq_send(q);
    }

    if (conf->migration.tool) {

        if (state->lock_table) {
            ngx_gate_check_postgres_add(state, &conf->lock,
                                        ngx_gate_check_postgres_lock_handler);
        }

        if (state->migrations == NULL) {
            return ngx_gate_pq_send(q);
        }

        ngx_gate_check_postgres_add(state, state->migrations,
                                    ngx_gate_check_postgres_migrations_handler);

        if (conf->settle && !state->settled) {
            ngx_gate_check_postgres_add(state,
                           &conf->changed[state->migrations - conf->migrations],
                                       ngx_gate_check_postgres_changed_handler);
        }
    }

    if (conf->table) {
        ngx_gate_check_postgres_add(state, &conf->count,
                                    ngx_gate_check_postgres_count_handler);
    }

    if (conf->query.len) {
        ngx_gate_check_postgres_add(state, &conf->select,
                                    ngx_gate_check_postgres_query_handler);
    }

    return ngx_gate_pq_send(q);
}


static void
ngx_gate_check_postgres_add(ngx_gate_check_postgres_state_t *state,
    ngx_gate_pq_statement_t *statement,
    ngx_gate_check_postgres_handler_pt handler)
{
    ngx_uint_t  n;

    n = state->query.nstatements++;

    state->query.statements[n] = *statement;
    state->handlers[n] = handler;
}


static void
ngx_gate_check_postgres_handler(ngx_gate_pq_query_t *q)
{
    ngx_gate_check_postgres_state_t *state = q->data;

    ngx_uint_t                          i;
    ngx_gate_check_postgres_conf_t     *conf;
    ngx_gate_check_migrations_result_t  found;

    ngx_gate_check_postgres_watched(state);

    if (q->results == NULL) {
        ngx_gate_check_postgres_error(state, &q->error);
        return;
    }

    for (i = 0; i < q->nstatements; i++) {
        if (ngx_gate_check_postgres_result(state, state->handlers[i],
                                           q->results[i])
            != NGX_OK)
        {
            return;
        }
    }

    conf = state->probe->check->conf;

    if (conf->migration.tool && state->migrations == NULL) {
        found.message.data = state->message;
        found.message.len = sizeof(state->message);

        ngx_gate_check_migrations_none(&conf->migration, &found);
        (void) ngx_gate_check_postgres_migrations_end(state, &found);
        return;
    }

    ngx_gate_probe_end(state->probe, NGX_GATE_PASSED, NGX_GATE_OK, "%*s%s%s",
                       state->message_len, state->message,
                       q->tls && state->message_len ? "; " : "",
                       q->tls ? NGX_GATE_CHECK_POSTGRES_TLS : "");
}


static ngx_int_t
ngx_gate_check_postgres_result(ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_postgres_handler_pt handler, PGresult *result)
{
    switch (libpq.PQresultStatus(result)) {

    case PGRES_TUPLES_OK:
        return handler(state, result);

    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_QUERY,
                           "query returned no result set");
        return NGX_DONE;

    default:
        return ngx_gate_check_postgres_result_error(state, handler, result);
    }
}


static ngx_int_t
ngx_gate_check_postgres_result_error(ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_postgres_handler_pt handler, PGresult *result)
{
    const char        *code;
    ngx_gate_error_t   error;

    ngx_gate_pq_error_set_result(&error, result);

    code = libpq.PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (code == NULL) {
        code = "";
    }

    if (ngx_gate_check_postgres_is_missing(code, handler)) {
        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISSING,
                           "%*s", error.len, error.text);
        return NGX_DONE;
    }

    if (handler != ngx_gate_check_postgres_query_handler
        && ngx_strcmp(code, "42P01") == 0 && !state->retried)
    {
        /* a table no longer exists: look it up again */

        state->retried = 1;
        state->known = 0;

        if (ngx_gate_check_postgres_send(state, 1, 0) == NGX_OK) {
            return NGX_DONE;
        }

        error.reason = NGX_GATE_NO_MEMORY;
    }

    ngx_gate_check_postgres_error(state, &error);

    return NGX_DONE;
}


/*
 * An object of the query does not exist yet, or a materialized view, which
 * "rows" may also name, is not populated yet (55000).
 */

static ngx_uint_t
ngx_gate_check_postgres_is_missing(const char *code,
    ngx_gate_check_postgres_handler_pt handler)
{
    const char  **p;

    /* undefined table, schema, column, function, or type */

    static const char  *codes[] = {
        "42P01", "3F000", "42703", "42883", "42704", NULL
    };

    if (handler != ngx_gate_check_postgres_query_handler) {
        return ngx_strcmp(code, "55000") == 0;
    }

    for (p = codes; *p; p++) {
        if (ngx_strcmp(code, *p) == 0) {
            return 1;
        }
    }

    return ngx_strcmp(code, "55000") == 0;
}


static void
ngx_gate_check_postgres_error(ngx_gate_check_postgres_state_t *state,
    ngx_gate_error_t *error)
{
    ngx_gate_verdict_e  verdict;

    switch (error->reason) {

    case NGX_GATE_STARTING_UP:
    case NGX_GATE_LOCKED:
        verdict = NGX_GATE_RUNNING;
        break;

    case NGX_GATE_NO_DATABASE:
        verdict = NGX_GATE_WAITING;
        break;

    default:
        verdict = NGX_GATE_ERROR;
        break;
    }

    if (error->reason == NGX_GATE_LOCKED
        || error->reason == NGX_GATE_NO_DATABASE)
    {
        ngx_gate_check_postgres_unsettle(state);
    }

    ngx_gate_probe_end(state->probe, verdict, error->reason, "%*s",
                       error->len, error->text);
}


static ngx_int_t
ngx_gate_check_postgres_lookup_handler(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    ngx_uint_t                       i, known;
    ngx_gate_check_postgres_conf_t  *conf;

    conf = state->probe->check->conf;
    known = state->known;

    state->known = 0;

    if ((ngx_uint_t) libpq.PQntuples(result) + 1 != conf->lookup.nparams
        || libpq.PQnfields(result) != 2)
    {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                           "unexpected reply");
        return NGX_DONE;
    }

    if (ngx_gate_check_postgres_tables(state, result) != NGX_OK) {
        return NGX_DONE;
    }

    if (conf->migration.tool) {
        state->migrations = NULL;

        for (i = 0; i < conf->ntool; i++) {
            if (ngx_gate_check_postgres_table_exists(result,
                                                     conf->tool_index + i))
            {
                state->migrations = &conf->migrations[i];
                break;
            }
        }

        if (state->migrations
            && ngx_gate_check_postgres_other_tool(state, result,
                                                  conf->tool_index + i)
               != NGX_OK)
        {
            return NGX_DONE;
        }

        state->lock_table = conf->migration.tool->lock_table
                            && ngx_gate_check_postgres_table_exists(
                                                     result, conf->lock_index);
    }

    if (conf->table
        && !ngx_gate_check_postgres_table_exists(result, conf->rows_index)
        && (conf->migration.tool == NULL || state->migrations))
    {
        state->probe->result.observed = 0;
        state->probe->result.expected = conf->limit;

        ngx_gate_check_postgres_unsettle(state);
        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISSING,
                           "missing tables: %V", &conf->table->text);
        return NGX_DONE;
    }

    /* a lock table may be created later than the other */

    state->known = (conf->migration.tool == NULL
                    || (state->migrations
                        && (conf->migration.tool->lock_table == NULL
                            || state->lock_table)));

    if (known && state->known) {

        /* the other statements were in the same request */

        return NGX_OK;
    }

    if (conf->migration.tool == NULL && conf->table == NULL
        && conf->query.len == 0)
    {
        return NGX_OK;
    }

    if (ngx_gate_check_postgres_send(state, 0, 1) != NGX_OK) {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }

    return NGX_DONE;
}


static ngx_uint_t
ngx_gate_check_postgres_table_exists(PGresult *result, ngx_uint_t i)
{
    return libpq.PQgetvalue(result, (int) i, 0)[0] == 't';
}


/* several tools use the same table name */

static ngx_int_t
ngx_gate_check_postgres_other_tool(ngx_gate_check_postgres_state_t *state,
    PGresult *result, ngx_uint_t i)
{
    ngx_gate_check_postgres_conf_t  *conf;

    if (libpq.PQgetisnull(result, (int) i, 1)) {
        return NGX_OK;
    }

    conf = state->probe->check->conf;

    ngx_gate_check_postgres_unsettle(state);
    ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_QUERY,
                       "%s has a column \"%s\", so it is not the table "
                       "of %V", conf->lookup.params[i],
                       libpq.PQgetvalue(result, (int) i, 1),
                       &conf->migration.tool->name);
    return NGX_DONE;
}


static ngx_int_t
ngx_gate_check_postgres_tables(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    u_char                          *p, *last, text[NGX_GATE_MESSAGE_MAX];
    ngx_str_t                       *name;
    ngx_uint_t                       i, n, more;
    ngx_gate_check_postgres_conf_t  *conf;

    conf = state->probe->check->conf;

    p = text;
    last = text + sizeof(text) - sizeof(", and 1000 more");
    n = 0;
    more = 0;

    for (i = 0; i < conf->nnames; i++) {

        if (ngx_gate_check_postgres_table_exists(result, i)) {
            continue;
        }

        name = &conf->names[i].text;

        if (more || (size_t) (last - p) < name->len + 2) {
            more++;
            continue;
        }

        p = ngx_sprintf(p, "%s%V", n++ ? ", " : "", name);
    }

    if (n + more == 0) {
        return NGX_OK;
    }

    if (more) {
        p = ngx_sprintf(p, "%s%ui more", n ? ", and " : "", more);
    }

    ngx_gate_check_postgres_unsettle(state);
    ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISSING,
                       "missing tables: %*s", (size_t) (p - text), text);

    return NGX_DONE;
}


static ngx_int_t
ngx_gate_check_postgres_lock_handler(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    ngx_str_t                           row[NGX_GATE_CHECK_MIGRATIONS_LOCK_N];
    ngx_gate_check_postgres_conf_t     *conf;
    ngx_gate_check_migrations_result_t  found;

    if (libpq.PQntuples(result) == 0) {
        return NGX_OK;
    }

    if (ngx_gate_check_postgres_row(state, result, row,
                                    NGX_GATE_CHECK_MIGRATIONS_LOCK_N)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    conf = state->probe->check->conf;

    found.message.data = state->message;
    found.message.len = sizeof(state->message);

    ngx_gate_check_migrations_locked(&conf->migration, row,
                                     ngx_gate_check_postgres_held(state,
                                      &row[NGX_GATE_CHECK_MIGRATIONS_HOLDER],
                                      &row[NGX_GATE_CHECK_MIGRATIONS_SINCE]),
                                     &found);

    return ngx_gate_check_postgres_migrations_end(state, &found);
}


/* the time since the object with these two texts was first seen */

static ngx_msec_t
ngx_gate_check_postgres_held(ngx_gate_check_postgres_state_t *state,
    ngx_str_t *a, ngx_str_t *b)
{
    uint32_t  hash;

    ngx_crc32_init(hash);
    ngx_crc32_update(&hash, a->data, a->len);
    ngx_crc32_update(&hash, b->data, b->len);

    if (state->held_hash != hash) {
        state->held_hash = hash;
        state->held_since = ngx_current_msec;
    }

    return ngx_current_msec - state->held_since;
}


static ngx_int_t
ngx_gate_check_postgres_migrations_handler(
    ngx_gate_check_postgres_state_t *state, PGresult *result)
{
    ngx_str_t                           row[NGX_GATE_CHECK_MIGRATIONS_ROW_N];
    ngx_gate_check_postgres_conf_t     *conf;
    ngx_gate_check_migrations_result_t  found;

    if (ngx_gate_check_postgres_row(state, result, row,
                                    NGX_GATE_CHECK_MIGRATIONS_ROW_N)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    conf = state->probe->check->conf;

    found.message.data = state->message;
    found.message.len = sizeof(state->message);

    ngx_gate_check_migrations_evaluate(&conf->migration, row,
                                       ngx_gate_check_postgres_held(state,
                                      &row[NGX_GATE_CHECK_MIGRATIONS_STATE],
                                      &row[NGX_GATE_CHECK_MIGRATIONS_SUBJECT]),
                                       &found);

    return ngx_gate_check_postgres_migrations_end(state, &found);
}


static ngx_int_t
ngx_gate_check_postgres_migrations_end(ngx_gate_check_postgres_state_t *state,
    ngx_gate_check_migrations_result_t *found)
{
    if (found->verdict == NGX_GATE_PASSED) {
        state->message_len = found->message.len;
        return NGX_OK;
    }

    ngx_gate_check_postgres_unsettle(state);
    ngx_gate_probe_end(state->probe, found->verdict, found->reason, "%V",
                       &found->message);

    return NGX_DONE;
}


/*
 * Most tools commit each migration separately, so between two of them the
 * table looks as after the last one.  A table that is complete when first
 * seen, and whose newest row is older than "settle", is from an earlier run.
 */

static ngx_int_t
ngx_gate_check_postgres_changed_handler(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    int64_t                          age;
    uint32_t                         hash;
    ngx_str_t                        row[2];
    ngx_gate_check_postgres_conf_t  *conf;

    if (ngx_gate_check_postgres_row(state, result, row, 2) != NGX_OK) {
        return NGX_DONE;
    }

    conf = state->probe->check->conf;
    hash = ngx_crc32_long(row[0].data, row[0].len);

    if (state->table_seen && state->table_hash != hash) {
        state->table_changed = 1;
        state->table_since = ngx_current_msec;
    }

    state->table_seen = 1;
    state->table_hash = hash;

    age = row[1].len ? ngx_atoof(row[1].data, row[1].len) : NGX_ERROR;

    if (state->table_changed) {
        age = (age < 0) ? NGX_MAX_INT32_VALUE : age;
        age = ngx_min(age, (ngx_msec_int_t) (ngx_current_msec
                                             - state->table_since));
    }

    if (age < 0 || age >= (int64_t) conf->settle) {
        state->settled = 1;
        return NGX_OK;
    }

    ngx_gate_probe_end(state->probe, NGX_GATE_RUNNING, NGX_GATE_IN_PROGRESS,
                       "%*s, changed %Lms ago, must be unchanged for %Mms",
                       state->message_len, state->message, age, conf->settle);
    return NGX_DONE;
}


static void
ngx_gate_check_postgres_unsettle(ngx_gate_check_postgres_state_t *state)
{
    state->settled = 0;
    state->table_seen = 1;
    state->table_hash = 0;
}


static ngx_int_t
ngx_gate_check_postgres_count_handler(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    int64_t                          n;
    ngx_str_t                        value;
    ngx_gate_check_postgres_conf_t  *conf;

    if (ngx_gate_check_postgres_row(state, result, &value, 1) != NGX_OK) {
        return NGX_DONE;
    }

    conf = state->probe->check->conf;

    n = ngx_atoof(value.data, value.len);

    state->probe->result.observed = n;
    state->probe->result.expected = conf->limit;

    if (n >= conf->limit) {
        return NGX_OK;
    }

    ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                       "%L rows in %V, expected %L", n, &conf->table->text,
                       conf->limit);
    return NGX_DONE;
}


static ngx_int_t
ngx_gate_check_postgres_query_handler(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    ngx_str_t                        value;
    ngx_gate_check_postgres_conf_t  *conf;

    conf = state->probe->check->conf;

    if (libpq.PQntuples(result) == 0 || libpq.PQnfields(result) == 0
        || libpq.PQgetisnull(result, 0, 0))
    {
        if (conf->min) {
            state->probe->result.observed = 0;
            state->probe->result.expected = conf->min;
        }

        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISSING,
                           "the query returns %s",
                           libpq.PQntuples(result) ? "NULL" : "no rows");
        return NGX_DONE;
    }

    if (conf->min) {
        return ngx_gate_check_postgres_query_min(state, result);
    }

    value.data = (u_char *) libpq.PQgetvalue(result, 0, 0);
    value.len = libpq.PQgetlength(result, 0, 0);

    if (conf->expect.len) {

        if (ngx_gate_check_postgres_query_equal(result, &conf->expect)) {
            return NGX_OK;
        }

        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                           "the query returns \"%V\", expected \"%V\"",
                           &value, &conf->expect);
        return NGX_DONE;
    }

    if (libpq.PQftype(result, 0) == NGX_GATE_CHECK_POSTGRES_BOOL
        && value.data[0] == 'f')
    {
        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                           "the query returns false");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_postgres_query_min(ngx_gate_check_postgres_state_t *state,
    PGresult *result)
{
    char                            *text, *end;
    double                           n;
    ngx_gate_check_postgres_conf_t  *conf;

    conf = state->probe->check->conf;

    text = libpq.PQgetvalue(result, 0, 0);

    /* a count is an integer; an average or an estimate is not */

    n = strtod(text, &end);

    if (end == text || *end != '\0' || n != n) {
        ngx_gate_probe_end(state->probe, NGX_GATE_WAITING,
                           NGX_GATE_WRONG_TYPE,
                           "the query returns \"%s\", which is not a number",
                           text);
        return NGX_DONE;
    }

    n = ngx_max(ngx_min(n, 9e18), 0);

    state->probe->result.observed = (int64_t) n;
    state->probe->result.expected = conf->min;

    if (n >= (double) conf->min) {
        return NGX_OK;
    }

    ngx_gate_probe_end(state->probe, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                       "the query returns %s, expected %L", text, conf->min);
    return NGX_DONE;
}


static ngx_uint_t
ngx_gate_check_postgres_query_equal(PGresult *result, ngx_str_t *expect)
{
    size_t       len;
    const char  *text;

    text = libpq.PQgetvalue(result, 0, 0);
    len = libpq.PQgetlength(result, 0, 0);

    if (len == expect->len && ngx_memcmp(text, expect->data, len) == 0) {
        return 1;
    }

    if (libpq.PQftype(result, 0) != NGX_GATE_CHECK_POSTGRES_BOOL) {
        return 0;
    }

    /* in SQL, "true" and "false"; in the protocol, "t" and "f" */

    text = (text[0] == 't') ? "true" : "false";
    len = ngx_strlen(text);

    return len == expect->len
           && ngx_strncasecmp((u_char *) text, expect->data, len) == 0;
}


static ngx_int_t
ngx_gate_check_postgres_row(ngx_gate_check_postgres_state_t *state,
    PGresult *result, ngx_str_t *row, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (libpq.PQntuples(result) != 1) {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                           "unexpected reply");
        return NGX_DONE;
    }

    ngx_memzero(row, n * sizeof(ngx_str_t));

    /* the last columns exist for few tools only */

    for (i = 0; i < n && i < (ngx_uint_t) libpq.PQnfields(result); i++) {
        row[i].data = (u_char *) libpq.PQgetvalue(result, 0, (int) i);
        row[i].len = libpq.PQgetlength(result, 0, (int) i);
    }

    return NGX_OK;
}
