
/* Arbitrary contents of /etc/resolv.conf and /etc/hosts. */


#include "fuzz.h"
#include <ngx_gate_endpoint.h>
#include <ngx_gate_host_files.h>


static void
slice(ngx_str_t *part, u_char *data, size_t size)
{
    if (part->len == 0 || part->data < data
        || part->data + part->len > data + size)
    {
        ngx_abort();
    }
}


static void
resolv_conf(u_char *data, size_t size)
{
    ngx_uint_t              i;
    socklen_t               socklen;
    ngx_sockaddr_t          sa;
    ngx_gate_resolv_conf_t  conf;

    ngx_gate_resolv_conf_parse(&conf, data, size);

    if (conf.nservers > NGX_GATE_SERVERS_MAX
        || conf.nsearch > NGX_GATE_SEARCH_MAX
        || conf.ndots > 15)
    {
        ngx_abort();
    }

    for (i = 0; i < conf.nservers; i++) {
        slice(&conf.servers[i], data, size);

        if (ngx_gate_endpoint_parse_address(&conf.servers[i], 53, &sa, &socklen)
            != NGX_OK)
        {
            ngx_abort();
        }
    }

    for (i = 0; i < conf.nsearch; i++) {
        slice(&conf.search[i], data, size);

        if (conf.search[i].len > NGX_GATE_ENDPOINT_HOST_MAX) {
            ngx_abort();
        }
    }
}


static void
hosts(u_char *data, size_t size, ngx_str_t *name)
{
    ngx_uint_t      i, n;
    socklen_t       socklens[4];
    ngx_sockaddr_t  addrs[4];

    n = ngx_gate_hosts_find(data, size, name, addrs, socklens, 4);

    if (n > 4) {
        ngx_abort();
    }

    for (i = 0; i < n; i++) {
        if (addrs[i].sockaddr.sa_family != AF_INET
            && addrs[i].sockaddr.sa_family != AF_INET6)
        {
            ngx_abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t      len;
    u_char     *copy;
    ngx_str_t   name;

    if (size == 0) {
        return 0;
    }

    /* the first bytes are the name to resolve, or else "localhost" */

    len = ngx_min((size_t) (data[0] & 0x0f), size - 1);

    name.data = (u_char *) data + 1;
    name.len = len;

    if (len == 0) {
        ngx_str_set(&name, "localhost");
    }

    size -= 1 + len;
    copy = malloc(size ? size : 1);
    fuzz_assert(copy != NULL);

    ngx_memcpy(copy, data + 1 + len, size);

    resolv_conf(copy, size);
    hosts(copy, size, &name);

    free(copy);

    return 0;
}
