
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counts the regular files of a directory tree in slices, so that the event
 * loop is not blocked, whatever the size of the tree.
 */


#ifndef _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_
#define _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_


#include <ngx_gate.h>
#include <dirent.h>


/* one open directory for each level; deeper levels are not counted */

#define NGX_GATE_CHECK_FILE_TREE_DEPTH  64


typedef struct {
    DIR                      *dir;
    size_t                    len;         /* of the path */
} ngx_gate_check_file_tree_level_t;


typedef struct ngx_gate_check_file_tree_s  ngx_gate_check_file_tree_t;

struct ngx_gate_check_file_tree_s {
    void                     *ident[4];    /* dummy connection, for debug
                                              logs */

    /* in */
    ngx_str_t                *root;        /* terminated by a zero byte */
    ngx_str_t                *glob;        /* the same; empty: any name */
    int64_t                   limit;       /* number to stop at */
    ngx_msec_t                deadline;    /* pause then, even if incomplete */
    ngx_log_t                *log;
    void                     *data;
    void                    (*handler)(ngx_gate_check_file_tree_t *tree,
                                       ngx_int_t rc);

    /* out: "path" is that of the error, or of the first unreadable directory */
    int64_t                   found;
    ngx_err_t                 err;
    char                     *call;        /* the call that failed with err */
    ngx_uint_t                denied;      /* unreadable directories */
    ngx_uint_t                too_deep;    /* directories below the maximum
                                              depth */
    size_t                    path_len;
    u_char                    path[NGX_GATE_MESSAGE_MAX];

    /* private */
    ngx_uint_t                depth;       /* 0: not counting */
    ngx_gate_check_file_tree_level_t  levels[NGX_GATE_CHECK_FILE_TREE_DEPTH];
    size_t                    current_len;
    u_char                    current[NGX_GATE_MESSAGE_MAX];
    ngx_event_t               event;
};


/*
 * Starts to count, or continues if the deadline has interrupted it.
 *
 * NGX_OK: the limit is reached, or all files are counted.  NGX_DECLINED: the
 * deadline was reached, "found" is incomplete.  NGX_ERROR: see err.
 * NGX_AGAIN: the handler will be called once with one of these.
 */

ngx_int_t ngx_gate_check_file_tree_count(ngx_gate_check_file_tree_t *tree);

/* cancels counting, if in progress, and closes its directories */

void ngx_gate_check_file_tree_close(ngx_gate_check_file_tree_t *tree);


#endif /* _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_ */
