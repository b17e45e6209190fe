
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * c-ares with the events of nginx.  A process has one channel for /etc/hosts,
 * and one for each list of name servers; a channel is recreated when its file
 * has changed.
 */


#ifndef _NGX_GATE_RESOLVER_CHANNEL_H_INCLUDED_
#define _NGX_GATE_RESOLVER_CHANNEL_H_INCLUDED_


#include <ngx_gate_resolver.h>
#include <ngx_gate_resolver_search.h>

#include <ares.h>


typedef struct ngx_gate_resolver_channel_s  ngx_gate_resolver_channel_t;


/* valid until control returns to the event loop; NULL: no memory */

ngx_gate_resolver_channel_t *ngx_gate_resolver_channel_hosts(void);
ngx_gate_resolver_channel_t *ngx_gate_resolver_channel_servers(
    ngx_gate_resolver_t *resolver);

/* unique within a process */

ngx_uint_t ngx_gate_resolver_channel_number(
    ngx_gate_resolver_channel_t *channel);

ngx_gate_resolver_search_t *ngx_gate_resolver_channel_search(
    ngx_gate_resolver_channel_t *channel);

/*
 * The callback is called exactly once, possibly before the function returns:
 * for /etc/hosts always.  It must not start another query.
 *
 * ARES_EDESTRUCTION: the channel was recreated or destroyed; the reason is
 * NGX_GATE_OK or NGX_GATE_NO_CONNECTIONS.
 */

void ngx_gate_resolver_channel_ask(ngx_gate_resolver_channel_t *channel,
    const char *name, int family, ares_addrinfo_callback callback, void *arg);
ngx_gate_reason_e ngx_gate_resolver_channel_reason(void);

void ngx_gate_resolver_channel_exit(void);


#endif /* _NGX_GATE_RESOLVER_CHANNEL_H_INCLUDED_ */
