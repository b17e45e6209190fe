
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * "http://user:password@host:port/uri", https, and "http://unix:/path:/uri"
 * as in nginx; in the latter the scheme may be omitted.
 */


#ifndef _NGX_GATE_HTTP_URL_H_INCLUDED_
#define _NGX_GATE_HTTP_URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_endpoint.h>


/* strings are slices of the text parsed */

typedef struct {
    ngx_gate_endpoint_t       endpoint;
    ngx_str_t                 userinfo;     /* as written */
    ngx_str_t                 host;         /* for "Host:" */
    ngx_str_t                 uri;          /* begins with "/" or "?",
                                               or is empty */
    ngx_uint_t                tls;
} ngx_gate_http_url_t;


/* returns NULL or the error */

char *ngx_gate_http_url_parse(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text);


#endif /* _NGX_GATE_HTTP_URL_H_INCLUDED_ */
