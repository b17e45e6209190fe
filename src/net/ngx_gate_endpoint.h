
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where to connect to, as text: "host:port", "[::1]:6379", "unix:/path", and
 * numeric addresses.  No resolving, no allocation, no state.
 */


#ifndef _NGX_GATE_ENDPOINT_H_INCLUDED_
#define _NGX_GATE_ENDPOINT_H_INCLUDED_


#include <ngx_gate.h>


#define NGX_GATE_ENDPOINT_HOST_MAX  253    /* maximum length of a DNS name */


typedef struct ngx_gate_tls_s  ngx_gate_tls_t;


/* strings are slices of the text parsed */

struct ngx_gate_endpoint_s {
    ngx_str_t                 text;        /* for messages, without secrets */
    ngx_str_t                 host;        /* a name or an address, without
                                              brackets ... */
    in_port_t                 port;
    ngx_str_t                 path;        /* ... or the path of a socket */
    ngx_gate_tls_t           *tls;         /* NULL: no TLS */
};


/*
 * At configuration: "host:port", "[::1]:6379", "unix:/path"; sets text, host,
 * port, path.  Without a default_port, a port is required.  Never resolves.
 * Returns NULL or the error.
 */

char *ngx_gate_endpoint_parse(ngx_conf_t *cf, ngx_gate_endpoint_t *endpoint,
    ngx_str_t *text, in_port_t default_port);

/* of a probe: that of the check, or of a server with the check's TLS */

ngx_gate_endpoint_t *ngx_gate_endpoint_of(ngx_gate_probe_t *probe,
    ngx_gate_endpoint_t *endpoint);

/* NGX_OK, or NGX_DECLINED if the text is not a numeric address */

ngx_int_t ngx_gate_endpoint_parse_address(ngx_str_t *text, in_port_t port,
    ngx_sockaddr_t *sa, socklen_t *socklen);


#endif /* _NGX_GATE_ENDPOINT_H_INCLUDED_ */
