
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Incremental parser of the header and framing of a response; see
 * ngx_gate_http_parser.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate_http_parser.h>


static ngx_int_t ngx_gate_http_parser_line(ngx_gate_http_parser_t *parser,
    u_char **pos, u_char *last);
static ngx_int_t ngx_gate_http_parser_limit(ngx_gate_http_parser_t *parser,
    size_t size);
static ngx_int_t ngx_gate_http_parser_line_add(ngx_gate_http_parser_t *parser,
    u_char *p, size_t len);
static ngx_uint_t ngx_gate_http_parser_is_status(
    ngx_gate_http_parser_t *parser, size_t from);
static ngx_int_t ngx_gate_http_parser_status_line(
    ngx_gate_http_parser_t *parser);
static ngx_int_t ngx_gate_http_parser_header_line(
    ngx_gate_http_parser_t *parser);
static void ngx_gate_http_parser_call(ngx_gate_http_parser_t *parser,
    ngx_str_t *name, u_char *last);
static ngx_int_t ngx_gate_http_parser_header_end(
    ngx_gate_http_parser_t *parser);
static ngx_int_t ngx_gate_http_parser_content_length(
    ngx_gate_http_parser_t *parser, ngx_str_t *value);
static void ngx_gate_http_parser_transfer_encoding(
    ngx_gate_http_parser_t *parser, ngx_str_t *value);
static void ngx_gate_http_parser_connection(ngx_gate_http_parser_t *parser,
    ngx_str_t *value);
static ngx_int_t ngx_gate_http_parser_chunk_line(
    ngx_gate_http_parser_t *parser);
static ngx_int_t ngx_gate_http_parser_body(ngx_gate_http_parser_t *parser,
    u_char **pos, u_char *last, ngx_str_t *body);
static ngx_int_t ngx_gate_http_parser_error(ngx_gate_http_parser_t *parser,
    const char *text);
static ngx_uint_t ngx_gate_http_parser_next_token(ngx_str_t *value,
    ngx_str_t *token);


void
ngx_gate_http_parser_init(ngx_gate_http_parser_t *parser, ngx_uint_t head)
{
    ngx_memzero(parser, sizeof(ngx_gate_http_parser_t));

    parser->head = head ? 1 : 0;
    parser->length = -1;
}


ngx_int_t
ngx_gate_http_parser_parse(ngx_gate_http_parser_t *parser, u_char **pos,
    u_char *last, ngx_str_t *body)
{
    ngx_int_t  rc;

    if (parser->error) {
        return NGX_ERROR;
    }

    if (*pos < last) {
        parser->begun = 1;
    }

    for ( ;; ) {

        switch (parser->state) {

        case NGX_GATE_HTTP_PARSER_BODY:
        case NGX_GATE_HTTP_PARSER_CHUNK:
            rc = ngx_gate_http_parser_body(parser, pos, last, body);

            if (rc != NGX_DECLINED) {
                return rc;
            }

            continue;

        case NGX_GATE_HTTP_PARSER_END:
            return NGX_DONE;

        default:
            break;
        }

        rc = ngx_gate_http_parser_line(parser, pos, last);

        if (rc != NGX_OK) {
            return rc;
        }

        switch (parser->state) {

        case NGX_GATE_HTTP_PARSER_STATUS:
            rc = ngx_gate_http_parser_status_line(parser);
            break;

        case NGX_GATE_HTTP_PARSER_HEADER:
            rc = ngx_gate_http_parser_header_line(parser);
            break;

        case NGX_GATE_HTTP_PARSER_CHUNK_SIZE:
            rc = ngx_gate_http_parser_chunk_line(parser);
            break;

        case NGX_GATE_HTTP_PARSER_CHUNK_END:

            if (parser->line_len) {
                return ngx_gate_http_parser_error(parser, "invalid chunk");
            }

            parser->state = NGX_GATE_HTTP_PARSER_CHUNK_SIZE;
            break;

        default: /* NGX_GATE_HTTP_PARSER_TRAILER */

            if (parser->line_len == 0) {
                parser->state = NGX_GATE_HTTP_PARSER_END;
            }
        }

        if (rc != NGX_OK) {
            return rc;
        }

        parser->line_len = 0;
    }
}


ngx_int_t
ngx_gate_http_parser_eof(ngx_gate_http_parser_t *parser)
{
    if (parser->state == NGX_GATE_HTTP_PARSER_END) {
        return NGX_DONE;
    }

    if (parser->state == NGX_GATE_HTTP_PARSER_BODY && parser->left == -1) {
        parser->state = NGX_GATE_HTTP_PARSER_END;
        return NGX_DONE;
    }

    return ngx_gate_http_parser_error(parser, parser->begun
                                      ? "peer closed the connection during "
                                        "the response"
                                      : "peer closed the connection without a "
                                        "response");
}


/*
 * Reads a line, without its end.  Bytes beyond NGX_GATE_HTTP_PARSER_LINE_MAX
 * are only counted.
 */

static ngx_int_t
ngx_gate_http_parser_line(ngx_gate_http_parser_t *parser, u_char **pos,
    u_char *last)
{
    size_t   len, size;
    u_char  *p, *end;

    p = *pos;
    end = memchr(p, LF, last - p);

    len = (end ? end : last) - p;
    size = len + (end ? 1 : 0);

    *pos = p + size;

    if (ngx_gate_http_parser_limit(parser, size) != NGX_OK
        || ngx_gate_http_parser_line_add(parser, p, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (end == NULL) {
        return NGX_AGAIN;
    }

    if (parser->line_len > 0
        && parser->line_len <= NGX_GATE_HTTP_PARSER_LINE_MAX
        && parser->line[parser->line_len - 1] == CR)
    {
        parser->line_len--;
    }

    return NGX_OK;
}


/* the limit of header lines applies to chunk sizes, too */

static ngx_int_t
ngx_gate_http_parser_limit(ngx_gate_http_parser_t *parser, size_t size)
{
    if (parser->state == NGX_GATE_HTTP_PARSER_CHUNK_SIZE
        || parser->state == NGX_GATE_HTTP_PARSER_CHUNK_END)
    {
        if (parser->line_len + size > NGX_GATE_HTTP_PARSER_HEADER_MAX + 1) {
            return ngx_gate_http_parser_error(parser, "invalid chunk");
        }

        return NGX_OK;
    }

    parser->header_size += size;

    if (parser->header_size > NGX_GATE_HTTP_PARSER_HEADER_MAX) {
        return ngx_gate_http_parser_error(parser, "header is too large");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_http_parser_line_add(ngx_gate_http_parser_t *parser, u_char *p,
    size_t len)
{
    size_t  from;

    from = parser->line_len;

    if (from < NGX_GATE_HTTP_PARSER_LINE_MAX) {
        ngx_memcpy(parser->line + from, p,
                   ngx_min(len, NGX_GATE_HTTP_PARSER_LINE_MAX - from));
    }

    parser->line_len += len;

    if (parser->state == NGX_GATE_HTTP_PARSER_STATUS
        && !ngx_gate_http_parser_is_status(parser, from))
    {
        return ngx_gate_http_parser_error(parser, "response is not HTTP/1");
    }

    return NGX_OK;
}


/* whether the line is a prefix of "HTTP/1.1 200 ...", from this byte on */

static ngx_uint_t
ngx_gate_http_parser_is_status(ngx_gate_http_parser_t *parser, size_t from)
{
    u_char  ch, expected;
    size_t  i, n;

    static u_char  pattern[] = "HTTP/1.# ### ";

    n = ngx_min(parser->line_len, sizeof(pattern) - 1);

    for (i = from; i < n; i++) {
        ch = parser->line[i];
        expected = pattern[i];

        if (expected == '#') {
            if (ch < '0' || ch > '9') {
                return 0;
            }

        } else if (ch != expected
                   && (i != sizeof(pattern) - 2 || ch != CR))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_gate_http_parser_status_line(ngx_gate_http_parser_t *parser)
{
    u_char  *p;

    /* everything except the length has been tested byte by byte */

    if (parser->line_len < sizeof("HTTP/1.1 200") - 1) {
        return ngx_gate_http_parser_error(parser, "response is not HTTP/1");
    }

    p = &parser->line[sizeof("HTTP/1.") - 1];

    parser->http10 = (p[0] == '0');
    parser->status = (p[2] - '0') * 100 + (p[3] - '0') * 10 + (p[4] - '0');

    if (parser->status < 100) {
        return ngx_gate_http_parser_error(parser, "invalid status");
    }

    parser->state = NGX_GATE_HTTP_PARSER_HEADER;
    parser->keepalive = !parser->http10;
    parser->close = 0;
    parser->framing = 0;
    parser->chunked = 0;
    parser->encoded = 0;
    parser->length = -1;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_http_parser_header_line(ngx_gate_http_parser_t *parser)
{
    u_char     *p, *last;
    ngx_str_t   name, value;

    if (parser->line_len == 0) {
        return ngx_gate_http_parser_header_end(parser);
    }

    p = parser->line;
    last = p + ngx_min(parser->line_len, NGX_GATE_HTTP_PARSER_LINE_MAX);

    if (*p == ' ' || *p == '\t') {

        /* a continuation line: an error for headers that define the framing */

        return parser->framing ? ngx_gate_http_parser_error(parser,
                                                            "invalid header "
                                                            "line")
                               : NGX_OK;
    }

    name.data = p;

    while (p < last && *p > ' ' && *p != ':' && *p != 0x7f) {
        p++;
    }

    name.len = p - name.data;

    if (name.len == 0
        || (p == last && parser->line_len <= NGX_GATE_HTTP_PARSER_LINE_MAX)
        || (p < last && *p != ':'))
    {
        return ngx_gate_http_parser_error(parser, "invalid header line");
    }

    parser->framing = ngx_gate_http_parser_token_is(&name, "content-length")
                      || ngx_gate_http_parser_token_is(&name,
                                                       "transfer-encoding")
                      || ngx_gate_http_parser_token_is(&name, "connection");

    if (!parser->framing) {
        ngx_gate_http_parser_call(parser, &name, last);
        return NGX_OK;
    }

    if (parser->line_len > NGX_GATE_HTTP_PARSER_LINE_MAX) {
        return ngx_gate_http_parser_error(parser, "invalid header line");
    }

    value.data = p + 1;
    value.len = last - value.data;

    switch (name.len) {

    case sizeof("content-length") - 1:
        return ngx_gate_http_parser_content_length(parser, &value);

    case sizeof("transfer-encoding") - 1:
        ngx_gate_http_parser_transfer_encoding(parser, &value);
        return NGX_OK;

    default:
        ngx_gate_http_parser_connection(parser, &value);
        return NGX_OK;
    }
}


static void
ngx_gate_http_parser_call(ngx_gate_http_parser_t *parser, ngx_str_t *name,
    u_char *last)
{
    u_char     *p;
    ngx_str_t   value;

    if (parser->header == NULL
        || parser->state != NGX_GATE_HTTP_PARSER_HEADER
        || parser->line_len > NGX_GATE_HTTP_PARSER_LINE_MAX)
    {
        return;
    }

    p = name->data + name->len + 1;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    value.data = p;
    value.len = last - p;

    parser->header(parser->data, name, &value);
}


static ngx_int_t
ngx_gate_http_parser_header_end(ngx_gate_http_parser_t *parser)
{
    ngx_uint_t  status;

    status = parser->status;

    if (status < 200 && status != 101) {

        /* an interim response */

        parser->state = NGX_GATE_HTTP_PARSER_STATUS;
        parser->status = 0;
        return NGX_OK;
    }

    if (status == 101) {
        parser->close = 1;
    }

    if (parser->head || status == 101 || status == 204 || status == 304) {
        parser->state = NGX_GATE_HTTP_PARSER_END;
        return NGX_OK;
    }

    if (parser->encoded) {

        /* request smuggling: another server may use the length instead */

        if (parser->length != -1 || parser->http10) {
            parser->close = 1;
        }

        parser->length = -1;
    }

    if (parser->chunked) {
        parser->state = NGX_GATE_HTTP_PARSER_CHUNK_SIZE;
        return NGX_OK;
    }

    parser->state = parser->length ? NGX_GATE_HTTP_PARSER_BODY
                    : NGX_GATE_HTTP_PARSER_END;
    parser->left = parser->length;

    if (parser->left == -1) {
        parser->close = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_http_parser_content_length(ngx_gate_http_parser_t *parser,
    ngx_str_t *value)
{
    off_t      n;
    ngx_str_t  token;

    if (ngx_gate_http_parser_next_token(value, &token) == 0) {
        return ngx_gate_http_parser_error(parser, "invalid Content-Length");
    }

    /* repeated equal values are valid */

    do {
        n = ngx_atoof(token.data, token.len);

        if (n == NGX_ERROR || (parser->length != -1 && parser->length != n)) {
            return ngx_gate_http_parser_error(parser, "invalid Content-Length");
        }

        parser->length = n;

    } while (ngx_gate_http_parser_next_token(value, &token));

    return NGX_OK;
}


static void
ngx_gate_http_parser_transfer_encoding(ngx_gate_http_parser_t *parser,
    ngx_str_t *value)
{
    ngx_str_t  token;

    /* only the last coding matters here */

    while (ngx_gate_http_parser_next_token(value, &token)) {

        if (ngx_gate_http_parser_token_is(&token, "identity")) {
            continue;
        }

        parser->encoded = 1;
        parser->chunked = ngx_gate_http_parser_token_is(&token, "chunked");
    }
}


static void
ngx_gate_http_parser_connection(ngx_gate_http_parser_t *parser,
    ngx_str_t *value)
{
    ngx_str_t  token;

    while (ngx_gate_http_parser_next_token(value, &token)) {

        if (ngx_gate_http_parser_token_is(&token, "close")) {
            parser->close = 1;

        } else if (ngx_gate_http_parser_token_is(&token, "keep-alive")) {
            parser->keepalive = 1;
        }
    }
}


static ngx_int_t
ngx_gate_http_parser_chunk_line(ngx_gate_http_parser_t *parser)
{
    off_t       n;
    u_char      ch, *p, *last;
    ngx_uint_t  digit;

    p = parser->line;
    last = p + ngx_min(parser->line_len, NGX_GATE_HTTP_PARSER_LINE_MAX);

    for (n = 0; p < last; p++) {

        ch = (u_char) (*p | 0x20);

        if (*p >= '0' && *p <= '9') {
            digit = *p - '0';

        } else if (ch >= 'a' && ch <= 'f') {
            digit = ch - 'a' + 10;

        } else {
            break;
        }

        if (n > NGX_MAX_OFF_T_VALUE / 16) {
            return ngx_gate_http_parser_error(parser, "invalid chunk");
        }

        n = n * 16 + digit;
    }

    /* chunk extensions are ignored */

    if (p == parser->line
        || (p < last && *p != ';' && *p != ' ' && *p != '\t'))
    {
        return ngx_gate_http_parser_error(parser, "invalid chunk");
    }

    parser->left = n;
    parser->state = n ? NGX_GATE_HTTP_PARSER_CHUNK
                    : NGX_GATE_HTTP_PARSER_TRAILER;

    return NGX_OK;
}


/* NGX_DECLINED: this part has ended */

static ngx_int_t
ngx_gate_http_parser_body(ngx_gate_http_parser_t *parser, u_char **pos,
    u_char *last, ngx_str_t *body)
{
    size_t  size;

    if (parser->left == 0) {
        parser->state = (parser->state == NGX_GATE_HTTP_PARSER_CHUNK)
                        ? NGX_GATE_HTTP_PARSER_CHUNK_END
                        : NGX_GATE_HTTP_PARSER_END;
        return NGX_DECLINED;
    }

    size = last - *pos;

    if (size == 0) {
        return NGX_AGAIN;
    }

    if (parser->left != -1) {

        if ((off_t) size > parser->left) {
            size = (size_t) parser->left;
        }

        parser->left -= size;
    }

    body->data = *pos;
    body->len = size;

    *pos += size;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_http_parser_error(ngx_gate_http_parser_t *parser, const char *text)
{
    parser->error = text;

    return NGX_ERROR;
}


/* a token of a list such as "close, te" */

static ngx_uint_t
ngx_gate_http_parser_next_token(ngx_str_t *value, ngx_str_t *token)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    token->data = p;

    while (p < last && *p != ',') {
        p++;
    }

    value->data = p;
    value->len = last - p;

    while (p > token->data && (p[-1] == ' ' || p[-1] == '\t')) {
        p--;
    }

    token->len = p - token->data;

    return token->len ? 1 : 0;
}


ngx_uint_t
ngx_gate_http_parser_token_is(ngx_str_t *token, const char *text)
{
    return token->len == ngx_strlen(text)
           && ngx_strncasecmp(token->data, (u_char *) text, token->len) == 0;
}
