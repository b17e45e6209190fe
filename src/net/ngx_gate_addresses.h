
/*
 * The addresses that have swallowed a connection, as this process remembers
 * them: those of a name that has others are tried last, until one of them
 * answers.
 */


#ifndef _NGX_GATE_ADDRESSES_H_INCLUDED_
#define _NGX_GATE_ADDRESSES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* did not answer in time; answered */

void ngx_gate_addresses_silent(struct sockaddr *sockaddr, socklen_t socklen);
void ngx_gate_addresses_answered(struct sockaddr *sockaddr,
    socklen_t socklen);

/*
 * The order in which they are to be tried: the one that fell silent last comes
 * last, and otherwise IPv4 before IPv6.
 */

void ngx_gate_addresses_order(ngx_sockaddr_t *addrs, socklen_t *socklens,
    ngx_uint_t n);

/* the time for one of n addresses: the last one may have all that is left */

ngx_msec_t ngx_gate_addresses_share(ngx_msec_t deadline, ngx_uint_t n);


#endif /* _NGX_GATE_ADDRESSES_H_INCLUDED_ */
