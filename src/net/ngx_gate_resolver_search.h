
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The search list of /etc/resolv.conf.  The search of c-ares is not used: it
 * ends at the first failure of a name server, unlike that of the C library,
 * and may find the two address families of a name in different domains.
 */


#ifndef _NGX_GATE_RESOLVER_SEARCH_H_INCLUDED_
#define _NGX_GATE_RESOLVER_SEARCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GATE_RESOLVER_SEARCH_FILE  16384
#define NGX_GATE_RESOLVER_SEARCH_MAX   32      /* the limit of Kubernetes */


typedef struct {
    ngx_str_t                 domains[NGX_GATE_RESOLVER_SEARCH_MAX];
    ngx_uint_t                ndomains;
    ngx_uint_t                ndots;
    ngx_uint_t                nservers;     /* in the file */
    u_char                    text[NGX_GATE_RESOLVER_SEARCH_FILE];
} ngx_gate_resolver_search_t;


/* an unreadable file is empty; without a list: the domain of the host */

void ngx_gate_resolver_search_read(ngx_gate_resolver_search_t *search,
    const char *path);

/* number of bytes of text; the domains are slices of it */

void ngx_gate_resolver_search_parse(ngx_gate_resolver_search_t *search,
    size_t len);

/*
 * The nth name to query, absolute, into buf of NGX_GATE_ENDPOINT_HOST_MAX + 2
 * bytes.  NGX_DECLINED: too long; NGX_DONE: there is no other name.
 */

ngx_int_t ngx_gate_resolver_search_name(ngx_gate_resolver_search_t *search,
    ngx_str_t *name, ngx_uint_t n, u_char *buf);


#endif /* _NGX_GATE_RESOLVER_SEARCH_H_INCLUDED_ */
