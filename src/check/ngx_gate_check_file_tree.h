
/*
 * Counts the regular files of a directory tree in slices, so that the event
 * loop gets its turn however large the tree is.
 */


#ifndef _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_
#define _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_


#include <ngx_gate.h>
#include <dirent.h>


/* one open directory for each level; what lies deeper is not counted */

#define NGX_GATE_CHECK_FILE_TREE_DEPTH  64


typedef struct {
    DIR                      *dir;
    size_t                    len;         /* of its path */
} ngx_gate_check_file_tree_level_t;


typedef struct ngx_gate_check_file_tree_s  ngx_gate_check_file_tree_t;

struct ngx_gate_check_file_tree_s {
    void                     *ident[4];    /* a connection, for debug logs */

    /* in */
    ngx_str_t                *root;        /* ends in a zero byte */
    ngx_str_t                *glob;        /* too; empty: any name */
    int64_t                   limit;       /* stop there */
    ngx_msec_t                deadline;    /* pause then, complete or not */
    ngx_log_t                *log;
    void                     *data;
    void                    (*handler)(ngx_gate_check_file_tree_t *tree,
                                       ngx_int_t rc);

    /* out: "path" is the one at fault, of the error or the first closed */
    int64_t                   found;
    ngx_err_t                 err;
    char                     *call;        /* that failed with err */
    ngx_uint_t                denied;      /* directories we may not read */
    ngx_uint_t                too_deep;    /* directories beyond the depth */
    size_t                    path_len;
    u_char                    path[NGX_GATE_MESSAGE_MAX];

    /* private */
    ngx_uint_t                depth;       /* 0: no walk is under way */
    ngx_gate_check_file_tree_level_t  levels[NGX_GATE_CHECK_FILE_TREE_DEPTH];
    size_t                    current_len;
    u_char                    current[NGX_GATE_MESSAGE_MAX];
    ngx_event_t               event;
};


/*
 * Begins to count, or goes on where the deadline had interrupted it.
 *
 * NGX_OK: there are enough, or all have been counted.  NGX_DECLINED: the
 * deadline came first, found is what there is so far.  NGX_ERROR: see err.
 * NGX_AGAIN: the handler will be called with one of these, once.
 */

ngx_int_t ngx_gate_check_file_tree_count(ngx_gate_check_file_tree_t *tree);

/* gives up the walk, if there is one, and lets go of its directories */

void ngx_gate_check_file_tree_close(ngx_gate_check_file_tree_t *tree);


#endif /* _NGX_GATE_CHECK_FILE_TREE_H_INCLUDED_ */
