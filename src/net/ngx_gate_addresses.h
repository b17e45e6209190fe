
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Addresses that did not respond to a connection attempt in time, for this
 * process.  If a name has other addresses, these are tried last until one
 * responds.
 */


#ifndef _NGX_GATE_ADDRESSES_H_INCLUDED_
#define _NGX_GATE_ADDRESSES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* did not respond in time; responded */

void ngx_gate_addresses_silent(struct sockaddr *sockaddr, socklen_t socklen);
void ngx_gate_addresses_answered(struct sockaddr *sockaddr,
    socklen_t socklen);

/*
 * Sorts addresses in the order in which they are to be tried: IPv4 before
 * IPv6; those that did not respond come last, the most recent one at the end.
 */

void ngx_gate_addresses_order(ngx_sockaddr_t *addrs, socklen_t *socklens,
    ngx_uint_t n);

/* the time for one of n addresses: the last one gets all remaining time */

ngx_msec_t ngx_gate_addresses_share(ngx_msec_t deadline, ngx_uint_t n);


#endif /* _NGX_GATE_ADDRESSES_H_INCLUDED_ */
