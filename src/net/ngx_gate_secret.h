
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A password in a file, as provided by Docker, Kubernetes and systemd.  The
 * file is read for each use, so that a new password is used without a reload.
 */


#ifndef _NGX_GATE_SECRET_H_INCLUDED_
#define _NGX_GATE_SECRET_H_INCLUDED_


#include <ngx_gate.h>


#define NGX_GATE_SECRET_MAX  8192


/*
 * The path ends with a zero.  Reads the whole file, without trailing
 * newlines, into secret->data, which has NGX_GATE_SECRET_MAX bytes and is
 * wiped by the caller.  NGX_ERROR: "error" is set.
 */

ngx_int_t ngx_gate_secret_read(ngx_str_t *path, ngx_str_t *secret,
    ngx_gate_error_t *error);

/*
 * Reads the whole file as it is into content->data, which has content->len
 * bytes; the file must be smaller.
 */

ngx_int_t ngx_gate_secret_load(ngx_str_t *path, ngx_str_t *content,
    ngx_gate_error_t *error);


#endif /* _NGX_GATE_SECRET_H_INCLUDED_ */
