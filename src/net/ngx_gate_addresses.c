
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Addresses that did not respond; see ngx_gate_addresses.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_addresses.h>


#define NGX_GATE_ADDRESSES_MAX  128


typedef struct {
    ngx_sockaddr_t            sa;
    socklen_t                 socklen;
    uint64_t                  since;      /* counted; 0: free */
} ngx_gate_addresses_entry_t;


static ngx_gate_addresses_entry_t *ngx_gate_addresses_find(
    struct sockaddr *sockaddr, socklen_t socklen);
static ngx_uint_t ngx_gate_addresses_is_before(ngx_sockaddr_t *a,
    socklen_t alen, ngx_sockaddr_t *b, socklen_t blen);


/* when the table is full, the oldest entry is replaced */

static ngx_gate_addresses_entry_t  ngx_gate_addresses[NGX_GATE_ADDRESSES_MAX];
static uint64_t                    ngx_gate_addresses_count;


void
ngx_gate_addresses_silent(struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_uint_t                   i;
    ngx_gate_addresses_entry_t  *entry;

    entry = ngx_gate_addresses_find(sockaddr, socklen);

    if (entry == NULL) {
        entry = &ngx_gate_addresses[0];

        for (i = 1; i < NGX_GATE_ADDRESSES_MAX; i++) {
            if (ngx_gate_addresses[i].since < entry->since) {
                entry = &ngx_gate_addresses[i];
            }
        }

        ngx_memcpy(&entry->sa, sockaddr, socklen);
        entry->socklen = socklen;
    }

    entry->since = ++ngx_gate_addresses_count;
}


void
ngx_gate_addresses_answered(struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_gate_addresses_entry_t  *entry;

    entry = ngx_gate_addresses_find(sockaddr, socklen);

    if (entry) {
        entry->since = 0;
    }
}


static ngx_gate_addresses_entry_t *
ngx_gate_addresses_find(struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_uint_t                   i;
    ngx_gate_addresses_entry_t  *entry;

    for (i = 0; i < NGX_GATE_ADDRESSES_MAX; i++) {
        entry = &ngx_gate_addresses[i];

        if (entry->since
            && ngx_cmp_sockaddr(&entry->sa.sockaddr, entry->socklen, sockaddr,
                                socklen, 1)
               == NGX_OK)
        {
            return entry;
        }
    }

    return NULL;
}


void
ngx_gate_addresses_order(ngx_sockaddr_t *addrs, socklen_t *socklens,
    ngx_uint_t n)
{
    socklen_t       socklen;
    ngx_uint_t      i, k;
    ngx_sockaddr_t  sa;

    for (i = 1; i < n; i++) {
        sa = addrs[i];
        socklen = socklens[i];

        for (k = i; k > 0; k--) {

            if (!ngx_gate_addresses_is_before(&sa, socklen, &addrs[k - 1],
                                              socklens[k - 1]))
            {
                break;
            }

            addrs[k] = addrs[k - 1];
            socklens[k] = socklens[k - 1];
        }

        addrs[k] = sa;
        socklens[k] = socklen;
    }
}


static ngx_uint_t
ngx_gate_addresses_is_before(ngx_sockaddr_t *a, socklen_t alen,
    ngx_sockaddr_t *b, socklen_t blen)
{
    uint64_t                     since_a, since_b;
    ngx_gate_addresses_entry_t  *entry;

    entry = ngx_gate_addresses_find(&a->sockaddr, alen);
    since_a = entry ? entry->since : 0;

    entry = ngx_gate_addresses_find(&b->sockaddr, blen);
    since_b = entry ? entry->since : 0;

    if (since_a != since_b) {
        return since_a < since_b;
    }

    return a->sockaddr.sa_family == AF_INET
           && b->sockaddr.sa_family != AF_INET;
}


ngx_msec_t
ngx_gate_addresses_share(ngx_msec_t deadline, ngx_uint_t n)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);

    return (ngx_msec_t) ngx_max(left / (ngx_msec_int_t) n, 1);
}
