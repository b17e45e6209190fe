
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Gates for HTTP requests: internal header of the files in this folder.
 */


#ifndef _NGX_HTTP_GATE_H_INCLUDED_
#define _NGX_HTTP_GATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_init_gate.h>
#include <ngx_gate_html.h>
#include <ngx_gate_wake.h>


typedef enum {
    NGX_HTTP_GATE_RESPONSE_AUTO = 0,
    NGX_HTTP_GATE_RESPONSE_JSON,
    NGX_HTTP_GATE_RESPONSE_HTML,
    NGX_HTTP_GATE_RESPONSE_OFF
} ngx_http_gate_response_e;


typedef enum {
    NGX_HTTP_GATE_FORMAT_AUTO = 0,
    NGX_HTTP_GATE_FORMAT_JSON,
    NGX_HTTP_GATE_FORMAT_HTML,
    NGX_HTTP_GATE_FORMAT_PROMETHEUS,
    NGX_HTTP_GATE_FORMAT_PROBLEM,
    NGX_HTTP_GATE_FORMAT_TEXT,
    NGX_HTTP_GATE_FORMAT_GRPC,
    NGX_HTTP_GATE_FORMAT_POLL
} ngx_http_gate_format_e;


/* parameters of init_page, in the order of ngx_http_gate_page_params */

typedef enum {
    NGX_HTTP_GATE_PAGE_LANG = 0,
    NGX_HTTP_GATE_PAGE_TITLE,
    NGX_HTTP_GATE_PAGE_MESSAGE,
    NGX_HTTP_GATE_PAGE_FAILED_TITLE,
    NGX_HTTP_GATE_PAGE_FAILED_MESSAGE,
    NGX_HTTP_GATE_PAGE_LOGO,
    NGX_HTTP_GATE_PAGE_COLOR,
    NGX_HTTP_GATE_PAGE_DETAILS,
    NGX_HTTP_GATE_PAGE_PARAMS
} ngx_http_gate_page_param_e;


#define NGX_HTTP_GATE_RETRY_AUTO  ((time_t) -2)
#define NGX_HTTP_GATE_RETRY_OFF   ((time_t) -3)


typedef struct {
    ngx_init_gate_conf_t       *core;
    ngx_uint_t                  used;       /* by at least one location */
    ngx_array_t                 lists;      /* of ngx_http_gate_list_t * */
    ngx_array_t                 holds;      /* of ngx_http_gate_mark_t * */
    ngx_array_t                 posts;      /* of ngx_http_gate_post_conf_t * */
    ngx_array_t                 servers;    /* of ngx_gate_servers_t * */
    ngx_array_t                 passes;     /* of ..._upstream_passes_t */

    /* of this process */
    ngx_queue_t                 held_queue;
    ngx_queue_t                 decided_queue;
    ngx_uint_t                  nheld;
    ngx_queue_t                 wait_queue; /* by "Prefer: wait=N" */
    ngx_queue_t                 over_queue;
    ngx_uint_t                  nwaits;
    ngx_event_t                 poll_event; /* while requests are held, or
                                               wait */
    ngx_atomic_uint_t           seen_changes;
    ngx_gate_wake_t             wake;

    ngx_queue_t                 awaiting_queue;
    ngx_gate_wake_t             await_wake;
    ngx_event_t                 await_event;
} ngx_http_gate_main_conf_t;


/* ngx_http_header_filter() appends the charset only to a plain type */

typedef struct {
    ngx_str_t                   value;
    size_t                      len;        /* length without parameters */
    ngx_str_t                   charset;
} ngx_http_gate_type_t;

#define ngx_http_gate_type(type, params, charset)                             \
    { ngx_string(type params), sizeof(type) - 1, ngx_string(charset) }


/* "init_gate a b": the names, their place in the configuration, the gates */

typedef struct {
    ngx_array_t                *names;      /* of ngx_str_t; none: all */
    ngx_str_t                   file;
    ngx_uint_t                  line;
    ngx_gate_t                **gates;      /* terminated by NULL */
    ngx_uint_t                  shows;      /* format= of init_status */
} ngx_http_gate_list_t;


/* the place of a directive, and whether a gate applies there */

typedef struct {
    ngx_str_t                   file;
    ngx_uint_t                  line;
    ngx_uint_t                  used;
} ngx_http_gate_mark_t;


/* init_notify or init_control */

typedef struct {
    const char                 *directive;
    ngx_str_t                   token_file;
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_http_gate_post_conf_t;


/* a location that passes requests to an upstream group */

typedef struct ngx_http_gate_loc_conf_s  ngx_http_gate_loc_conf_t;

typedef struct {
    ngx_str_t                  *name;
    void                       *upstream;
    ngx_http_gate_loc_conf_t   *conf;
} ngx_http_gate_upstream_passes_t;


/* a value of $init_gate_decision that identifies the location passed */

typedef struct {
    u_char                      text[8];
    ngx_http_gate_loc_conf_t   *conf;
} ngx_http_gate_passed_t;


struct ngx_http_gate_loc_conf_s {
    ngx_gate_t                **gates;      /* required gates, or NULL */
    ngx_int_t                   decision;   /* index of a variable */
    ngx_http_variable_value_t   passed_value;
    ngx_http_gate_passed_t      passed;

    ngx_http_gate_list_t       *gate_list;       /* of init_gate */
    ngx_http_gate_list_t       *status_list;     /* init_status, init_ready */
    ngx_http_gate_post_conf_t  *post;       /* init_notify, init_control */
    ngx_http_handler_pt         handler;    /* of one of these */
    ngx_flag_t                  subpaths;   /* the URI may contain the name
                                               of a check */

    ngx_msec_t                  hold;       /* 0: off */
    ngx_uint_t                  hold_max;   /* 0: default */
    ngx_http_gate_mark_t       *hold_mark;
    ngx_uint_t                  response;
    time_t                      retry_after;

    ngx_http_complex_value_t   *page[NGX_HTTP_GATE_PAGE_PARAMS];

    ngx_uint_t                  format;
    ngx_flag_t                  details;
};


/* context of a request that met a closed gate */

typedef struct ngx_http_gate_held_s  ngx_http_gate_held_t;
typedef struct ngx_http_gate_wait_s  ngx_http_gate_wait_t;

typedef struct {
    ngx_http_request_t         *request;
    ngx_gate_t                 *gate;       /* the closed gate */
    ngx_http_gate_loc_conf_t   *passed_conf;     /* of the location passed */
    union {
        ngx_http_gate_held_t   *entry;      /* while it is held */
        ngx_http_gate_wait_t   *wait;       /* of the waiting page, which is
                                               never held */
    };
    ngx_array_t                *counted;    /* gates, see ..._gate_count.c */
    ngx_msec_t                  start_msec;
    ngx_msec_t                  held_msec;
    unsigned                    queued:1;
    unsigned                    was_held:1;
    unsigned                    refused:1;
    unsigned                    saved:1;
} ngx_http_gate_ctx_t;


struct ngx_http_gate_held_s {
    ngx_queue_t                 queue;
    ngx_event_t                 timer;      /* timeout of the hold */
    ngx_http_gate_ctx_t        *ctx;
};


/* called by ngx_init_gate_module; without an http block, too */

ngx_int_t ngx_http_init_gate_bind(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf);
void ngx_http_init_gate_commit(ngx_cycle_t *cycle);
void ngx_http_init_gate_init_process(ngx_cycle_t *cycle);
void ngx_http_init_gate_exit_process(ngx_cycle_t *cycle);

/* conf */

void ngx_http_gate_warn(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf);
void ngx_http_gate_warn_no_http(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf);
void ngx_http_gate_warn_replaced(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf);
void ngx_http_gate_warn_beside(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf);

char *ngx_http_gate_conf_init_gate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_hold(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_response(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_retry_after(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_ready(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_notify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gate_conf_init_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_uint_t ngx_http_gate_conf_has_post(ngx_http_gate_main_conf_t *gmcf,
    const char *directive);
ngx_int_t ngx_http_gate_conf_resolve(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf);

/* handler */

ngx_int_t ngx_http_gate_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gate_handler_pass(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf);

/* ctx */

ngx_http_gate_ctx_t *ngx_http_gate_ctx_get(ngx_http_request_t *r);
ngx_http_gate_ctx_t *ngx_http_gate_ctx_create(ngx_http_request_t *r);
ngx_int_t ngx_http_gate_ctx_save(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);

/* closed */

ngx_int_t ngx_http_gate_closed_handler(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_gate_t *gate);
ngx_gate_t *ngx_http_gate_closed_find(ngx_gate_t **gates);
void ngx_http_gate_closed_resume(ngx_http_gate_ctx_t *ctx);

/* hold */

void ngx_http_gate_hold_init(ngx_http_gate_main_conf_t *gmcf, ngx_log_t *log);
void ngx_http_gate_hold_watch(ngx_http_gate_main_conf_t *gmcf);
void ngx_http_gate_hold_end_all(ngx_http_gate_main_conf_t *gmcf);
ngx_msec_int_t ngx_http_gate_hold_time_left(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_gate_t *gate);
ngx_int_t ngx_http_gate_hold_request(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_msec_t time_left);

/* wait, see ngx_http_gate_wait.h */

ngx_uint_t ngx_http_gate_wait_look(ngx_http_gate_main_conf_t *gmcf);
void ngx_http_gate_wait_end_all(ngx_http_gate_main_conf_t *gmcf);

/* count */

ngx_int_t ngx_http_gate_count_redirected(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf);
ngx_int_t ngx_http_gate_count_passed(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_http_gate_loc_conf_t *glcf);
void ngx_http_gate_count_withdraw(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_http_gate_loc_conf_t *glcf);

/* response */

ngx_int_t ngx_http_gate_response_refuse(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
ngx_int_t ngx_http_gate_response_no_store(ngx_http_request_t *r);
ngx_int_t ngx_http_gate_response_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_gate_type_t *type, ngx_str_t *parts, ngx_uint_t n);

/* page */

char *ngx_http_gate_page_init_page(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_gate_page_merge(ngx_http_gate_loc_conf_t *prev,
    ngx_http_gate_loc_conf_t *conf);
ngx_int_t ngx_http_gate_page_render(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_gate_html_parts_t *parts);

/* prefer */

ngx_int_t ngx_http_gate_prefer_wait(ngx_http_request_t *r);
ngx_uint_t ngx_http_gate_prefer_page(ngx_http_request_t *r);
ngx_str_t *ngx_http_gate_prefer_header(ngx_http_request_t *r,
    ngx_str_t *name);

/* accept */

/*
 * Formats offered: JSON, problem and page for a refusal; metrics and text,
 * too, for status and readiness.  If the client has no preference, the first
 * one is used.
 */

#define NGX_HTTP_GATE_ACCEPT_REFUSAL  3
#define NGX_HTTP_GATE_ACCEPT_STATUS   5

ngx_http_gate_format_e ngx_http_gate_accept_format(ngx_str_t *value,
    ngx_uint_t offers);

/* fast path: the most common values of Accept */

#define ngx_http_gate_accept_is_any(r)                                        \
    ((r)->headers_in.accept == NULL                                           \
     || ((r)->headers_in.accept->value.len == 3                               \
         && ngx_memcmp((r)->headers_in.accept->value.data, "*/*", 3) == 0))

/* sent by the script of the waiting page */

#define NGX_HTTP_GATE_ACCEPT_POLL  "text/html;part=init-gate"

/* the same, quickly, of a request that has been refused */

#define ngx_http_gate_ctx_is_poll(ctx)                                        \
    ((ctx)->wait && !(ctx)->was_held)

#define ngx_http_gate_accept_is_poll(r)                                       \
    ((r)->headers_in.accept                                                   \
     && (r)->headers_in.accept->value.len                                     \
        == sizeof(NGX_HTTP_GATE_ACCEPT_POLL) - 1                              \
     && ngx_memcmp((r)->headers_in.accept->value.data,                        \
                   NGX_HTTP_GATE_ACCEPT_POLL,                                 \
                   sizeof(NGX_HTTP_GATE_ACCEPT_POLL) - 1) == 0)

/* status and readiness: content handlers */

ngx_int_t ngx_http_gate_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gate_ready_handler(ngx_http_request_t *r);

extern ngx_conf_enum_t  ngx_http_gate_conf_formats[];

/* notices and control: content handlers, and requests that wait for the
   prober */

ngx_int_t ngx_http_gate_notify_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_gate_control_handler(ngx_http_request_t *r);

void ngx_http_gate_await_init(ngx_http_gate_main_conf_t *gmcf,
    ngx_log_t *log);
void ngx_http_gate_await_exit(ngx_http_gate_main_conf_t *gmcf);

/* variables */

ngx_int_t ngx_http_gate_variables_add(ngx_conf_t *cf);


extern ngx_module_t  ngx_http_init_gate_module;


/* inline for the common case that the list has room: a refusal adds four */

static ngx_inline ngx_table_elt_t *
ngx_http_gate_add_header(ngx_http_request_t *r)
{
    ngx_list_t       *headers;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    headers = &r->headers_out.headers;
    part = headers->last;

    if (part->nelts < headers->nalloc) {
        h = (ngx_table_elt_t *) part->elts + part->nelts++;

    } else {
        h = ngx_list_push(headers);
        if (h == NULL) {
            return NULL;
        }
    }

    h->hash = 1;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


#endif /* _NGX_HTTP_GATE_H_INCLUDED_ */
