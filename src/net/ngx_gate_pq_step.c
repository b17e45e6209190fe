
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A step of a login that computes for milliseconds, in a thread: libpq takes 4
 * to 9 ms for the 4096 iterations of SCRAM that are PostgreSQL's default, and
 * 1 to 2 ms for TLS.  Nothing else uses the connection meanwhile; if the login
 * is canceled, it is closed after the step.
 */


#include <ngx_gate_pq_connection.h>
#include <ngx_gate_thread.h>


struct ngx_gate_pq_step_s {
    ngx_gate_thread_t          thread;
    ngx_gate_pq_t             *pq;     /* NULL: canceled */
    PGconn                    *conn;
    PostgresPollingStatusType  rc;
};


static void ngx_gate_pq_step_call(ngx_gate_thread_t *thread);
static void ngx_gate_pq_step_done(ngx_gate_thread_t *thread);


ngx_int_t
ngx_gate_pq_step_start(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_step_t  *step;

    step = ngx_calloc(sizeof(ngx_gate_pq_step_t), ngx_cycle->log);
    if (step == NULL) {
        return NGX_ERROR;
    }

    step->thread.call = ngx_gate_pq_step_call;
    step->thread.done = ngx_gate_pq_step_done;
    step->pq = pq;
    step->conn = pq->conn;

    pq->step = step;

    ngx_gate_thread_start(&step->thread);

    return NGX_OK;
}


void
ngx_gate_pq_step_cancel(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_step_t  *step;

    step = pq->step;

    step->pq = NULL;
    pq->step = NULL;
    pq->conn = NULL;

    ngx_gate_thread_cancel(&step->thread);
}


static void
ngx_gate_pq_step_call(ngx_gate_thread_t *thread)
{
    ngx_gate_pq_step_t  *step;

    step = ngx_queue_data(thread, ngx_gate_pq_step_t, thread);

    step->rc = libpq.PQconnectPoll(step->conn);
}


static void
ngx_gate_pq_step_done(ngx_gate_thread_t *thread)
{
    ngx_gate_pq_t              *pq;
    ngx_gate_pq_step_t         *step;
    PostgresPollingStatusType   rc;

    step = ngx_queue_data(thread, ngx_gate_pq_step_t, thread);

    pq = step->pq;
    rc = step->rc;

    if (pq == NULL) {
        libpq.PQfinish(step->conn);
        ngx_gate_pq_clear_ssl_errors();
        ngx_free(step);
        return;
    }

    pq->step = NULL;
    ngx_free(step);

    ngx_gate_pq_login_polled(pq, rc);
}
