
/*
 * What /etc/hosts and /etc/resolv.conf say.  Pure parsers: bytes in, slices
 * of them out.
 */


#ifndef _NGX_GATE_HOST_FILES_H_INCLUDED_
#define _NGX_GATE_HOST_FILES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GATE_SERVERS_MAX  3     /* as many as the C library looks at */
#define NGX_GATE_SEARCH_MAX   32    /* what Kubernetes allows */


typedef struct {
    ngx_str_t                 servers[NGX_GATE_SERVERS_MAX];
    ngx_uint_t                nservers;
    ngx_str_t                 search[NGX_GATE_SEARCH_MAX];
    ngx_uint_t                nsearch;
    ngx_uint_t                ndots;
} ngx_gate_resolv_conf_t;


void ngx_gate_resolv_conf_parse(ngx_gate_resolv_conf_t *conf, u_char *data,
    size_t len);

/* the addresses of the name, port 0; at most max of them; returns how many */

ngx_uint_t ngx_gate_hosts_find(u_char *data, size_t len, ngx_str_t *name,
    ngx_sockaddr_t *addrs, socklen_t *socklens, ngx_uint_t max);


#endif /* _NGX_GATE_HOST_FILES_H_INCLUDED_ */
