
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PostgreSQL without blocking: the asynchronous interface of libpq with the
 * events of nginx.  All queries to the same database as the same user share
 * one connection.  It is opened for the first query, and closed when no query
 * is left; with "keepalive", or if it listens to a channel, it is kept until
 * the next one, for at most 30 s.
 */


#ifndef _NGX_GATE_PQ_H_INCLUDED_
#define _NGX_GATE_PQ_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_pq_library.h>


#define NGX_GATE_PQ_STATEMENTS  6     /* of one query */
#define NGX_GATE_PQ_OPTIONS     64    /* more than libpq has keywords */
#define NGX_GATE_PQ_CHANNEL_MAX  63   /* PostgreSQL's limit of a name */

/*
 * Limit of the data that a server sends for one query, and during a login.
 * Results are tiny by design; a server that sends more is faulty.
 */

#define NGX_GATE_PQ_RESPONSE_MAX  262144


typedef struct ngx_gate_pq_s           ngx_gate_pq_t;
typedef struct ngx_gate_pq_query_s  ngx_gate_pq_query_t;


typedef enum {
    NGX_GATE_PQ_ANY = 0,
    NGX_GATE_PQ_READ_WRITE,
    NGX_GATE_PQ_READ_ONLY,
    NGX_GATE_PQ_PRIMARY,
    NGX_GATE_PQ_STANDBY,
    NGX_GATE_PQ_PREFER_STANDBY
} ngx_gate_pq_role_e;


/* whether the server reports the notifications of a channel */

typedef enum {
    NGX_GATE_PQ_LISTEN_OFF = 0,          /* not yet, or not any more */
    NGX_GATE_PQ_LISTEN_ON,
    NGX_GATE_PQ_LISTEN_POOLER,
    NGX_GATE_PQ_LISTEN_STANDBY,
    NGX_GATE_PQ_LISTEN_REFUSED,
    NGX_GATE_PQ_LISTEN_TOO_MANY
} ngx_gate_pq_listen_e;


typedef struct {
    ngx_str_t                 text;      /* for messages */
    char                     *host;      /* NULL: only an address */
    char                     *name;      /* without a trailing dot */
    char                     *addr;      /* NULL: resolve the host */
    char                     *port;
    in_port_t                 number;
    ngx_uint_t                local;     /* a Unix socket */
} ngx_gate_pq_host_t;


/* database and user, as configured */

typedef struct {
    /* in: set by the caller before parse */
    ngx_str_t                 conninfo;
    ngx_str_t                 password_file;
    ngx_str_t                 passfile;
    ngx_uint_t                keepalive;

    /* out */
    ngx_str_t                 key;       /* equal keys share a connection */
    ngx_uint_t                noptions;
    const char              **keywords;  /* all except host, port, password */
    const char              **values;
    const char               *password;
    const char               *search_path; /* from a URI, or NULL */
    ngx_uint_t                sslmode;   /* missing: its index in values */
    ngx_gate_pq_host_t       *hosts;
    ngx_uint_t                nhosts;
    ngx_gate_pq_role_e        role;
} ngx_gate_pq_conf_t;


typedef struct {
    const char               *sql;
    ngx_uint_t                nparams;
    const char *const        *params;
} ngx_gate_pq_statement_t;


/*
 * A query consists of several statements in one read-only transaction and one
 * round trip.
 */

struct ngx_gate_pq_query_s {
    /* in: set by the caller before ask */
    ngx_gate_pq_conf_t       *conf;
    ngx_gate_resolver_t      *resolver;
    ngx_log_t                *log;          /* log->action follows the step */
    ngx_msec_t                deadline;
    const char               *search_path;  /* NULL: default of the server */
    ngx_gate_pq_statement_t   statements[NGX_GATE_PQ_STATEMENTS];
    ngx_uint_t                nstatements;
    void                     *data;
    void                    (*handler)(ngx_gate_pq_query_t *query);

    /*
     * if not NULL: the session listens to this channel before the first
     * statement, and is kept.  notified() is called, not from within send(),
     * if the channel is notified, and if the session is lost between two
     * queries.
     */
    const char               *channel;
    void                    (*notified)(ngx_gate_pq_query_t *query);

    /*
     * out, while the handler runs: a result for each statement, up to the
     * first that failed.  If the query could not be sent, results is NULL,
     * and the error is set.
     */
    PGresult                **results;
    ngx_gate_error_t          error;
    ngx_uint_t                tls;          /* required but not configured */
    ngx_gate_pq_listen_e      listen;

    /* private */
    ngx_gate_pq_t            *pq;
    ngx_queue_t               user;         /* in "users" of the connection */
    ngx_queue_t               queue;
    ngx_gate_pq_listen_e      logged;       /* the last state that was */
    unsigned                  queued:1;
    unsigned                  retried:1;
};


/* at configuration; logs errors itself, without secrets */

char *ngx_gate_pq_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf);

/* the URI or connection string for libpq; sets pcf->search_path */

char *ngx_gate_pq_uri_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, ngx_str_t *uri);

/*
 * The handler is never called from within ask(), and is not called after
 * NGX_ERROR: no memory.  The handler may call every function, including ask()
 * and leave().
 */

ngx_int_t ngx_gate_pq_send(ngx_gate_pq_query_t *query);

/*
 * Cancels the query, if there is one, and releases the connection; the
 * handler is not called again.  Idempotent.
 */

void ngx_gate_pq_detach(ngx_gate_pq_query_t *query);

/* may be received later: by another session, or if the server permits it */

ngx_uint_t ngx_gate_pq_listen_is_lost(ngx_gate_pq_query_t *query);

/* why no notifications are received, or empty */

ngx_str_t *ngx_gate_pq_listen_text(ngx_gate_pq_query_t *query);


/* map a failure to a reason, and write a message without secrets */

ngx_gate_reason_e ngx_gate_pq_error_sqlstate_reason(const char *sqlstate);
void ngx_gate_pq_error_set_result(ngx_gate_error_t *error, PGresult *result);

/* 0: the text is not that of a server */

ngx_uint_t ngx_gate_pq_error_set_text(ngx_gate_error_t *error,
    const char *text);


#endif /* _NGX_GATE_PQ_H_INCLUDED_ */
