
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A query on an open connection to PostgreSQL, in the pipeline mode of libpq:
 * all statements are sent at once, and the statements before a Sync are one
 * transaction, which ends with the Sync.
 */


#include <ngx_gate_pq_connection.h>


/* poll: with TLS, data may be buffered without an event */

#define NGX_GATE_PQ_QUERY_TLS_WAIT  50

/* longer than the usual duration of a lock */

#define NGX_GATE_PQ_QUERY_LOCK_WAIT  1000


static ngx_int_t ngx_gate_pq_query_send_settings(ngx_gate_pq_t *pq,
    ngx_gate_pq_query_t *q);
static void ngx_gate_pq_query_finish(ngx_gate_pq_t *pq);
static void ngx_gate_pq_query_keep(ngx_gate_pq_t *pq);
static void ngx_gate_pq_query_abort(ngx_gate_pq_t *pq, ngx_gate_reason_e reason,
    const char *text);


void
ngx_gate_pq_query_send(ngx_gate_pq_t *pq)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_gate_pq_query_t  *q;

    if (pq->timer.timer_set) {
        ngx_del_timer(&pq->timer);
    }

    q = ngx_gate_pq_current(pq);

    if (ngx_gate_pq_listen_is_needed(pq, q)) {
        ngx_gate_pq_listen_send(pq, q);
        return;
    }

    pq->state = NGX_GATE_PQ_CONNECTION_BUSY;
    pq->received = 0;

    ngx_gate_pq_clear_results(pq->results, pq->nresults);
    pq->nresults = 0;

    q->log->action = "waiting for the reply of PostgreSQL";

    rc = ngx_gate_pq_query_send_settings(pq, q);
    pq->nsettings = 1;

    if (pq->kept && ngx_gate_pq_login_required_role(pq) != NGX_GATE_PQ_ANY
        && rc == NGX_OK)
    {
        rc = ngx_gate_pq_login_send_role(pq);
        pq->nsettings = 2;
    }

    for (i = 0; i < q->nstatements && rc == NGX_OK; i++) {
        rc = ngx_gate_pq_query_send_statement(pq, &q->statements[i]);
    }

    if (rc != NGX_OK || !libpq.PQpipelineSync(pq->conn)) {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    ngx_gate_pq_query_flush(pq);
}


/*
 * The settings apply to one transaction, up to the next Sync, so that a
 * pooler may use another server for the next one.
 */

static ngx_int_t
ngx_gate_pq_query_send_settings(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q)
{
    u_char                   statement_timeout[NGX_INT_T_LEN + 1];
    u_char                   lock_timeout[NGX_INT_T_LEN + 1];
    const char              *params[3];
    ngx_msec_int_t           left;
    ngx_gate_pq_statement_t  statement;

    /* the server cancels first, so that the connection remains usable */

    left = (ngx_msec_int_t) (q->deadline - ngx_current_msec);
    left = ngx_max(left, 2);
    left = ngx_min(left, NGX_MAX_INT32_VALUE);

    ngx_sprintf(statement_timeout, "%M%Z", (ngx_msec_t) (left - left / 10));
    ngx_sprintf(lock_timeout, "%M%Z",
                (ngx_msec_t) ngx_min(left / 2, NGX_GATE_PQ_QUERY_LOCK_WAIT));

    params[0] = (char *) statement_timeout;
    params[1] = (char *) lock_timeout;
    params[2] = q->search_path;

    statement.sql =
        "SELECT pg_catalog.set_config('transaction_read_only', 'on', true),"
        " pg_catalog.set_config('statement_timeout', $1, true),"
        " pg_catalog.set_config('lock_timeout', $2, true),"
        " pg_catalog.set_config('search_path', coalesce($3,"
        "  pg_catalog.current_setting('search_path')), true)";

    statement.nparams = 3;
    statement.params = params;

    return ngx_gate_pq_query_send_statement(pq, &statement);
}


ngx_int_t
ngx_gate_pq_query_send_statement(ngx_gate_pq_t *pq,
    ngx_gate_pq_statement_t *statement)
{
    return libpq.PQsendQueryParams(pq->conn, statement->sql,
                                   (int) statement->nparams, NULL,
                                   statement->params, NULL, NULL, 0)
               ? NGX_OK : NGX_ERROR;
}


void
ngx_gate_pq_query_flush(ngx_gate_pq_t *pq)
{
    int         rc;
    ngx_uint_t  what;

    rc = libpq.PQflush(pq->conn);

    if (rc == -1) {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    what = NGX_GATE_WATCH_READ;

    if (rc == 1) {
        what |= NGX_GATE_WATCH_WRITE;
    }

    if (ngx_gate_pq_watch(pq, what) != NGX_OK) {
        ngx_gate_pq_fail(pq);
        return;
    }

    if (pq->state != NGX_GATE_PQ_CONNECTION_ROLE
        && libpq.PQsslInUse(pq->conn))
    {
        ngx_add_timer(&pq->timer, NGX_GATE_PQ_QUERY_TLS_WAIT);
    }
}


void
ngx_gate_pq_query_receive(ngx_gate_pq_t *pq)
{
    PGresult    *result;
    ngx_uint_t   nulls;

    if (!libpq.PQconsumeInput(pq->conn)) {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    if (ngx_gate_pq_listen_receive(pq) != NGX_OK) {

        /* the query is sent over a new connection, without LISTEN */

        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    nulls = 0;

    while (!libpq.PQisBusy(pq->conn)) {

        result = libpq.PQgetResult(pq->conn);

        if (result == NULL) {

            /*
             * NULL ends a statement; two in a row mean that no result follows
             */

            if (++nulls == 2) {
                ngx_gate_pq_query_lost(pq);
                return;
            }

            continue;
        }

        nulls = 0;

        switch (libpq.PQresultStatus(result)) {

        case PGRES_PIPELINE_SYNC:
            libpq.PQclear(result);
            ngx_gate_pq_query_finish(pq);
            return;

        case PGRES_PIPELINE_ABORTED:
            libpq.PQclear(result);
            break;

        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            libpq.PQclear(result);
            ngx_gate_pq_query_abort(pq, NGX_GATE_QUERY,
                                    "COPY is not supported");
            return;

        default:

            if (libpq.PQresultMemorySize(result) > NGX_GATE_PQ_RESPONSE_MAX) {
                libpq.PQclear(result);
                ngx_gate_pq_query_too_large(pq);
                return;
            }

            if (pq->nresults == NGX_GATE_PQ_CONNECTION_RESULTS) {
                libpq.PQclear(result);
                ngx_gate_pq_query_abort(pq, NGX_GATE_PROTOCOL,
                                        "unexpected reply");
                return;
            }

            pq->results[pq->nresults++] = result;
        }
    }

    ngx_gate_pq_query_flush(pq);
}


static void
ngx_gate_pq_query_finish(ngx_gate_pq_t *pq)
{
    ngx_uint_t            n;
    PGresult             *results[NGX_GATE_PQ_CONNECTION_RESULTS];
    ngx_gate_pq_query_t  *q;

    if (pq->nresults == 0) {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_ROLE) {
        ngx_gate_pq_login_role_handler(pq);
        return;
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_LISTEN) {
        ngx_gate_pq_listen_handler(pq);
        return;
    }

    if (pq->nsettings == 2 && pq->nresults > 1
        && ngx_gate_pq_login_check_role(pq, pq->results[1]) != NGX_OK)
    {
        /* the role has changed: a new connection is opened */

        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    ngx_memzero(results, sizeof(results));

    n = pq->nresults;
    ngx_memcpy(results, pq->results, n * sizeof(PGresult *));
    pq->nresults = 0;

    pq->kept = 1;
    pq->state = NGX_GATE_PQ_CONNECTION_READY;

    if (pq->timer.timer_set) {
        ngx_del_timer(&pq->timer);
    }

    ngx_gate_pq_query_keep(pq);

    q = ngx_gate_pq_current(pq);

    if (libpq.PQresultStatus(results[0]) == PGRES_TUPLES_OK) {
        ngx_gate_pq_finish(pq, q, &results[pq->nsettings]);

    } else {

        /* the settings were refused */

        ngx_gate_pq_error_set_result(&pq->error, results[0]);
        ngx_gate_pq_finish(pq, q, NULL);
    }

    ngx_gate_pq_clear_results(results, n);
}


/* closes after an open transaction ("BEGIN") or a failure to watch */

static void
ngx_gate_pq_query_keep(ngx_gate_pq_t *pq)
{
    if (libpq.PQtransactionStatus(pq->conn) != PQTRANS_IDLE
        || ngx_gate_pq_listen_receive(pq) != NGX_OK
        || ngx_gate_pq_watch(pq, NGX_GATE_WATCH_READ) != NGX_OK)
    {
        ngx_gate_pq_close(pq);
    }
}


/* between queries: the server may send notifications or close */

void
ngx_gate_pq_query_idle(ngx_gate_pq_t *pq)
{
    if (!libpq.PQconsumeInput(pq->conn)) {
        ngx_gate_pq_close(pq);
        return;
    }

    /* after invalid data, PQisBusy() closes the connection */

    (void) libpq.PQisBusy(pq->conn);

    if (ngx_gate_pq_listen_receive(pq) != NGX_OK
        || libpq.PQstatus(pq->conn) != CONNECTION_OK
        || ngx_gate_pq_watch(pq, NGX_GATE_WATCH_READ) != NGX_OK)
    {
        ngx_gate_pq_close(pq);
    }
}


/*
 * The connection was lost during a query.  A kept connection may have been
 * closed earlier without notice, so the query is sent again.
 */

void
ngx_gate_pq_query_lost(ngx_gate_pq_t *pq)
{
    PGresult             *result;
    ngx_uint_t            i;
    ngx_gate_error_t      error;
    ngx_gate_pq_query_t  *q;

    q = ngx_gate_pq_current(pq);

    if (pq->kept && !q->retried) {
        q->retried = 1;
        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    (void) ngx_gate_pq_error_set_text(&error, libpq.PQerrorMessage(pq->conn));

    for (i = 0; i < pq->nresults; i++) {
        result = pq->results[i];

        if (libpq.PQresultStatus(result) == PGRES_FATAL_ERROR) {
            ngx_gate_pq_error_set_result(&error, result);
            break;
        }
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_ROLE) {
        ngx_gate_pq_login_error(pq, &error, 0);
        ngx_gate_pq_login_next(pq, 1);
        return;
    }

    if (pq->state == NGX_GATE_PQ_CONNECTION_LISTEN) {
        ngx_gate_pq_listen_refuse(pq, NGX_GATE_PQ_LISTEN_REFUSED, &error);
        ngx_gate_pq_close(pq);
        ngx_gate_pq_post(pq);
        return;
    }

    ngx_gate_pq_close(pq);

    pq->error = error;

    ngx_gate_pq_finish(pq, q, NULL);
}


void
ngx_gate_pq_query_too_large(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_query_abort(pq, NGX_GATE_PROTOCOL,
                            "response is too large");
}


/* the query cannot be completed */

static void
ngx_gate_pq_query_abort(ngx_gate_pq_t *pq, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_error_t  error;

    ngx_gate_error_set(&error, reason, "%s", text);

    switch (pq->state) {

    case NGX_GATE_PQ_CONNECTION_LOGIN:
    case NGX_GATE_PQ_CONNECTION_ROLE:

        ngx_gate_pq_login_error(pq, &error, 0);
        ngx_gate_pq_login_next(pq, 1);
        return;

    case NGX_GATE_PQ_CONNECTION_READY:

        ngx_gate_pq_close(pq);
        return;

    default: /* NGX_GATE_PQ_CONNECTION_LISTEN, NGX_GATE_PQ_CONNECTION_BUSY */
        break;
    }

    ngx_gate_pq_close(pq);

    pq->error = error;

    ngx_gate_pq_finish(pq, ngx_gate_pq_current(pq), NULL);
}
