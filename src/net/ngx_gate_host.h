
/*
 * Names as this host knows them: /etc/hosts, and the name servers of
 * /etc/resolv.conf.  Both are read again once they have changed.
 */


#ifndef _NGX_GATE_HOST_H_INCLUDED_
#define _NGX_GATE_HOST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_host_files.h>
#include <ngx_gate_log_capture.h>


#define NGX_GATE_HOSTS        "/etc/hosts"
#define NGX_GATE_RESOLV_CONF  "/etc/resolv.conf"


/* resolv.conf as it once was; the current one, or still in use */

typedef struct {
    ngx_pool_t               *pool;
    ngx_str_t                 text;
    ngx_resolver_t           *resolver;     /* NULL: no name servers */
    ngx_gate_resolv_conf_t    conf;
    ngx_gate_log_capture_t    hush;
    ngx_uint_t                refs;
    ngx_uint_t                superseded;
} ngx_gate_host_t;


/* by /etc/hosts; port 0; at most max of them; returns how many */

ngx_uint_t ngx_gate_host_find(ngx_str_t *name, ngx_sockaddr_t *addrs,
    socklen_t *socklens, ngx_uint_t max);

/* by /etc/resolv.conf; held until released; NULL: no memory */

ngx_gate_host_t *ngx_gate_host_get(void);
void ngx_gate_host_release(ngx_gate_host_t *host);


#endif /* _NGX_GATE_HOST_H_INCLUDED_ */
