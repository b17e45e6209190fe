
/*
 * A password kept in a file, as Docker, Kubernetes and systemd hand it over.
 * It is read each time it is needed, so that a new one is used without a
 * reload; the file system is asked for nothing that may take its time.
 */


#ifndef _NGX_GATE_SECRET_H_INCLUDED_
#define _NGX_GATE_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GATE_SECRET_MAX  8192


/*
 * The path ends with a zero.  Takes the whole file but for newlines at its
 * end.  "secret" is written to secret->data, NGX_GATE_SECRET_MAX bytes, which
 * the caller wipes.  NULL, or the end of what was written to "error".
 */

u_char *ngx_gate_secret_read(ngx_str_t *path, ngx_str_t *secret,
    u_char *error, u_char *last);

/*
 * The same for a file that is taken as it is, of less than content->len bytes,
 * which are at content->data
 */

u_char *ngx_gate_secret_load(ngx_str_t *path, ngx_str_t *content,
    u_char *error, u_char *last);


#endif /* _NGX_GATE_SECRET_H_INCLUDED_ */
