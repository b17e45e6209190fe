
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The "file" check: its configuration (conf), its data that persist between
 * probes (state), and one probe with its result so far (ctx).
 */


#ifndef _NGX_GATE_CHECK_FILE_H_INCLUDED_
#define _NGX_GATE_CHECK_FILE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_check_file_tree.h>
#include <ngx_gate_check_file_watch.h>


typedef struct {
    ngx_str_t                 path;
    ngx_uint_t                absent;
    ngx_str_t                 contains;
    ngx_str_t                 pattern;      /* text of contains or match */
    void                     *match;        /* ngx_regex_t */
    off_t                     min_size;
    ngx_msec_t                max_age;
    ngx_uint_t                boot;         /* newer_than=boot, or a path */
    ngx_str_t                 newer_than;
    int64_t                   files;
    ngx_str_t                 glob;
    ngx_str_t                 failed;
    ngx_str_t                 progress;
} ngx_gate_check_file_conf_t;


/* persists between probes */

typedef struct {
    ngx_uint_t                   misses;    /* of the marker, consecutive */
    ngx_uint_t                   dangling;
    int64_t                      observed;  /* reported last */
    int64_t                      expected;
    ngx_gate_check_file_tree_t  *tree;
    ngx_uint_t                   large;     /* more than one slice of it */
    ngx_gate_check_file_watch_t  watch;
    ngx_uint_t                   initialized;
} ngx_gate_check_file_state_t;


/* one probe and its result */

typedef struct {
    ngx_gate_probe_t             *probe;
    ngx_gate_check_file_conf_t   *conf;
    ngx_gate_check_file_state_t  *state;

    ngx_file_info_t               marker;
    ngx_uint_t                    exists;

    ngx_int_t                     since_rc; /* NGX_AGAIN: not read yet */
    struct timespec               since;    /* older is stale */

    ngx_gate_verdict_e            verdict;
    ngx_gate_reason_e             reason;

    /* one byte more, so that truncation is detected */
    u_char                       *last;
    u_char                        text[NGX_GATE_MESSAGE_MAX + 1];
} ngx_gate_check_file_ctx_t;


/* ngx_gate_check_file_marker.c: the target itself */

void ngx_gate_check_file_marker(ngx_gate_check_file_ctx_t *ctx);
void ngx_gate_check_file_marker_missing(ngx_gate_check_file_ctx_t *ctx,
    ngx_err_t err);

/*
 * ngx_gate_check_file_progress.c: the files "failed" and "progress". failed()
 * returns NGX_OK if it has set a result.
 */

ngx_int_t ngx_gate_check_file_progress_failed(ngx_gate_check_file_ctx_t *ctx);
void ngx_gate_check_file_progress(ngx_gate_check_file_ctx_t *ctx);

/* ngx_gate_check_file_io.c: reading from the file system */

ngx_int_t ngx_gate_check_file_io_since(ngx_gate_check_file_ctx_t *ctx);
ngx_int_t ngx_gate_check_file_io_is_newer(struct timespec *a,
    struct timespec *b);
ngx_int_t ngx_gate_check_file_io_read(ngx_str_t *path, ngx_file_info_t *fi,
    ngx_str_t *head, char **call);
ngx_str_t *ngx_gate_check_file_io_type(ngx_file_info_t *fi);
ngx_int_t ngx_gate_check_file_io_is_missing(ngx_err_t err);

/* ngx_gate_check_file_result.c: the result and its message */

void ngx_cdecl ngx_gate_check_file_result(ngx_gate_check_file_ctx_t *ctx,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason,
    const char *fmt, ...);
void ngx_cdecl ngx_gate_check_file_result_add(ngx_gate_check_file_ctx_t *ctx,
    const char *fmt, ...);
void ngx_gate_check_file_result_add_errno(ngx_gate_check_file_ctx_t *ctx,
    ngx_err_t err);
void ngx_gate_check_file_result_add_time(ngx_gate_check_file_ctx_t *ctx,
    time_t t);
void ngx_gate_check_file_result_error(ngx_gate_check_file_ctx_t *ctx,
    const char *call, ngx_str_t *path, ngx_err_t err);


#endif /* _NGX_GATE_CHECK_FILE_H_INCLUDED_ */
