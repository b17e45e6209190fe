
/*
 * The steps of a connection to PostgreSQL, between the files that take them.
 */


#ifndef _NGX_GATE_PQ_STEPS_H_INCLUDED_
#define _NGX_GATE_PQ_STEPS_H_INCLUDED_


#include <ngx_gate_pq.h>
#include <ngx_gate_resolve.h>


#define NGX_GATE_PQ_READ   1
#define NGX_GATE_PQ_WRITE  2

/* before those of the question come the settings, and maybe the role */

#define NGX_GATE_PQ_RESULTS  (NGX_GATE_PQ_STATEMENTS + 2)


typedef enum {
    NGX_GATE_PQ_CLOSED = 0,
    NGX_GATE_PQ_NEXT,           /* an attempt is about to begin */
    NGX_GATE_PQ_RESOLVING,
    NGX_GATE_PQ_LOGIN,
    NGX_GATE_PQ_ASKING_ROLE,
    NGX_GATE_PQ_READY,
    NGX_GATE_PQ_BUSY
} ngx_gate_pq_state_e;


struct ngx_gate_pq_s {
    ngx_queue_t               queue;     /* in ngx_gate_pq_connections */
    ngx_gate_pq_conf_t       *conf;
    ngx_queue_t               questions;
    ngx_uint_t                users;

    ngx_gate_pq_state_e       state;
    PGconn                   *conn;
    ngx_connection_t         *watched;   /* NULL: not watched */
    PGresult                 *results[NGX_GATE_PQ_RESULTS];
    ngx_uint_t                nresults;
    ngx_uint_t                nsettings; /* of them, before the question's */
    size_t                    received;
    ngx_uint_t                kept;      /* has answered before */

    ngx_gate_resolve_t        resolve;
    ngx_uint_t                attempt;   /* among the hosts */
    ngx_uint_t                address;   /* among those of a host */
    ngx_uint_t                naddrs;

    /* of the attempts so far, the best known */
    ngx_gate_reason_e         reason;
    ngx_uint_t                answered;
    u_char                    error[NGX_GATE_PQ_ERROR_MAX];
    size_t                    error_len;

    ngx_event_t               timer;
    ngx_event_t               work;      /* posted */
};


void ngx_gate_pq_post(ngx_gate_pq_t *pq);
void ngx_gate_pq_fail(ngx_gate_pq_t *pq);
void ngx_gate_pq_answer(ngx_gate_pq_t *pq, ngx_gate_pq_question_t *q,
    PGresult **results);
ngx_int_t ngx_gate_pq_watch(ngx_gate_pq_t *pq, ngx_uint_t what);
void ngx_gate_pq_close(ngx_gate_pq_t *pq);
void ngx_gate_pq_clear(PGresult **results, ngx_uint_t n);
void ngx_gate_pq_step(ngx_gate_pq_t *pq, char *action);
ngx_gate_pq_question_t *ngx_gate_pq_first(ngx_gate_pq_t *pq);

void ngx_gate_pq_attempt(ngx_gate_pq_t *pq);
void ngx_gate_pq_login(ngx_gate_pq_t *pq);
void ngx_gate_pq_next(ngx_gate_pq_t *pq, ngx_uint_t host);
void ngx_gate_pq_record(ngx_gate_pq_t *pq, ngx_gate_reason_e reason,
    u_char *error, size_t len, ngx_uint_t answered);
void ngx_gate_pq_role(ngx_gate_pq_t *pq);
ngx_gate_pq_role_e ngx_gate_pq_wanted_role(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_send_role(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_suits(ngx_gate_pq_t *pq, PGresult *result);

void ngx_gate_pq_send(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_send_statement(ngx_gate_pq_t *pq,
    ngx_gate_pq_statement_t *statement);
void ngx_gate_pq_flush(ngx_gate_pq_t *pq);
void ngx_gate_pq_receive(ngx_gate_pq_t *pq);
void ngx_gate_pq_idle(ngx_gate_pq_t *pq);
void ngx_gate_pq_lost(ngx_gate_pq_t *pq);
void ngx_gate_pq_too_much(ngx_gate_pq_t *pq);


#endif /* _NGX_GATE_PQ_STEPS_H_INCLUDED_ */
