
/*
 * The rooms of the "file" check: what it was told (conf), what it keeps
 * (state), and one probe with its answer as it stands so far (run).
 */


#ifndef _NGX_GATE_FILE_H_INCLUDED_
#define _NGX_GATE_FILE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_tree.h>


typedef struct {
    ngx_str_t                 path;
    ngx_uint_t                absent;
    ngx_str_t                 contains;
    ngx_str_t                 pattern;      /* the text of match */
    void                     *match;        /* ngx_regex_t */
    off_t                     min_size;
    ngx_msec_t                max_age;
    ngx_uint_t                boot;         /* newer_than, one of the two */
    ngx_str_t                 newer_than;
    int64_t                   files;
    ngx_str_t                 glob;
    ngx_str_t                 failed;
    ngx_str_t                 progress;
} ngx_gate_file_conf_t;


/* what is kept from one probe to the next */

typedef struct {
    ngx_uint_t                misses;       /* of the marker, in a row */
    ngx_uint_t                dangling;
    int64_t                   observed;     /* as told last */
    int64_t                   expected;
    ngx_gate_tree_t          *tree;
} ngx_gate_file_state_t;


/* one probe, with the answer as it stands so far */

typedef struct {
    ngx_gate_probe_t         *probe;
    ngx_gate_file_conf_t     *conf;
    ngx_gate_file_state_t    *state;

    ngx_file_info_t           marker;
    ngx_uint_t                exists;

    ngx_int_t                 since_rc;     /* NGX_AGAIN: not asked yet */
    struct timespec           since;        /* what is not newer is stale */

    ngx_gate_verdict_e        verdict;
    ngx_gate_reason_e         reason;

    /* one more, so that what is cut is seen to be cut */
    u_char                   *last;
    u_char                    text[NGX_GATE_MESSAGE_MAX + 1];
} ngx_gate_file_run_t;


/* ngx_gate_file_marker.c: the target itself */

void ngx_gate_file_marker(ngx_gate_file_run_t *run);
void ngx_gate_file_missing(ngx_gate_file_run_t *run, ngx_err_t err);

/*
 * ngx_gate_file_beside.c: what the files beside it say.  NGX_OK from failed()
 * means that the answer is another one now.
 */

ngx_int_t ngx_gate_file_failed(ngx_gate_file_run_t *run);
void ngx_gate_file_progress(ngx_gate_file_run_t *run);

/* ngx_gate_file.c: asking the file system, and answering */

ngx_int_t ngx_gate_file_since(ngx_gate_file_run_t *run);
ngx_int_t ngx_gate_file_newer(struct timespec *a, struct timespec *b);
ngx_int_t ngx_gate_file_read(ngx_str_t *path, ngx_file_info_t *fi,
    ngx_str_t *head, char **call);
ngx_str_t *ngx_gate_file_kind(ngx_file_info_t *fi);
ngx_int_t ngx_gate_file_is_missing(ngx_err_t err);
void ngx_cdecl ngx_gate_file_say(ngx_gate_file_run_t *run,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason,
    const char *fmt, ...);
void ngx_cdecl ngx_gate_file_add(ngx_gate_file_run_t *run, const char *fmt,
    ...);
void ngx_gate_file_add_errno(ngx_gate_file_run_t *run, ngx_err_t err);
void ngx_gate_file_add_time(ngx_gate_file_run_t *run, time_t t);
void ngx_gate_file_error(ngx_gate_file_run_t *run, const char *call,
    ngx_str_t *path, ngx_err_t err);


#endif /* _NGX_GATE_FILE_H_INCLUDED_ */
