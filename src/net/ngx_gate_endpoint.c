
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing and formatting of targets; see ngx_gate_endpoint.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_endpoint.h>


static char *ngx_gate_endpoint_unix(ngx_gate_endpoint_t *endpoint,
    ngx_str_t *text);
static char *ngx_gate_endpoint_host(ngx_str_t *host, ngx_uint_t bracketed);
static char *ngx_gate_endpoint_port(u_char *p, u_char *last, in_port_t *port);


char *
ngx_gate_endpoint_parse(ngx_conf_t *cf, ngx_gate_endpoint_t *endpoint,
    ngx_str_t *text, in_port_t default_port)
{
    char        *err;
    u_char      *p, *last, *colon;
    ngx_uint_t   bracketed;

    (void) cf;

    endpoint->text = *text;
    ngx_str_null(&endpoint->host);
    ngx_str_null(&endpoint->path);
    endpoint->port = default_port;

    if (text->len >= 5 && ngx_strncmp(text->data, "unix:", 5) == 0) {
        return ngx_gate_endpoint_unix(endpoint, text);
    }

    p = text->data;
    last = p + text->len;

    if (ngx_strlcasestrn(p, last, (u_char *) "://", 3 - 1) != NULL) {
        return "is a URL";
    }

    bracketed = (p < last && *p == '[');

    if (bracketed) {
        p++;
        colon = ngx_strlchr(p, last, ']');

        if (colon == NULL) {
            return "has no closing bracket";
        }

        endpoint->host.data = p;
        endpoint->host.len = colon - p;

        colon++;

        if (colon < last && *colon != ':') {
            return "has an invalid port";
        }

    } else {
        colon = ngx_strlchr(p, last, ':');

        if (colon == NULL) {
            colon = last;

        } else if (ngx_strlchr(colon + 1, last, ':') != NULL) {
            return "has an invalid port (an IPv6 address is written "
                   "in brackets)";
        }

        endpoint->host.data = p;
        endpoint->host.len = colon - p;
    }

    err = ngx_gate_endpoint_host(&endpoint->host, bracketed);
    if (err) {
        return err;
    }

    if (colon < last) {
        return ngx_gate_endpoint_port(colon + 1, last, &endpoint->port);
    }

    return default_port ? NULL : "has no port";
}


static char *
ngx_gate_endpoint_unix(ngx_gate_endpoint_t *endpoint, ngx_str_t *text)
{
#if (NGX_HAVE_UNIX_DOMAIN)

    struct sockaddr_un  *saun;

    endpoint->port = 0;
    endpoint->path.data = text->data + 5;
    endpoint->path.len = text->len - 5;

    if (endpoint->path.len == 0 || endpoint->path.data[0] != '/') {
        return "has no absolute path of a socket after \"unix:\"";
    }

    if (endpoint->path.len >= sizeof(saun->sun_path)) {
        return "has too long a path of a socket";
    }

    if (ngx_strlchr(endpoint->path.data,
                    endpoint->path.data + endpoint->path.len, '\0')
        != NULL)
    {
        return "has an invalid path of a socket";
    }

    return NULL;

#else

    return "is a Unix socket, which this platform does not have";

#endif
}


static char *
ngx_gate_endpoint_host(ngx_str_t *host, ngx_uint_t bracketed)
{
    u_char          ch;
    size_t          i;
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    if (host->len == 0) {
        return "has no host";
    }

    if (bracketed) {
        if (ngx_gate_endpoint_parse_address(host, 0, &sa, &socklen) != NGX_OK
            || sa.sockaddr.sa_family == AF_INET)
        {
            return "has an invalid IPv6 address";
        }

        return NULL;
    }

    if (host->len > NGX_GATE_ENDPOINT_HOST_MAX) {
        return "has too long a host name";
    }

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9')
            || ch == '-' || ch == '_' || ch == '.' || ch >= 0x80)
        {
            continue;
        }

        return "has an invalid character in the host name";
    }

    return NULL;
}


static char *
ngx_gate_endpoint_port(u_char *p, u_char *last, in_port_t *port)
{
    ngx_uint_t  n;

    if (p == last) {
        return "has no port";
    }

    for (n = 0; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return "has an invalid port";
        }

        n = n * 10 + (*p - '0');

        if (n > 65535) {
            return "has an invalid port";
        }
    }

    if (n == 0) {
        return "has an invalid port";
    }

    *port = (in_port_t) n;

    return NULL;
}


ngx_gate_endpoint_t *
ngx_gate_endpoint_of(ngx_gate_probe_t *probe, ngx_gate_endpoint_t *endpoint)
{
    if (probe->endpoint == NULL) {
        return endpoint;
    }

    probe->endpoint->tls = endpoint->tls;

    return probe->endpoint;
}


ngx_int_t
ngx_gate_endpoint_parse_address(ngx_str_t *text, in_port_t port,
    ngx_sockaddr_t *sa, socklen_t *socklen)
{
    char    buf[NGX_SOCKADDR_STRLEN];
    size_t  len;
    u_char  *p;

    p = text->data;
    len = text->len;

    if (len > 2 && p[0] == '[' && p[len - 1] == ']') {
        p++;
        len -= 2;
    }

    /* inet_pton() would ignore everything after a zero byte */

    if (len == 0 || len >= sizeof(buf) || ngx_strlchr(p, p + len, '\0')) {
        return NGX_DECLINED;
    }

    ngx_memcpy(buf, p, len);
    buf[len] = '\0';

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

    if (inet_pton(AF_INET, buf, &sa->sockaddr_in.sin_addr) == 1) {
        sa->sockaddr_in.sin_family = AF_INET;
        sa->sockaddr_in.sin_port = htons(port);
        *socklen = sizeof(struct sockaddr_in);
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)
    if (inet_pton(AF_INET6, buf, &sa->sockaddr_in6.sin6_addr) == 1) {
        sa->sockaddr_in6.sin6_family = AF_INET6;
        sa->sockaddr_in6.sin6_port = htons(port);
        *socklen = sizeof(struct sockaddr_in6);
        return NGX_OK;
    }
#endif

    return NGX_DECLINED;
}
