
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The responses of refused requests.
 */


#include <ngx_http_gate_wait.h>
#include <ngx_gate_html.h>


/* 2^32 divided by the golden ratio */

#define NGX_HTTP_GATE_RESPONSE_GOLDEN  2654435769u


static ngx_http_gate_format_e ngx_http_gate_response_format(
    ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_http_gate_loc_conf_t *glcf);
static ngx_uint_t ngx_http_gate_response_wants_page(ngx_http_request_t *r);
static ngx_uint_t ngx_http_gate_response_is_grpc(ngx_http_request_t *r);
static ngx_int_t ngx_http_gate_response_send_native(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_send_json(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_send_problem(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_send_page(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_send_poll(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_send_grpc(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx);
static ngx_int_t ngx_http_gate_response_grpc_headers(ngx_http_request_t *r,
    ngx_gate_refusal_t *refusal);
static ngx_int_t ngx_http_gate_response_read(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_gate_refusal_body_e type,
    ngx_gate_refusal_t *refusal);
static ngx_int_t ngx_http_gate_response_headers(ngx_http_request_t *r,
    ngx_gate_refusal_t *refusal, u_char *end);
static void ngx_http_gate_response_clear(ngx_http_request_t *r);
static void ngx_http_gate_response_set_type(ngx_http_request_t *r,
    ngx_http_gate_type_t *type);
static ngx_uint_t ngx_http_gate_response_retry_after(ngx_http_request_t *r,
    ngx_uint_t wait);


static ngx_http_gate_type_t  ngx_http_gate_response_json_type =
    ngx_http_gate_type("application/json", "", "");
static ngx_http_gate_type_t  ngx_http_gate_response_problem_type =
    ngx_http_gate_type("application/problem+json", "", "");
static ngx_http_gate_type_t  ngx_http_gate_response_html_type =
    ngx_http_gate_type("text/html", "", "utf-8");
static ngx_http_gate_type_t  ngx_http_gate_response_grpc_type =
    ngx_http_gate_type("application/grpc", "", "");

static ngx_str_t  ngx_http_gate_response_problem =
    ngx_string("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
               "\"status\":503,\"detail\":\"The service behind this address "
               "has not finished initializing.\",");
static ngx_str_t  ngx_http_gate_response_problem_failed =
    ngx_string("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
               "\"status\":503,\"detail\":\"The initialization of the service "
               "behind this address has failed.\",");
static ngx_str_t  ngx_http_gate_response_problem_closed =
    ngx_string("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
               "\"status\":503,\"detail\":\"The service behind this address "
               "has been closed for a time.\",");


ngx_int_t
ngx_http_gate_response_refuse(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (glcf->response == NGX_HTTP_GATE_RESPONSE_OFF) {
        return ngx_http_gate_response_send_native(r, ctx);
    }

    /* no "100 Continue": the body is not needed */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        r->keepalive = 0;
    }

    switch (ngx_http_gate_response_format(r, ctx, glcf)) {

    case NGX_HTTP_GATE_FORMAT_HTML:
        return ngx_http_gate_response_send_page(r, ctx);

    case NGX_HTTP_GATE_FORMAT_POLL:
        return ngx_http_gate_response_send_poll(r, ctx);

    case NGX_HTTP_GATE_FORMAT_PROBLEM:
        return ngx_http_gate_response_send_problem(r, ctx);

    case NGX_HTTP_GATE_FORMAT_GRPC:
        return ngx_http_gate_response_send_grpc(r, ctx);

    default:
        return ngx_http_gate_response_send_json(r, ctx);
    }
}


static ngx_http_gate_format_e
ngx_http_gate_response_format(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx, ngx_http_gate_loc_conf_t *glcf)
{
    ngx_http_gate_format_e  format;

    switch (glcf->response) {

    case NGX_HTTP_GATE_RESPONSE_JSON:
        return NGX_HTTP_GATE_FORMAT_JSON;

    case NGX_HTTP_GATE_RESPONSE_HTML:
        format = NGX_HTTP_GATE_FORMAT_HTML;
        break;

    default:

        if (r->headers_in.content_type && ngx_http_gate_response_is_grpc(r)) {
            return NGX_HTTP_GATE_FORMAT_GRPC;
        }

        if (ngx_http_gate_accept_is_any(r)) {
            return NGX_HTTP_GATE_FORMAT_JSON;
        }

        format = ngx_http_gate_accept_format(&r->headers_in.accept->value,
                                             NGX_HTTP_GATE_ACCEPT_REFUSAL);
    }

    if (format != NGX_HTTP_GATE_FORMAT_HTML) {
        return format;
    }

    if (ngx_http_gate_ctx_is_poll(ctx)) {
        return NGX_HTTP_GATE_FORMAT_POLL;
    }

    return ngx_http_gate_response_wants_page(r) ? NGX_HTTP_GATE_FORMAT_HTML
                                                : NGX_HTTP_GATE_FORMAT_JSON;
}


/* whether this is a page view: not a form, a WebSocket, or a fetch() */

static ngx_uint_t
ngx_http_gate_response_wants_page(ngx_http_request_t *r)
{
    return (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
           && r->headers_in.upgrade == NULL
           && ngx_http_gate_prefer_page(r);
}


static ngx_uint_t
ngx_http_gate_response_is_grpc(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *value;

    value = &r->headers_in.content_type->value;
    len = ngx_http_gate_response_grpc_type.len;

    if (value->len < len
        || ngx_strncasecmp(value->data,
                           ngx_http_gate_response_grpc_type.value.data,
                           len)
           != 0)
    {
        return 0;
    }

    /* not application/grpc-web */

    return value->len == len
           || value->data[len] == '+' || value->data[len] == ';';
}


/* the page of nginx, or that of error_page */

static ngx_int_t
ngx_http_gate_response_send_native(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_refusal_t  refusal;

    if (ngx_http_gate_ctx_save(r, ctx) != NGX_OK
        || ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_HEADER,
                                       &refusal)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


static ngx_int_t
ngx_http_gate_response_send_json(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_refusal_t  refusal;

    if (ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_JSON, &refusal)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_gate_response_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       &ngx_http_gate_response_json_type,
                                       &refusal.body, 1);
}


/* RFC 9457: the members of the JSON body become extensions */

static ngx_int_t
ngx_http_gate_response_send_problem(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_str_t           parts[2];
    ngx_gate_refusal_t  refusal;

    if (ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_JSON, &refusal)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    parts[0] = (refusal.override == NGX_GATE_OVERRIDE_CLOSE)
               ? ngx_http_gate_response_problem_closed
               : (refusal.state == NGX_GATE_STATE_FAILED)
                 ? ngx_http_gate_response_problem_failed
                 : ngx_http_gate_response_problem;

    /* the opening brace is in the first part */

    parts[1].data = refusal.body.data + 1;
    parts[1].len = refusal.body.len - 1;

    return ngx_http_gate_response_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       &ngx_http_gate_response_problem_type,
                                       parts, 2);
}


/* constant parts are sent without copying */

static ngx_int_t
ngx_http_gate_response_send_page(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_str_t              parts[7];
    ngx_gate_refusal_t     refusal;
    ngx_gate_html_parts_t  page;

    if (ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_HEADER, &refusal)
        != NGX_OK
        || ngx_http_gate_page_render(r, ctx, &page) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    parts[0] = ngx_gate_html_page_doctype;
    parts[1] = page.html;
    parts[2] = ngx_gate_html_page_head;
    parts[3] = page.title;
    parts[4] = ngx_gate_html_page_body;
    parts[5] = page.main;
    parts[6] = ngx_gate_html_page_tail;

    return ngx_http_gate_response_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       &ngx_http_gate_response_html_type,
                                       parts, 7);
}


/* the response for the script of the page: the title and the variable part */

static ngx_int_t
ngx_http_gate_response_send_poll(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_str_t              parts[4];
    ngx_gate_refusal_t     refusal;
    ngx_gate_html_parts_t  page;

    if (ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_HEADER, &refusal)
        != NGX_OK
        || ngx_http_gate_wait_add_headers(ctx->wait) != NGX_OK
        || ngx_http_gate_page_render(r, ctx, &page) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&parts[0], "<title>");
    parts[1] = page.title;
    ngx_str_set(&parts[2], "</title>\n");
    parts[3] = page.main;

    return ngx_http_gate_response_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       &ngx_http_gate_response_html_type,
                                       parts, 4);
}


/* reads the refusal and adds its headers */

static ngx_int_t
ngx_http_gate_response_read(ngx_http_request_t *r, ngx_http_gate_ctx_t *ctx,
    ngx_gate_refusal_body_e type, ngx_gate_refusal_t *refusal)
{
    u_char  *p;
    size_t   size;

    /* with room for Retry-After at the end */

    size = ngx_gate_zone_refusal_size(ctx->gate->shared, type) + NGX_INT_T_LEN;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_zone_read_refusal(ctx->gate->shared, refusal, type, p);

    return ngx_http_gate_response_headers(r, refusal, p + size);
}


/* "Trailers-Only": a gRPC status in a response with the HTTP status 200 */

static ngx_int_t
ngx_http_gate_response_send_grpc(ngx_http_request_t *r,
    ngx_http_gate_ctx_t *ctx)
{
    ngx_gate_refusal_t  refusal;

    if (ngx_http_gate_response_read(r, ctx, NGX_GATE_REFUSAL_HEADER, &refusal)
        != NGX_OK
        || ngx_http_gate_response_grpc_headers(r, &refusal) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    ngx_http_gate_response_set_type(r, &ngx_http_gate_response_grpc_type);
    r->headers_out.content_length_n = -1;

    r->header_only = 1;

    if (r->http_version < NGX_HTTP_VERSION_20) {
        r->headers_out.content_length_n = 0;
    }

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_gate_response_grpc_headers(ngx_http_request_t *r,
    ngx_gate_refusal_t *refusal)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "grpc-status");
    ngx_str_set(&h->value, "14");

    p = ngx_pnalloc(r->pool, sizeof("init gate ") + refusal->header.len
                             + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "grpc-message");
    h->value.data = p;
    p = ngx_sprintf(p, "init gate %V", &refusal->header);
    h->value.len = p - h->value.data;

    if (refusal->retry_after == 0) {
        return NGX_OK;
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "grpc-retry-pushback-ms");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%ui", refusal->retry_after * 1000) - p;

    return NGX_OK;
}


/*
 * Headers of every refusal.  The seconds of Retry-After are written before
 * end; retry_after is set to them, or to 0 without the header.
 */

static ngx_int_t
ngx_http_gate_response_headers(ngx_http_request_t *r,
    ngx_gate_refusal_t *refusal, u_char *end)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    if (ngx_http_gate_response_no_store(r) != NGX_OK) {
        return NGX_ERROR;
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "X-Init-Gate");
    h->value = refusal->header;

    n = ngx_http_gate_response_retry_after(r, refusal->retry_after);
    refusal->retry_after = n;

    if (n == 0) {
        return NGX_OK;
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "Retry-After");
    h->value.len = 0;

    do {
        *--end = (u_char) (n % 10 + '0');
        h->value.len++;
        n /= 10;
    } while (n);

    h->value.data = end;

    return NGX_OK;
}


/* no caching: a response depends on the time and on the client */

ngx_int_t
ngx_http_gate_response_no_store(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    if (r->internal) {
        ngx_http_gate_response_clear(r);
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "Vary");
    ngx_str_set(&h->value, "Accept");

    return NGX_OK;
}


/*
 * The longest time of the closed gates, spread by up to the same time, so
 * that clients that were refused together do not return together.
 */

static ngx_uint_t
ngx_http_gate_response_retry_after(ngx_http_request_t *r, ngx_uint_t wait)
{
    uint32_t                    n;
    ngx_gate_t                **gate;
    ngx_gate_shared_t          *shared;
    ngx_http_gate_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (glcf->retry_after == NGX_HTTP_GATE_RETRY_OFF) {
        return 0;
    }

    if (glcf->retry_after != NGX_HTTP_GATE_RETRY_AUTO) {
        return glcf->retry_after;
    }

    if (glcf->gates[1]) {
        for (gate = glcf->gates; *gate; gate++) {
            shared = (*gate)->shared;

            if (!ngx_gate_zone_is_open(shared)) {
                wait = ngx_max(wait,
                               ngx_gate_zone_published(shared)->retry_after);
            }
        }
    }

    wait = ngx_max(wait, 1);

    /*
     * multiples of the golden ratio are spread more evenly than random
     * numbers
     */

    n = (uint32_t) (r->connection->number + r->connection->requests);
    n *= NGX_HTTP_GATE_RESPONSE_GOLDEN;

    return wait + (n >> 8) % (wait + 1);
}


/*
 * Removes headers of a response of the backend after X-Accel-Redirect;
 * cookies remain.
 */

static void
ngx_http_gate_response_clear(ngx_http_request_t *r)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("Accept-Ranges"),
        ngx_string("Cache-Control"),
        ngx_string("Content-Disposition"),
        ngx_string("Content-Encoding"),
        ngx_string("ETag"),
        ngx_string("Expires"),
        ngx_string("Last-Modified")
    };

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (n = 0; n < sizeof(names) / sizeof(ngx_str_t); n++) {
                if (h[i].key.len == names[n].len
                    && ngx_strncasecmp(h[i].key.data, names[n].data,
                                       names[n].len)
                       == 0)
                {
                    h[i].hash = 0;
                }
            }
        }
    }

    r->headers_out.accept_ranges = NULL;
    r->headers_out.content_encoding = NULL;
    r->headers_out.etag = NULL;
    r->headers_out.expires = NULL;
    r->headers_out.last_modified = NULL;
    r->headers_out.last_modified_time = -1;
    r->headers_out.content_offset = 0;
    ngx_memzero(&r->headers_out.cache_control,
                sizeof(r->headers_out.cache_control));

    r->allow_ranges = 0;
}


static void
ngx_http_gate_response_set_type(ngx_http_request_t *r,
    ngx_http_gate_type_t *type)
{
    r->headers_out.content_type = type->value;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset = type->charset;
}


ngx_int_t
ngx_http_gate_response_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_gate_type_t *type, ngx_str_t *parts, ngx_uint_t n)
{
    off_t         length;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_uint_t    i;
    ngx_chain_t  *out;

    b = ngx_pcalloc(r->pool, n * (sizeof(ngx_buf_t) + sizeof(ngx_chain_t)));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out = (ngx_chain_t *) &b[n];
    length = 0;

    for (i = 0; i < n; i++) {
        b[i].pos = parts[i].data;
        b[i].last = parts[i].data + parts[i].len;
        b[i].memory = 1;

        out[i].buf = &b[i];
        out[i].next = &out[i + 1];

        length += parts[i].len;
    }

    b[n - 1].last_buf = (r == r->main);
    b[n - 1].last_in_chain = 1;
    out[n - 1].next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = length;

    ngx_http_gate_response_set_type(r, type);

    r->disable_not_modified = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}
