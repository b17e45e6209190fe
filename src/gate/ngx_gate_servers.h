
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The servers of an upstream group: their shared memory, which persists over
 * reloads.  It records which servers are in; each generation of workers has
 * its own servers in nginx and applies this record to them.
 *
 * One process writes at a time: the prober of the newest configuration.  The
 * state of a server is one word with a count of its changes, so that a store
 * by a process that has lost the zone fails.
 */


#ifndef _NGX_GATE_SERVERS_H_INCLUDED_
#define _NGX_GATE_SERVERS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>


#define NGX_GATE_SERVERS_CAPACITY      1024
#define NGX_GATE_SERVERS_CAPACITY_MAX  65536
#define NGX_GATE_SERVERS_NAME_MAX      256

/* the state of a server, from the lowest bit on */

#define NGX_GATE_SERVERS_USED          0x01    /* the index is in use */
#define NGX_GATE_SERVERS_IN            0x02    /* the server gets requests */
#define NGX_GATE_SERVERS_ASKED         0x04    /* it was probed */
#define NGX_GATE_SERVERS_BITS          0x07
#define NGX_GATE_SERVERS_COUNT         0x08


/* a server in the group of nginx */

typedef struct {
    struct sockaddr          *sockaddr;
    socklen_t                 socklen;
    ngx_str_t                 address;
    ngx_str_t                 name;         /* as configured */
} ngx_gate_servers_peer_t;


typedef struct {
    ngx_gate_check_slots_t    slots;
    volatile int64_t          since;        /* ms since the epoch */
    socklen_t                 socklen;
    ngx_sockaddr_t            sockaddr;
    size_t                    address_len;
    size_t                    name_len;
    u_char                    address[NGX_SOCKADDR_STRLEN];
    u_char                    name[NGX_GATE_SERVERS_NAME_MAX];
} ngx_gate_server_t;


typedef struct {
    ngx_atomic_t              version;      /* of the set of servers that are
                                               in */
    ngx_atomic_t              forced;       /* all servers are in */
    ngx_uint_t                capacity;
    ngx_atomic_t              nused;        /* highest index in use, plus 1 */
    ngx_atomic_t             *states;
    uint32_t                 *hashes;
    ngx_gate_server_t        *servers;
} ngx_gate_servers_zone_t;


typedef void (*ngx_gate_servers_handler_pt)(void *data,
    ngx_gate_servers_peer_t *peer);


/* the servers of a check, as configured */

struct ngx_gate_servers_s {
    ngx_str_t                 group;
    ngx_gate_check_t         *check;
    ngx_uint_t                min;
    ngx_uint_t                all;          /* instead of "min" */
    ngx_uint_t                configured;   /* number in the configuration */
    ngx_uint_t                capacity;
    ngx_uint_t                once;
    in_port_t                 port;         /* 0: the port of each server */
    ngx_uint_t                dynamic;      /* addresses can change */

    ngx_uint_t                generation;   /* of the configuration */
    volatile ngx_atomic_t    *newest;       /* generation */

    ngx_shm_zone_t           *shm_zone;
    char                     *prefix;       /* of its name */
    ngx_gate_servers_zone_t  *zone;
    ngx_atomic_uint_t         applied;      /* version applied by this
                                               process */

    /* access to the servers in nginx */
    void                     *upstream;
    void                    (*list)(ngx_gate_servers_t *servers,
                                    ngx_gate_servers_handler_pt handler,
                                    void *data);
    void                    (*apply)(ngx_gate_servers_t *servers);
};


typedef struct {
    ngx_uint_t                known;
    ngx_uint_t                in;
    ngx_uint_t                asked;
} ngx_gate_servers_count_t;


/* a copy of a server */

typedef struct {
    ngx_uint_t                in;
    int64_t                   since;
    ngx_str_t                 address;
    ngx_str_t                 name;
    ngx_gate_check_record_t   record;
} ngx_gate_servers_report_t;


/* configuration, shared memory, reload */

ngx_shm_zone_t *ngx_gate_servers_add(ngx_conf_t *cf,
    ngx_gate_servers_t *servers, void *tag);

/* called when the reload is committed; old is the previous zone, or NULL */

void ngx_gate_servers_commit(ngx_gate_servers_t *servers, ngx_shm_zone_t *old);

/*
 * Adds new servers and removes those that are gone.  Returns the number of
 * servers beyond the capacity.  A new server is in if "is_in" returns true;
 * NULL: it is out.
 */

ngx_uint_t ngx_gate_servers_sync(ngx_gate_servers_t *servers,
    ngx_uint_t (*is_in)(ngx_gate_servers_peer_t *peer, void *data), void *data,
    ngx_log_t *log);

/*
 * The index of an address, or NGX_GATE_NONE. The search begins at the hint,
 * which is then set to the next index, since servers are usually in order.
 */

ngx_uint_t ngx_gate_servers_find(ngx_gate_servers_zone_t *zone,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_uint_t *hint);

/*
 * A newer configuration, which may have other servers, increments the
 * generation before it removes a server.
 */

#define ngx_gate_servers_is_newest(servers)                                   \
    (*(servers)->newest == (servers)->generation)

/* a server without an index is out */

#define ngx_gate_servers_is_in(zone, i)                                       \
    ((zone)->forced                                                           \
     || ((i) != NGX_GATE_NONE && ((zone)->states[i] & NGX_GATE_SERVERS_IN)))

/*
 * Stores the bits if the state is equal to "seen", which is then updated.
 * NGX_DECLINED: the state has changed.
 */

ngx_int_t ngx_gate_servers_set(ngx_gate_servers_zone_t *zone, ngx_uint_t i,
    ngx_atomic_uint_t *seen, ngx_uint_t bits);

void ngx_gate_servers_count(ngx_gate_servers_zone_t *zone,
    ngx_gate_servers_count_t *count);

/* the number of servers required by the check */

ngx_uint_t ngx_gate_servers_needed(ngx_gate_servers_t *servers,
    ngx_gate_servers_count_t *count);

/*
 * Copies the server; the text is copied to p, which has room for
 * NGX_GATE_SERVERS_TEXT_MAX bytes.  NGX_DECLINED: the index is not in use.
 */

#define NGX_GATE_SERVERS_TEXT_MAX                                             \
    (NGX_SOCKADDR_STRLEN + NGX_GATE_SERVERS_NAME_MAX)

ngx_int_t ngx_gate_servers_read(ngx_gate_servers_zone_t *zone, ngx_uint_t i,
    ngx_gate_servers_report_t *report, u_char *p);


#endif /* _NGX_GATE_SERVERS_H_INCLUDED_ */
