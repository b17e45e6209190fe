
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Internal interface between the files of a connection to PostgreSQL.
 */


#ifndef _NGX_GATE_PQ_CONNECTION_H_INCLUDED_
#define _NGX_GATE_PQ_CONNECTION_H_INCLUDED_


#include <ngx_gate_pq.h>
#include <ngx_gate_resolver.h>
#include <ngx_gate_watch.h>


/* a name or an address may point to another server later */

#define NGX_GATE_PQ_KEEPALIVE  30000

/* the results of the settings and of the role precede the query's */

#define NGX_GATE_PQ_CONNECTION_RESULTS  (NGX_GATE_PQ_STATEMENTS + 2)


/* use of TLS if "sslmode" is not given */

typedef enum {
    NGX_GATE_PQ_CONNECTION_TLS_OFF = 0,
    NGX_GATE_PQ_CONNECTION_TLS_TRIED,
    NGX_GATE_PQ_CONNECTION_TLS_REQUIRED
} ngx_gate_pq_connection_tls_e;


typedef enum {
    NGX_GATE_PQ_CONNECTION_CLOSED = 0,
    NGX_GATE_PQ_CONNECTION_NEXT,           /* before an attempt */
    NGX_GATE_PQ_CONNECTION_RESOLVING,
    NGX_GATE_PQ_CONNECTION_LOGIN,
    NGX_GATE_PQ_CONNECTION_ROLE,
    NGX_GATE_PQ_CONNECTION_LISTEN,
    NGX_GATE_PQ_CONNECTION_READY,
    NGX_GATE_PQ_CONNECTION_BUSY
} ngx_gate_pq_connection_state_e;


typedef struct ngx_gate_pq_step_s  ngx_gate_pq_step_t;


struct ngx_gate_pq_s {
    ngx_queue_t               queue;     /* in ngx_gate_pq_connections */
    ngx_gate_pq_conf_t       *conf;
    ngx_gate_resolver_t      *resolver;
    ngx_queue_t               queries;
    ngx_queue_t               users;     /* all queries, also between runs */
    ngx_uint_t                nusers;

    ngx_gate_pq_connection_state_e  state;
    PGconn                   *conn;
    ngx_connection_t         *connection; /* NULL: not watched */
    ngx_gate_pq_step_t       *step;      /* in a thread, or NULL */
    PGresult                 *results[NGX_GATE_PQ_CONNECTION_RESULTS];
    ngx_uint_t                nresults;
    ngx_uint_t                nsettings; /* of results, before the query's */
    size_t                    received;
    size_t                    counted;   /* by the last event */
    ngx_uint_t                kept;      /* was used before */
    ngx_msec_t                expires;
    ngx_gate_pq_connection_tls_e  tls;

    ngx_uint_t                direct;    /* no pooler, and not a standby */
    ngx_uint_t                notifications; /* of this session */
    ngx_gate_pq_listen_e      fallback;  /* no LISTEN, for the time being */
    ngx_msec_t                fallback_msec; /* time of that decision */

    ngx_gate_resolver_ctx_t   resolve;
    ngx_uint_t                attempt;   /* of a host */
    ngx_uint_t                address;   /* of an address of the host */
    ngx_uint_t                naddrs;

    /* the most relevant error of the attempts so far */
    ngx_gate_error_t          error;
    ngx_uint_t                responded;

    ngx_event_t               timer;
    ngx_event_t               post;      /* posted */
};


void ngx_gate_pq_post(ngx_gate_pq_t *pq);
void ngx_gate_pq_fail(ngx_gate_pq_t *pq);
void ngx_gate_pq_finish(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q,
    PGresult **results);
ngx_int_t ngx_gate_pq_watch(ngx_gate_pq_t *pq, ngx_uint_t what);
void ngx_gate_pq_close(ngx_gate_pq_t *pq);
void ngx_gate_pq_clear_ssl_errors(void);
void ngx_gate_pq_clear_results(PGresult **results, ngx_uint_t n);
void ngx_gate_pq_set_action(ngx_gate_pq_t *pq, char *action);
ngx_gate_pq_query_t *ngx_gate_pq_current(ngx_gate_pq_t *pq);

void ngx_gate_pq_login_attempt(ngx_gate_pq_t *pq);
void ngx_gate_pq_login_poll(ngx_gate_pq_t *pq);
void ngx_gate_pq_login_polled(ngx_gate_pq_t *pq, PostgresPollingStatusType rc);
void ngx_gate_pq_judge_address(ngx_gate_pq_t *pq, ngx_uint_t responded);
void ngx_gate_pq_login_next(ngx_gate_pq_t *pq, ngx_uint_t host);
void ngx_gate_pq_login_error(ngx_gate_pq_t *pq, ngx_gate_error_t *error,
    ngx_uint_t responded);
void ngx_gate_pq_login_role_handler(ngx_gate_pq_t *pq);
ngx_gate_pq_role_e ngx_gate_pq_login_required_role(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_login_send_role(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_login_check_role(ngx_gate_pq_t *pq, PGresult *result);

ngx_uint_t ngx_gate_pq_listen_is_needed(ngx_gate_pq_t *pq,
    ngx_gate_pq_query_t *q);
void ngx_gate_pq_listen_send(ngx_gate_pq_t *pq, ngx_gate_pq_query_t *q);
void ngx_gate_pq_listen_handler(ngx_gate_pq_t *pq);
void ngx_gate_pq_listen_refuse(ngx_gate_pq_t *pq, ngx_gate_pq_listen_e state,
    ngx_gate_error_t *error);
ngx_int_t ngx_gate_pq_listen_receive(ngx_gate_pq_t *pq);
void ngx_gate_pq_listen_lost(ngx_gate_pq_t *pq);

ngx_int_t ngx_gate_pq_step_start(ngx_gate_pq_t *pq);
void ngx_gate_pq_step_cancel(ngx_gate_pq_t *pq);

void ngx_gate_pq_query_send(ngx_gate_pq_t *pq);
ngx_int_t ngx_gate_pq_query_send_statement(ngx_gate_pq_t *pq,
    ngx_gate_pq_statement_t *statement);
void ngx_gate_pq_query_flush(ngx_gate_pq_t *pq);
void ngx_gate_pq_query_receive(ngx_gate_pq_t *pq);
void ngx_gate_pq_query_idle(ngx_gate_pq_t *pq);
void ngx_gate_pq_query_lost(ngx_gate_pq_t *pq);
void ngx_gate_pq_query_too_large(ngx_gate_pq_t *pq);


#endif /* _NGX_GATE_PQ_CONNECTION_H_INCLUDED_ */
