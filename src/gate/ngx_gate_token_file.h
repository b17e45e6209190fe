
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A token in a file.  The file is read for each use, so that a new token is
 * used without a reload.
 */


#ifndef _NGX_GATE_TOKEN_FILE_H_INCLUDED_
#define _NGX_GATE_TOKEN_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The path ends with a zero.  NGX_OK: "given" is the token; NGX_DECLINED: it
 * is not; NGX_ERROR: there is no token, which is logged.  The time of the
 * comparison does not depend on the number of correct bytes.
 */

ngx_int_t ngx_gate_token_file_compare(ngx_str_t *path, ngx_str_t *given,
    ngx_log_t *log);

/* whether the file has a token; logged if not */

ngx_int_t ngx_gate_token_file_test(ngx_str_t *path, ngx_log_t *log);


#endif /* _NGX_GATE_TOKEN_FILE_H_INCLUDED_ */
