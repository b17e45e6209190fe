
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of the URL of a check; see ngx_gate_http_url.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_http_url.h>
#include <ngx_gate_uri.h>


static ngx_uint_t ngx_gate_http_url_starts_with(ngx_str_t *text,
    const char *prefix, size_t len);
static char *ngx_gate_http_url_unix(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text);
static char *ngx_gate_http_url_host(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text);
static char *ngx_gate_http_url_uri(ngx_gate_http_url_t *url);


char *
ngx_gate_http_url_parse(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text)
{
    char       *err;
    ngx_str_t   rest;

    ngx_memzero(url, sizeof(ngx_gate_http_url_t));

    rest = *text;

    if (ngx_gate_http_url_starts_with(text, "http://", 7)) {
        rest.data += 7;
        rest.len -= 7;

    } else if (ngx_gate_http_url_starts_with(text, "https://", 8)) {
        rest.data += 8;
        rest.len -= 8;
        url->tls = 1;

    } else if (!ngx_gate_http_url_starts_with(text, "unix:", 5)) {
        return "does not begin with \"http://\", \"https://\" or \"unix:\"";
    }

    if (ngx_gate_http_url_starts_with(&rest, "unix:", 5)) {
        err = ngx_gate_http_url_unix(cf, url, &rest);

    } else {
        err = ngx_gate_http_url_host(cf, url, &rest);
    }

    return err ? err : ngx_gate_http_url_uri(url);
}


static ngx_uint_t
ngx_gate_http_url_starts_with(ngx_str_t *text, const char *prefix, size_t len)
{
    size_t  i;

    if (text->len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (ngx_tolower(text->data[i]) != (u_char) prefix[i]) {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_gate_http_url_unix(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text)
{
    u_char     *p, *last;
    ngx_str_t   socket;

    last = text->data + text->len;
    p = ngx_strlchr(text->data + 5, last, ':');

    socket.data = text->data;
    socket.len = (p ? p : last) - socket.data;

    if (p) {
        url->uri.data = p + 1;
        url->uri.len = last - url->uri.data;

        if (url->uri.len && url->uri.data[0] != '/') {
            return "has no \"/\" after the path of the socket";
        }
    }

    ngx_str_set(&url->host, "localhost");

    return ngx_gate_endpoint_parse(cf, &url->endpoint, &socket, 0);
}


static char *
ngx_gate_http_url_host(ngx_conf_t *cf, ngx_gate_http_url_t *url,
    ngx_str_t *text)
{
    u_char     *p, *last;
    ngx_str_t   host;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        if (*p == '/' || *p == '?' || *p == '#') {
            break;
        }
    }

    host.data = text->data;
    host.len = p - host.data;

    url->uri.data = p;
    url->uri.len = last - p;

    ngx_gate_uri_cut_userinfo(&host, &url->userinfo);

    url->host = host;

    return ngx_gate_endpoint_parse(cf, &url->endpoint, &host,
                                   url->tls ? 443 : 80);
}


static char *
ngx_gate_http_url_uri(ngx_gate_http_url_t *url)
{
    size_t  i;

    for (i = 0; i < url->uri.len; i++) {

        if (url->uri.data[i] == '#') {
            url->uri.len = i;
            break;
        }

        if (url->uri.data[i] <= ' ' || url->uri.data[i] == 0x7f) {
            return "has an invalid character, to be written as in \"%20\"";
        }
    }

    return NULL;
}
