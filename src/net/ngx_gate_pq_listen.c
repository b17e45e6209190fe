
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Notifications of a channel (LISTEN).
 *
 * A session begins to listen before its first query, so that no change is
 * missed between the two.  A pooler accepts LISTEN, and may send it to a
 * session that it then uses for others; it sends its clients a process number
 * that is not the server's.  Therefore, this number is compared first, and
 * nothing is sent through a pooler or to a standby, which would log an error.
 * The result is remembered for as long as a session is kept.
 */


#include <ngx_gate_pq_connection.h>


/* of a session, in 30 seconds */

#define NGX_GATE_PQ_LISTEN_MAX  65536

#define NGX_GATE_PQ_LISTEN_STATEMENT_MAX                                      \
    (sizeof("LISTEN \"\"") + NGX_GATE_PQ_CHANNEL_MAX)


static ngx_gate_pq_listen_e ngx_gate_pq_listen_test(ngx_gate_pq_t *pq,
    PGresult *result);
static void ngx_gate_pq_listen_log(ngx_gate_pq_query_t *q,
    ngx_gate_error_t *error);
static void ngx_gate_pq_listen_notified(ngx_gate_pq_t *pq,
    const char *channel);


static ngx_str_t  ngx_gate_pq_listen_texts[] = {
    ngx_null_string,                     /* NGX_GATE_PQ_LISTEN_OFF */
    ngx_null_string,                     /* NGX_GATE_PQ_LISTEN_ON */
    ngx_string("polled: the connection leads to a pooler"),
    ngx_string("polled: the server is a standby"),
    ngx_string("polled: the server refused LISTEN"),
    ngx_string("polled: the server sent too many notifications")
};


ngx_uint_t
ngx_gate_pq_listen_is_lost(ngx_gate_pq_query_t *q)
{
    return q->channel
           && q->listen != NGX_GATE_PQ_LISTEN_ON
           && q->listen != NGX_GATE_PQ_LISTEN_POOLER
           && q->listen != NGX_GATE_PQ_LISTEN_STANDBY;
}


ngx_str_t *
ngx_gate_pq_listen_text(ngx_gate_pq_query_t *q)
{
    return &ngx_gate_pq_listen_texts[q->listen];
}


ngx_uint_t
ngx_gate_pq_listen_is_needed(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q)
{
    if (q->channel == NULL || q->listen == NGX_GATE_PQ_LISTEN_ON) {
        return 0;
    }

    if (pq->fallback == NGX_GATE_PQ_LISTEN_OFF
        || ngx_current_msec - pq->fallback_msec >= NGX_GATE_PQ_KEEPALIVE)
    {
        return 1;
    }

    /* found by this query, or by one of another check */

    q->listen = pq->fallback;
    ngx_gate_pq_listen_log(q, NULL);

    return 0;
}


void
ngx_gate_pq_listen_send(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q)
{
    u_char                   sql[NGX_GATE_PQ_LISTEN_STATEMENT_MAX];
    ngx_gate_pq_statement_t  statement;

    pq->state = NGX_GATE_PQ_CONNECTION_LISTEN;
    pq->received = 0;
    pq->fallback = NGX_GATE_PQ_LISTEN_OFF;

    ngx_gate_pq_clear_results(pq->results, pq->nresults);
    pq->nresults = 0;

    statement.nparams = 0;
    statement.params = NULL;

    if (pq->direct) {
        q->log->action = "sending LISTEN to PostgreSQL";

        ngx_sprintf(sql, "LISTEN \"%s\"%Z", q->channel);
        statement.sql = (char *) sql;

    } else {
        q->log->action = "querying the process number of PostgreSQL";

        statement.sql = "SELECT pg_catalog.pg_backend_pid(),"
                        " pg_catalog.pg_is_in_recovery()";
    }

    if (ngx_gate_pq_query_send_statement(pq, &statement) != NGX_OK
        || !libpq.PQpipelineSync(pq->conn))
    {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    ngx_gate_pq_query_flush(pq);
}


void
ngx_gate_pq_listen_handler(ngx_gate_pq_t *pq)
{
    PGresult             *result;
    ngx_gate_error_t      error;
    ngx_gate_pq_query_t  *q;
    ngx_gate_pq_listen_e  state;

    q = ngx_gate_pq_current(pq);
    result = pq->results[0];
    error.len = 0;

    if (pq->direct) {
        state = libpq.PQresultStatus(result) == PGRES_COMMAND_OK
                    ? NGX_GATE_PQ_LISTEN_ON : NGX_GATE_PQ_LISTEN_REFUSED;

    } else {
        state = ngx_gate_pq_listen_test(pq, result);
        pq->direct = (state == NGX_GATE_PQ_LISTEN_OFF);
    }

    switch (state) {

    case NGX_GATE_PQ_LISTEN_OFF:
        break;

    case NGX_GATE_PQ_LISTEN_ON:
        q->listen = state;

        /* otherwise it is probably refused again soon */

        if (q->logged != NGX_GATE_PQ_LISTEN_TOO_MANY) {
            q->logged = state;
        }

        break;

    default:

        if (libpq.PQresultStatus(result) == PGRES_FATAL_ERROR) {
            ngx_gate_pq_error_set_result(&error, result);
        }

        ngx_gate_pq_listen_refuse(pq, state, &error);
        break;
    }

    ngx_gate_pq_query_send(pq);
}


/* NGX_GATE_PQ_LISTEN_OFF: LISTEN can be sent */

static ngx_gate_pq_listen_e
ngx_gate_pq_listen_test(ngx_gate_pq_t *pq, PGresult *result)
{
    ngx_int_t  pid;

    if (libpq.PQresultStatus(result) != PGRES_TUPLES_OK
        || libpq.PQntuples(result) != 1 || libpq.PQnfields(result) != 2)
    {
        return NGX_GATE_PQ_LISTEN_REFUSED;
    }

    pid = ngx_atoi((u_char *) libpq.PQgetvalue(result, 0, 0),
                   libpq.PQgetlength(result, 0, 0));

    if (pid != libpq.PQbackendPID(pq->conn)) {
        return NGX_GATE_PQ_LISTEN_POOLER;
    }

    return libpq.PQgetvalue(result, 0, 1)[0] == 't'
               ? NGX_GATE_PQ_LISTEN_STANDBY : NGX_GATE_PQ_LISTEN_OFF;
}


/* the current query is sent without LISTEN */

void
ngx_gate_pq_listen_refuse(ngx_gate_pq_t *pq, ngx_gate_pq_listen_e state,
    ngx_gate_error_t *error)
{
    ngx_gate_pq_query_t  *q;

    q = ngx_gate_pq_current(pq);

    pq->fallback = state;
    pq->fallback_msec = ngx_current_msec;

    q->listen = state;

    ngx_gate_pq_listen_log(q, error);
}


static void
ngx_gate_pq_listen_log(ngx_gate_pq_query_t *q, ngx_gate_error_t *error)
{
    ngx_str_t  text;

    ngx_str_null(&text);

    if (error) {
        text.len = error->len;
        text.data = error->text;
    }

    if (q->logged == q->listen) {
        return;
    }

    q->logged = q->listen;
    q->log->action = NULL;

    ngx_log_error(NGX_LOG_WARN, q->log, 0,
                  "notifications of \"%s\" are not received, %V%s%V",
                  q->channel, ngx_gate_pq_listen_text(q),
                  text.len ? ": " : "", &text);
}


/* NGX_ERROR: too many */

ngx_int_t
ngx_gate_pq_listen_receive(ngx_gate_pq_t *pq)
{
    PGnotify  *notify;

    for ( ;; ) {
        notify = libpq.PQnotifies(pq->conn);

        if (notify == NULL) {
            return NGX_OK;
        }

        pq->received -= ngx_min(pq->counted, pq->received);
        pq->counted = 0;

        ngx_gate_pq_listen_notified(pq, notify->relname);

        libpq.PQfreemem(notify);

        if (++pq->notifications > NGX_GATE_PQ_LISTEN_MAX) {
            pq->fallback = NGX_GATE_PQ_LISTEN_TOO_MANY;
            pq->fallback_msec = ngx_current_msec;
            return NGX_ERROR;
        }
    }
}


static void
ngx_gate_pq_listen_notified(ngx_gate_pq_t *pq, const char *channel)
{
    ngx_queue_t          *queue;
    ngx_gate_pq_query_t  *q;

    for (queue = ngx_queue_head(&pq->users);
         queue != ngx_queue_sentinel(&pq->users);
         queue = ngx_queue_next(queue))
    {
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, user);

        if (q->listen == NGX_GATE_PQ_LISTEN_ON
            && ngx_strcmp(q->channel, channel) == 0)
        {
            q->notified(q);
        }
    }
}


/* the session has been closed */

void
ngx_gate_pq_listen_lost(ngx_gate_pq_t *pq)
{
    ngx_queue_t          *queue;
    ngx_gate_pq_query_t  *q;

    for (queue = ngx_queue_head(&pq->users);
         queue != ngx_queue_sentinel(&pq->users);
         queue = ngx_queue_next(queue))
    {
        q = ngx_queue_data(queue, ngx_gate_pq_query_t, user);

        if (q->listen != NGX_GATE_PQ_LISTEN_ON) {
            continue;
        }

        q->listen = NGX_GATE_PQ_LISTEN_OFF;

        /* a query in the queue listens anew */

        if (!q->queued) {
            q->notified(q);
        }
    }
}
