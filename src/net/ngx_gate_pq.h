
/*
 * PostgreSQL without blocking: libpq's asynchronous interface on nginx's
 * events.  All who ask the same database as the same user share one
 * connection.  It is opened for the first query, and closed when no query is
 * left; with "keepalive" it is kept until the next one, for at most 30 s.
 */


#ifndef _NGX_GATE_PQ_H_INCLUDED_
#define _NGX_GATE_PQ_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_pq_library.h>


#define NGX_GATE_PQ_STATEMENTS  6     /* of one query */
#define NGX_GATE_PQ_OPTIONS     64    /* libpq knows fewer keywords */
#define NGX_GATE_PQ_ERROR_MAX   256

/*
 * What a server may send for one query, and during a login.  Queries
 * are made to have tiny answers; whatever sends more than this is not going
 * to stop.
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


typedef struct {
    ngx_str_t                 text;      /* for messages */
    char                     *host;      /* NULL: there is an address only */
    char                     *addr;      /* NULL: resolve the host */
    char                     *port;
    in_port_t                 number;
    ngx_uint_t                local;     /* a Unix socket */
} ngx_gate_pq_host_t;


/* whom to ask, and as whom, as configured */

typedef struct {
    /* in: set by the caller before parse */
    ngx_str_t                 conninfo;
    ngx_str_t                 password_file;
    ngx_str_t                 passfile;
    ngx_uint_t                keepalive;

    /* out */
    ngx_str_t                 key;       /* equal: the same connection */
    ngx_uint_t                noptions;
    const char              **keywords;  /* all but host, port, password */
    const char              **values;
    const char               *password;
    const char               *search_path; /* from a URI, or NULL */
    ngx_uint_t                sslmode;   /* not given: its place in values */
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
 * A query is some statements in one read-only transaction and one round
 * trip.
 */

struct ngx_gate_pq_query_s {
    /* in: set by the caller before ask */
    ngx_gate_pq_conf_t       *conf;
    ngx_resolver_t           *resolver;
    ngx_log_t                *log;          /* log->action follows the step */
    ngx_msec_t                deadline;
    const char               *search_path;  /* NULL: as the server has it */
    ngx_gate_pq_statement_t   statements[NGX_GATE_PQ_STATEMENTS];
    ngx_uint_t                nstatements;
    void                     *data;
    void                    (*handler)(ngx_gate_pq_query_t *query);

    /*
     * out, while the handler runs: an answer to each statement, up to the
     * first that failed.  If the server could not be asked, results is NULL,
     * and reason and error tell why.
     */
    PGresult                **results;
    ngx_gate_reason_e         reason;
    u_char                    error[NGX_GATE_PQ_ERROR_MAX];
    size_t                    error_len;
    ngx_uint_t                tls;          /* required, and not configured */

    /* private */
    ngx_gate_pq_t            *pq;
    ngx_queue_t               queue;
    unsigned                  queued:1;
    unsigned                  retried:1;
};


/* at configuration; says itself what is wrong, without any secret */

char *ngx_gate_pq_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf);

/* the URI or connection string as libpq reads it; sets pcf->search_path */

char *ngx_gate_pq_uri_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, ngx_str_t *uri);

/*
 * The handler is never called from within ask(), and not at all after
 * NGX_ERROR: no memory.  In the handler everything is allowed, ask() and
 * leave() included.
 */

ngx_int_t ngx_gate_pq_send(ngx_gate_pq_query_t *query);

/*
 * Ends the query, if there is one, and lets go of the connection; the
 * handler is not called any more.  Idempotent.
 */

void ngx_gate_pq_detach(ngx_gate_pq_query_t *query);


/* what a failure means; these write a message without any secret */

ngx_gate_reason_e ngx_gate_pq_error_sqlstate_reason(const char *sqlstate);
ngx_gate_reason_e ngx_gate_pq_error_result_reason(PGresult *result,
    u_char *error, size_t *len);
ngx_gate_reason_e ngx_gate_pq_error_text_reason(const char *text, u_char *error,
    size_t *len, ngx_uint_t *responded);


#endif /* _NGX_GATE_PQ_H_INCLUDED_ */
