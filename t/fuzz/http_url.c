
/* URLs of the http check, and endpoints of all checks. */


#include "fuzz.h"
#include <ngx_gate_http_url.h>


static void
slice(ngx_str_t *part, ngx_str_t *whole)
{
    if (part->len
        && (part->data < whole->data
            || part->data + part->len > whole->data + whole->len))
    {
        ngx_abort();
    }
}


static void
endpoint(ngx_gate_endpoint_t *ep, ngx_str_t *whole)
{
    slice(&ep->text, whole);
    slice(&ep->host, whole);
    slice(&ep->path, whole);

    if ((ep->host.len != 0) == (ep->path.len != 0)) {
        ngx_abort();
    }

    if (ep->host.len && ep->port == 0) {
        ngx_abort();
    }

    if (ep->host.len > NGX_GATE_ENDPOINT_HOST_MAX
        || (ep->path.len
            && ep->path.len >= sizeof(((struct sockaddr_un *) 0)->sun_path)))
    {
        ngx_abort();
    }
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t               i;
    ngx_str_t            text;
    in_port_t            port;
    socklen_t            socklen;
    ngx_sockaddr_t       sa;
    ngx_gate_endpoint_t  ep;
    ngx_gate_http_url_t  url;

    if (size == 0) {
        return 0;
    }

    port = data[0];

    text.len = size - 1;
    text.data = malloc(text.len ? text.len : 1);
    fuzz_assert(text.data != NULL);

    ngx_memcpy(text.data, data + 1, text.len);

    if (ngx_gate_endpoint_parse(NULL, &ep, &text, port) == NULL) {
        endpoint(&ep, &text);
    }

    if (ngx_gate_http_url_parse(NULL, &url, &text) == NULL) {
        endpoint(&url.endpoint, &text);
        slice(&url.userinfo, &text);
        slice(&url.uri, &text);

        /* the request line has no line break */

        for (i = 0; i < url.uri.len; i++) {
            if (url.uri.data[i] <= ' ') {
                ngx_abort();
            }
        }

        for (i = 0; i < url.host.len; i++) {
            if (url.host.data[i] <= ' ') {
                ngx_abort();
            }
        }

        /* no secret in the parts that are shown */

        if (url.userinfo.len
            && url.endpoint.text.data < url.userinfo.data + url.userinfo.len)
        {
            ngx_abort();
        }
    }

    (void) ngx_gate_endpoint_parse_address(&text, port, &sa, &socklen);

    free(text.data);

    return 0;
}
