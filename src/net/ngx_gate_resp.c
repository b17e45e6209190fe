
/*
 * Replies in Redis's protocol.  A scanner of our own goes over the bytes first
 * and follows nothing but lengths; what it lets pass is fed to hiredis, which
 * builds the reply once the last byte is there.
 */


#include <ngx_gate_resp.h>


/* what hiredis keeps for the next reply, at most */

#define NGX_GATE_RESP_BUFFER_MAX  4096


typedef enum {
    sw_type = 0,
    sw_text,
    sw_text_lf,
    sw_length,
    sw_length_lf,
    sw_bulk
} ngx_gate_resp_state_e;


typedef struct {
    ngx_str_t                 text;
    ngx_gate_reason_e         reason;
} ngx_gate_resp_error_t;


static ngx_int_t ngx_gate_resp_scan(ngx_gate_resp_t *resp, ngx_buf_t *in);
static ngx_int_t ngx_gate_resp_byte(ngx_gate_resp_t *resp, u_char ch);
static ngx_int_t ngx_gate_resp_start(ngx_gate_resp_t *resp, u_char ch);
static ngx_int_t ngx_gate_resp_digit(ngx_gate_resp_t *resp, u_char ch);
static ngx_int_t ngx_gate_resp_length(ngx_gate_resp_t *resp);
static ngx_int_t ngx_gate_resp_item(ngx_gate_resp_t *resp);
static ngx_int_t ngx_gate_resp_feed(ngx_gate_resp_t *resp, u_char *data,
    size_t size);
static ngx_int_t ngx_gate_resp_build(ngx_gate_resp_t *resp,
    redisReply **reply);
static ngx_int_t ngx_gate_resp_no_memory(ngx_gate_resp_t *resp);
static ngx_int_t ngx_cdecl ngx_gate_resp_fail(ngx_gate_resp_t *resp,
    const char *fmt, ...);


/* by the beginning of the text; the first one that fits */

static ngx_gate_resp_error_t  ngx_gate_resp_errors[] = {
    { ngx_string("LOADING "), NGX_GATE_LOADING },
    { ngx_string("MASTERDOWN "), NGX_GATE_LOADING },
    { ngx_string("CLUSTERDOWN "), NGX_GATE_STARTING_UP },
    { ngx_string("TRYAGAIN "), NGX_GATE_IN_PROGRESS },
    { ngx_string("NOAUTH "), NGX_GATE_AUTH },
    { ngx_string("WRONGPASS "), NGX_GATE_AUTH },
    { ngx_string("NOPERM "), NGX_GATE_DENIED },
    { ngx_string("DENIED "), NGX_GATE_DENIED },
    { ngx_string("READONLY "), NGX_GATE_OTHER_ROLE },
    { ngx_string("WRONGTYPE "), NGX_GATE_WRONG_TYPE },
    { ngx_string("ERR invalid password"), NGX_GATE_AUTH },
    { ngx_string("ERR operation not permitted"), NGX_GATE_AUTH },
    { ngx_string("ERR max number of clients"),
      NGX_GATE_TOO_MANY_CONNECTIONS },
    { ngx_null_string, NGX_GATE_QUERY }
};


ngx_int_t
ngx_gate_resp_read(ngx_gate_resp_t *resp, ngx_buf_t *in, redisReply **reply)
{
    u_char     *start;
    ngx_int_t   rc;

    start = in->pos;

    rc = ngx_gate_resp_scan(resp, in);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_gate_resp_feed(resp, start, in->pos - start) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_gate_resp_build(resp, reply);
}


void
ngx_gate_resp_reset(ngx_gate_resp_t *resp)
{
    if (resp->reader) {
        redisReaderFree(resp->reader);
    }

    ngx_memzero(resp, sizeof(ngx_gate_resp_t));
}


/* moves in->pos behind what belongs to this reply */

static ngx_int_t
ngx_gate_resp_scan(ngx_gate_resp_t *resp, ngx_buf_t *in)
{
    size_t     n;
    ngx_int_t  rc;

    rc = NGX_AGAIN;

    while (in->pos < in->last && rc == NGX_AGAIN) {

        if (resp->state == sw_bulk) {
            n = ngx_min(resp->bulk, (size_t) (in->last - in->pos));

            in->pos += n;
            resp->size += n;
            resp->bulk -= n;

            if (resp->bulk == 0) {
                rc = ngx_gate_resp_item(resp);
            }

        } else {
            resp->size++;
            rc = ngx_gate_resp_byte(resp, *in->pos++);
        }

        if (resp->size > NGX_GATE_RESP_SIZE_MAX) {
            return ngx_gate_resp_fail(resp, "reply is longer than %d bytes",
                                      (int) NGX_GATE_RESP_SIZE_MAX);
        }
    }

    return rc;
}


static ngx_int_t
ngx_gate_resp_byte(ngx_gate_resp_t *resp, u_char ch)
{
    switch (resp->state) {

    case sw_type:
        return ngx_gate_resp_start(resp, ch);

    case sw_text:

        /* hiredis 1.0 and later refuses these two, 0.14 does not */

        if (ch == LF) {
            return ngx_gate_resp_fail(resp, "malformed line in a reply");
        }

        resp->state = (ch == CR) ? sw_text_lf : sw_text;
        return NGX_AGAIN;

    case sw_text_lf:

        if (ch != LF) {
            return ngx_gate_resp_fail(resp, "malformed line in a reply");
        }

        return ngx_gate_resp_item(resp);

    case sw_length:
        return ngx_gate_resp_digit(resp, ch);

    default: /* sw_length_lf */

        if (ch != LF) {
            return ngx_gate_resp_fail(resp, "malformed length in a reply");
        }

        return ngx_gate_resp_length(resp);
    }
}


static ngx_int_t
ngx_gate_resp_start(ngx_gate_resp_t *resp, u_char ch)
{
    resp->type = ch;
    resp->negative = 0;
    resp->digits = 0;
    resp->number = 0;

    switch (ch) {

    case '+':
    case '-':
    case ':':
        resp->state = sw_text;
        return NGX_AGAIN;

    case '$':
    case '*':
        resp->state = sw_length;
        return NGX_AGAIN;

    default:

        /* an HTTP server, TLS, a type of the protocol's version 3 */

        return ngx_gate_resp_fail(resp, "byte 0x%02Xd where a reply should"
                                  " begin", (int) ch);
    }
}


/* "-1" for none, or a decimal number */

static ngx_int_t
ngx_gate_resp_digit(ngx_gate_resp_t *resp, u_char ch)
{
    if (ch == CR && resp->digits) {
        resp->state = sw_length_lf;
        return NGX_AGAIN;
    }

    if (ch == '-' && !resp->negative && !resp->digits) {
        resp->negative = 1;
        return NGX_AGAIN;
    }

    if (ch < '0' || ch > '9') {
        return ngx_gate_resp_fail(resp, "malformed length in a reply");
    }

    resp->digits++;
    resp->number = resp->number * 10 + (ch - '0');

    if (resp->number > NGX_GATE_RESP_SIZE_MAX) {
        return ngx_gate_resp_fail(resp, "reply announces more than %d %s",
                                  (int) NGX_GATE_RESP_SIZE_MAX,
                                  resp->type == '$' ? "bytes" : "items");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_gate_resp_length(ngx_gate_resp_t *resp)
{
    if (resp->negative) {

        if (resp->number != 1) {
            return ngx_gate_resp_fail(resp, "negative length in a reply");
        }

        return ngx_gate_resp_item(resp);
    }

    if (resp->type == '$') {
        resp->state = sw_bulk;
        resp->bulk = resp->number + 2;
        return NGX_AGAIN;
    }

    if (resp->number == 0) {
        return ngx_gate_resp_item(resp);
    }

    resp->items += resp->number;

    if (resp->items > NGX_GATE_RESP_ITEMS_MAX) {
        return ngx_gate_resp_fail(resp, "reply has more than %d items",
                                  NGX_GATE_RESP_ITEMS_MAX);
    }

    if (resp->depth == NGX_GATE_RESP_DEPTH_MAX) {
        return ngx_gate_resp_fail(resp, "reply is nested more than %d deep",
                                  NGX_GATE_RESP_DEPTH_MAX);
    }

    resp->wanted[resp->depth++] = resp->number;
    resp->state = sw_type;

    return NGX_AGAIN;
}


/* an item is complete, and with it the lists of which it is the last */

static ngx_int_t
ngx_gate_resp_item(ngx_gate_resp_t *resp)
{
    resp->state = sw_type;

    while (resp->depth) {

        if (--resp->wanted[resp->depth - 1]) {
            return NGX_AGAIN;
        }

        resp->depth--;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_resp_feed(ngx_gate_resp_t *resp, u_char *data, size_t size)
{
    if (size == 0) {
        return NGX_OK;
    }

    if (resp->reader == NULL) {
        resp->reader = redisReaderCreate();

        if (resp->reader == NULL) {
            return ngx_gate_resp_no_memory(resp);
        }

        /* hiredis would replace a large buffer, and assert that it can */
        resp->reader->maxbuf = 0;
    }

    if (redisReaderFeed(resp->reader, (char *) data, size) != REDIS_OK) {
        return ngx_gate_resp_no_memory(resp);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_resp_build(ngx_gate_resp_t *resp, redisReply **reply)
{
    void    *r;
    size_t   size;

    size = resp->size;

    resp->size = 0;
    resp->items = 0;

    if (redisReaderGetReply(resp->reader, &r) != REDIS_OK) {

        if (resp->reader->err == REDIS_ERR_OOM) {
            return ngx_gate_resp_no_memory(resp);
        }

        return ngx_gate_resp_fail(resp, "%s", resp->reader->errstr);
    }

    if (r == NULL) {
        return ngx_gate_resp_fail(resp, "malformed reply");
    }

    if (size > NGX_GATE_RESP_BUFFER_MAX) {
        redisReaderFree(resp->reader);
        resp->reader = NULL;
    }

    *reply = r;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_resp_no_memory(ngx_gate_resp_t *resp)
{
    ngx_gate_resp_fail(resp, "no memory for a reply");

    resp->reason = NGX_GATE_NO_MEMORY;

    return NGX_ERROR;
}


static ngx_int_t ngx_cdecl
ngx_gate_resp_fail(ngx_gate_resp_t *resp, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(resp->error, resp->error + NGX_GATE_RESP_ERROR_MAX, fmt,
                      args);
    va_end(args);

    resp->error_len = p - resp->error;
    resp->reason = NGX_GATE_PROTOCOL;

    return NGX_ERROR;
}


ngx_gate_reason_e
ngx_gate_resp_reason(redisReply *reply, ngx_str_t *known)
{
    ngx_gate_resp_error_t  *error;

    for (error = ngx_gate_resp_errors; error->text.len; error++) {

        if (reply->len >= error->text.len
            && ngx_strncmp(reply->str, error->text.data, error->text.len)
               == 0)
        {
            break;
        }
    }

    *known = error->text;

    return error->reason;
}


const char *
ngx_gate_resp_type(redisReply *reply)
{
    switch (reply->type) {

    case REDIS_REPLY_STRING:
        return "a string";

    case REDIS_REPLY_ARRAY:
        return "a list";

    case REDIS_REPLY_INTEGER:
        return "a number";

    case REDIS_REPLY_NIL:
        return "nothing";

    case REDIS_REPLY_STATUS:
        return "a status";

    default:
        return "an error";
    }
}


ngx_int_t
ngx_gate_resp_redirect(redisReply *reply, const char *word, ngx_str_t *host,
    in_port_t *port)
{
    u_char     *p, *last, *colon;
    size_t      len;
    ngx_int_t   n;

    len = ngx_strlen(word);

    if (reply->type != REDIS_REPLY_ERROR
        || (size_t) reply->len <= len
        || ngx_strncmp(reply->str, word, len) != 0
        || reply->str[len] != ' ')
    {
        return NGX_DECLINED;
    }

    last = (u_char *) reply->str + reply->len;

    /* the slot, then the address */

    p = ngx_strlchr((u_char *) reply->str + len + 1, last, ' ');

    if (p == NULL) {
        return NGX_ERROR;
    }

    p++;

    for (colon = last - 1; colon >= p && *colon != ':'; colon--) {
        if (*colon < '0' || *colon > '9') {
            return NGX_ERROR;
        }
    }

    if (colon < p) {
        return NGX_ERROR;
    }

    n = ngx_atoi(colon + 1, last - colon - 1);

    if (n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;

    host->data = p;
    host->len = colon - p;

    /* "?": the server does not know how it is reached */

    if (host->len == 1 && *p == '?') {
        host->len = 0;
    }

    return NGX_OK;
}


ngx_int_t
ngx_gate_resp_command(ngx_pool_t *pool, ngx_str_t *command, ngx_str_t *words,
    ngx_uint_t n)
{
    char         *text;
    size_t        lens[NGX_GATE_RESP_WORDS_MAX];
    long long     size;
    ngx_uint_t    i;
    const char   *argv[NGX_GATE_RESP_WORDS_MAX];

    for (i = 0; i < n; i++) {
        argv[i] = (const char *) words[i].data;
        lens[i] = words[i].len;
    }

    size = redisFormatCommandArgv(&text, (int) n, argv, lens);

    if (size < 0) {
        return NGX_ERROR;
    }

    command->len = (size_t) size;
    command->data = ngx_pnalloc(pool, command->len);

    if (command->data) {
        ngx_memcpy(command->data, text, command->len);
    }

    /* it may hold a password */

    ngx_explicit_memzero(text, command->len);
    redisFreeCommand(text);

    return command->data ? NGX_OK : NGX_ERROR;
}
