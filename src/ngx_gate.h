
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The concepts of this module as types (check, probe, verdict, gate), and the
 * interface of a check type.  Independent of HTTP and shared memory.
 */


#ifndef _NGX_GATE_H_INCLUDED_
#define _NGX_GATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define NGX_GATE_VERSION      "0.1.0"

#define NGX_GATE_NAME_MAX     64
#define NGX_GATE_LABEL_MAX    128
#define NGX_GATE_MESSAGE_MAX  352
#define NGX_GATE_ERROR_MAX    (NGX_GATE_MESSAGE_MAX + 1)
#define NGX_GATE_MATCH_MAX    65536    /* maximum text of contains= and
                                          match= */

#define NGX_GATE_VIA_MAX      8

#define NGX_GATE_NONE         ((ngx_uint_t) -1)


typedef struct ngx_gate_s             ngx_gate_t;
typedef struct ngx_gate_check_s       ngx_gate_check_t;
typedef struct ngx_gate_check_type_s  ngx_gate_check_type_t;
typedef struct ngx_gate_endpoint_s    ngx_gate_endpoint_t;
typedef struct ngx_gate_mailbox_s     ngx_gate_mailbox_t;
typedef struct ngx_gate_param_s       ngx_gate_param_t;
typedef struct ngx_gate_probe_s       ngx_gate_probe_t;
typedef struct ngx_gate_resolver_s    ngx_gate_resolver_t;
typedef struct ngx_gate_servers_s     ngx_gate_servers_t;


typedef enum {
    NGX_GATE_PENDING = 0,     /* not probed yet */
    NGX_GATE_ERROR,           /* the probe could not be completed */
    NGX_GATE_FAILED,          /* the initialization itself reports failure */
    NGX_GATE_WAITING,         /* the condition is not met yet */
    NGX_GATE_RUNNING,         /* the initialization is in progress */
    NGX_GATE_PASSED,
    NGX_GATE_VERDICTS
} ngx_gate_verdict_e;


/* the closed list of reasons; their names and kinds are in ngx_gate.c */

typedef enum {
    NGX_GATE_OK = 0,          /* passed or pending: no reason */

    /* waiting, running, failed */

    NGX_GATE_MISSING,         /* a file, table or key does not exist */
    NGX_GATE_PRESENT,         /* must not exist, but does */
    NGX_GATE_MISMATCH,        /* another content or value */
    NGX_GATE_TOO_SMALL,
    NGX_GATE_TOO_OLD,
    NGX_GATE_STALE,           /* from an earlier initialization */
    NGX_GATE_TOO_FEW,
    NGX_GATE_WRONG_TYPE,      /* exists with another type */
    NGX_GATE_BAD_STATUS,      /* unexpected HTTP status */
    NGX_GATE_UNINITIALIZED,   /* no migration has been applied */
    NGX_GATE_BEHIND,
    NGX_GATE_AHEAD,
    NGX_GATE_OTHER_REVISION,
    NGX_GATE_DIRTY,           /* a migration was interrupted or runs */
    NGX_GATE_STALE_LOCK,
    NGX_GATE_IN_PROGRESS,
    NGX_GATE_LOCKED,
    NGX_GATE_STARTING_UP,
    NGX_GATE_LOADING,
    NGX_GATE_REPORTED,        /* the initializer reported failure */
    NGX_GATE_NOT_SERVING,     /* reported by the gRPC health service */
    NGX_GATE_NOT_READY,       /* a gate of another nginx */
    NGX_GATE_NOT_NOTIFIED,    /* no notice has been received */

    /* error: the peer */

    NGX_GATE_REFUSED,
    NGX_GATE_RESET,           /* connection closed or reset */
    NGX_GATE_UNREACHABLE,
    NGX_GATE_TIMEOUT,
    NGX_GATE_DNS,
    NGX_GATE_TLS,
    NGX_GATE_AUTH,
    NGX_GATE_DENIED,
    NGX_GATE_NO_DATABASE,     /* waiting, if it may be created yet */
    NGX_GATE_TOO_MANY_CONNECTIONS,
    NGX_GATE_OTHER_ROLE,      /* for example a standby, not a primary */
    NGX_GATE_PROTOCOL,
    NGX_GATE_TOO_LARGE,       /* the body exceeds the limit */
    NGX_GATE_QUERY,           /* the server refused the query */
    NGX_GATE_UNIMPLEMENTED,   /* the server has no health service */
    NGX_GATE_LOOP,            /* the gate there waits for this one */
    NGX_GATE_IO,              /* an error of the file system */
    NGX_GATE_NO_SECRET,       /* a password file cannot be read */

    /* error: local resources, ignored by rise and fall */

    NGX_GATE_NO_MEMORY,
    NGX_GATE_NO_CONNECTIONS,

    NGX_GATE_REASONS
} ngx_gate_reason_e;


/* the cause of a failure, without secrets */

typedef struct {
    ngx_gate_reason_e         reason;
    size_t                    len;          /* 0: not set */
    u_char                    text[NGX_GATE_ERROR_MAX];
} ngx_gate_error_t;


/* the result of a probe */

typedef struct {
    ngx_gate_verdict_e        verdict;
    ngx_gate_reason_e         reason;
    int64_t                   observed;     /* -1: this check does not count */
    int64_t                   expected;     /* -1: this check does not count */
    size_t                    message_len;
    u_char                    message[NGX_GATE_MESSAGE_MAX];
} ngx_gate_result_t;


/*
 * A check as configured.  It is not modified after the configuration has been
 * read; variable data are in the probe's state and in shared memory.
 */

struct ngx_gate_check_s {
    ngx_str_t                 name;
    ngx_str_t                 label;        /* for the waiting page, or empty */
    ngx_gate_check_type_t    *type;
    ngx_str_t                 target;
    void                     *conf;         /* of the type, conf_size bytes */

    ngx_gate_t               *gate;         /* not used by check types */
    ngx_uint_t                index;        /* within the gate */
    ngx_array_t              *after_names;  /* of ngx_str_t, or NULL */
    ngx_uint_t               *after;        /* indexes in the gate */
    ngx_uint_t                nafter;
    ngx_str_t                 file;         /* place in the configuration */
    ngx_uint_t                line;
    ngx_msec_t                interval;
    ngx_msec_t                interval_open;
    ngx_msec_t                timeout;

    ngx_gate_mailbox_t       *mailbox;      /* of notices, or NULL */

    /* of a check of several servers: the check of each of them, its "inner" */
    ngx_gate_servers_t       *servers;
    ngx_gate_check_t         *inner;
    ngx_gate_check_t         *outer;

    u_char                    digest[16];   /* of the parameters that
                                               identify it */

    unsigned                  optional:1;
    unsigned                  trigger:1;    /* a gate's trigger, not a check */
};


/*
 * What a check of another gate knows of it: how long it will take, and the ids
 * of the gates that it depends on.
 */

typedef struct {
    uint32_t                  id;           /* of the gate of this check */
    int64_t                   eta;          /* ms; -1: unknown */
    ngx_uint_t                nvia;
    uint32_t                  via[NGX_GATE_VIA_MAX];
    ngx_uint_t                changed;      /* the ids, by this run */
} ngx_gate_chain_t;


/*
 * One run of a check, in the worker that probes.  The probe object of a check
 * lives as long as the worker probes; "state" belongs to the type and
 * persists between runs (a kept connection, a partly counted tree).
 */

struct ngx_gate_probe_s {
    ngx_gate_check_t         *check;
    void                     *state;        /* of the type, state_size bytes,
                                               zeroed before the first start */
    ngx_gate_endpoint_t      *endpoint;     /* NULL: that of the check; of
                                               another no connection is kept */
    ngx_gate_resolver_t      *resolver;     /* NULL: the host's name servers */
    ngx_pool_t               *pool;         /* lives as long as the probe */
    ngx_log_t                *log;          /* log->action is the current
                                               step */
    ngx_msec_t                deadline;     /* in terms of ngx_current_msec;
                                               start() may put it off */
    ngx_gate_chain_t          chain;
    ngx_str_t                 note;         /* appended to each message */
    ngx_uint_t                lost;         /* the type waits for events and
                                               does not receive them: the next
                                               run starts within 30 s */
    ngx_msec_t                left;         /* until the verdict ends by time,
                                               which the next run does not
                                               miss; 0: it does not end */

    ngx_gate_result_t         result;
    void                    (*done)(ngx_gate_probe_t *probe);
    void                    (*due)(ngx_gate_probe_t *probe);
    void                     *data;         /* arguments of "done" and "due" */
};


/*
 * A check type.
 *
 * parse   All parameters have been set by the table "params".  Look at the
 *         target, refuse what conflicts (ngx_gate_param_error()), prepare.
 *         No network, no file but what must be read to parse.
 *
 * start   Begin one run.  It ends, at once or later, in exactly one call of
 *         ngx_gate_probe_end(), after which the run is not touched again.
 *         start() is never called before the last run has ended.
 *
 * cancel  End the run in flight, if there is one, without a verdict, and
 *         let go of everything kept between runs (connections, descriptors,
 *         timers, memory).  start() may be called again afterwards.  It is
 *         called at a timeout, when the check is no longer needed, and when
 *         the worker exits; also twice, never before the first start() or
 *         from within ngx_gate_probe_end().
 *
 * Every timer a type sets is cancelable.  The time limit of a run is not the
 * type's business: the prober calls cancel() and records "timeout", naming
 * the step in probe->log->action.
 */

struct ngx_gate_check_type_s {
    ngx_str_t                 name;
    ngx_gate_param_t         *params;
    size_t                    conf_size;
    size_t                    state_size;

    char                   *(*parse)(ngx_conf_t *cf, ngx_gate_check_t *check);
    void                    (*start)(ngx_gate_probe_t *probe);
    void                    (*cancel)(ngx_gate_probe_t *probe);
    ngx_uint_t                connects;     /* see ngx_gate_budget.h */
    ngx_uint_t                adopts;       /* verdicts of another gate: rise
                                               and fall are 1 */
};


/*
 * A cancelable timer (or posted event) of background work: the handler uses
 * ngx_queue_data(ev, type, member) to find its object, since ev->data has to
 * look like a connection to the debug log of nginx.
 */

void ngx_gate_event_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log);

void ngx_cdecl ngx_gate_error_set(ngx_gate_error_t *error,
    ngx_gate_reason_e reason, const char *fmt, ...);

/* the same, followed by: failed (111: Connection refused) */

void ngx_cdecl ngx_gate_error_set_errno(ngx_gate_error_t *error,
    ngx_gate_reason_e reason, ngx_err_t err, const char *fmt, ...);

/* a result before the end of its probe; the message is not folded */

void ngx_cdecl ngx_gate_result_set(ngx_gate_result_t *result,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason,
    const char *fmt, ...);

/*
 * Sets the message (fmt may be NULL), converted to one line of printable
 * UTF-8, and calls done.
 */

void ngx_cdecl ngx_gate_probe_end(ngx_gate_probe_t *probe,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason,
    const char *fmt, ...);

/* the same, with the verdict "error" */

void ngx_gate_probe_fail(ngx_gate_probe_t *probe, ngx_gate_error_t *error);

/*
 * To be called upon an event that the type waits for between two runs
 * (inotify, a notification of the server): the next run starts now instead of
 * after its interval, or right after the current run.  May be called at any
 * time between the first start() and cancel(); does nothing if the check is
 * no longer probed.
 */

void ngx_gate_probe_due(ngx_gate_probe_t *probe);

/* no memory or connections in nginx itself: ignored by rise and fall */

ngx_uint_t ngx_gate_reason_is_local(ngx_gate_reason_e reason);

/* waiting does not help: the configuration has to be changed */

ngx_uint_t ngx_gate_reason_is_permanent(ngx_gate_reason_e reason);

/*
 * One line of valid UTF-8 without control characters, of at most
 * NGX_GATE_MESSAGE_MAX bytes; returns its length.
 */

size_t ngx_gate_fold_message(u_char *dst, u_char *src, size_t len);

#define ngx_gate_str_eq(a, b)                                                 \
    ((a)->len == (b)->len && ngx_memcmp((a)->data, (b)->data, (a)->len) == 0)


extern ngx_str_t              ngx_gate_verdict_names[];
extern ngx_str_t              ngx_gate_reason_names[];

extern ngx_gate_check_type_t  ngx_gate_check_file;
extern ngx_gate_check_type_t  ngx_gate_check_postgres;
extern ngx_gate_check_type_t  ngx_gate_check_redis;
extern ngx_gate_check_type_t  ngx_gate_check_http;
extern ngx_gate_check_type_t  ngx_gate_check_tcp;
extern ngx_gate_check_type_t  ngx_gate_check_grpc;
extern ngx_gate_check_type_t  ngx_gate_check_remote;
extern ngx_gate_check_type_t  ngx_gate_check_notify;


#endif /* _NGX_GATE_H_INCLUDED_ */
