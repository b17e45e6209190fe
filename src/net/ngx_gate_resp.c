
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Replies in Redis' protocol; see ngx_gate_resp.h.
 */


#include <ngx_gate_resp.h>


/* a reader that has read more is not kept for the next reply */

#define NGX_GATE_RESP_BUFFER_MAX  4096


/* of an array, in hiredis before 1.0 and since then */

#if (HIREDIS_MAJOR < 1)
typedef int     ngx_gate_resp_elements_t;
#else
typedef size_t  ngx_gate_resp_elements_t;
#endif


typedef struct {
    ngx_str_t                 text;
    ngx_gate_reason_e         reason;
} ngx_gate_resp_error_t;


static ngx_int_t ngx_gate_resp_feed(ngx_gate_resp_t *resp, ngx_buf_t *in);
static ngx_int_t ngx_gate_resp_create_reader(ngx_gate_resp_t *resp);
static void *ngx_gate_resp_create_array(const redisReadTask *task,
    ngx_gate_resp_elements_t elements);
static ngx_int_t ngx_gate_resp_fail(ngx_gate_resp_t *resp,
    ngx_gate_reason_e reason, const char *text);


/* those of hiredis, except for createArray() */

static redisReplyObjectFunctions  ngx_gate_resp_functions;

static void *(*ngx_gate_resp_create_array_default)(const redisReadTask *task,
    ngx_gate_resp_elements_t elements);


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
    redisReader  *reader;

    if (ngx_gate_resp_feed(resp, in) != NGX_OK) {
        return ngx_gate_resp_fail(resp, NGX_GATE_NO_MEMORY, "no memory");
    }

    reader = resp->reader;

    if (reader == NULL) {
        return NGX_AGAIN;
    }

    if (redisReaderGetReply(reader, (void **) reply) != REDIS_OK) {

        if (resp->items > NGX_GATE_RESP_ITEMS_MAX) {
            return ngx_gate_resp_fail(resp, NGX_GATE_PROTOCOL,
                                      "response is too large");
        }

        return ngx_gate_resp_fail(resp, reader->err == REDIS_ERR_OOM
                                        ? NGX_GATE_NO_MEMORY
                                        : NGX_GATE_PROTOCOL, reader->errstr);
    }

    if (*reply == NULL) {

        if (resp->size > NGX_GATE_RESP_SIZE_MAX) {
            return ngx_gate_resp_fail(resp, NGX_GATE_PROTOCOL,
                                      "response is too large");
        }

        return NGX_AGAIN;
    }

    if (!ngx_gate_resp_is_pending(resp)
        && resp->size > NGX_GATE_RESP_BUFFER_MAX)
    {
        redisReaderFree(reader);
        resp->reader = NULL;
        resp->size = 0;

    } else {
        resp->size = reader->len - reader->pos;
    }

    resp->items = 0;

    return NGX_OK;
}


ngx_uint_t
ngx_gate_resp_is_pending(ngx_gate_resp_t *resp)
{
    return resp->reader && resp->reader->pos < resp->reader->len;
}


void
ngx_gate_resp_reset(ngx_gate_resp_t *resp)
{
    if (resp->reader) {
        redisReaderFree(resp->reader);
    }

    ngx_memzero(resp, sizeof(ngx_gate_resp_t));
}


static ngx_int_t
ngx_gate_resp_feed(ngx_gate_resp_t *resp, ngx_buf_t *in)
{
    size_t  size;

    size = in->last - in->pos;

    if (size == 0) {
        return NGX_OK;
    }

    if (resp->reader == NULL && ngx_gate_resp_create_reader(resp) != NGX_OK) {
        return NGX_ERROR;
    }

    if (redisReaderFeed(resp->reader, (char *) in->pos, size) != REDIS_OK) {
        return NGX_ERROR;
    }

    in->pos = in->last;
    resp->size += size;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_resp_create_reader(ngx_gate_resp_t *resp)
{
    redisReader  *reader;

    reader = redisReaderCreate();

    if (reader == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_resp_create_array_default = reader->fn->createArray;

    ngx_gate_resp_functions = *reader->fn;
    ngx_gate_resp_functions.createArray = ngx_gate_resp_create_array;

    reader->fn = &ngx_gate_resp_functions;
    reader->privdata = resp;

    /* hiredis 0.14 replaces a large buffer, and asserts that it can */
    reader->maxbuf = 0;

    resp->reader = reader;

    return NGX_OK;
}


/* NULL is an error "out of memory" to hiredis */

static void *
ngx_gate_resp_create_array(const redisReadTask *task,
    ngx_gate_resp_elements_t elements)
{
    ngx_gate_resp_t  *resp;

    resp = task->privdata;

    if ((size_t) elements > NGX_GATE_RESP_ITEMS_MAX - resp->items) {
        resp->items = NGX_GATE_RESP_ITEMS_MAX + 1;
        return NULL;
    }

    resp->items += elements;

    return ngx_gate_resp_create_array_default(task, elements);
}


static ngx_int_t
ngx_gate_resp_fail(ngx_gate_resp_t *resp, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_error_set(&resp->error, reason, "%s", text);

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


void
ngx_gate_resp_set_error(redisReply *reply, ngx_gate_error_t *error)
{
    ngx_str_t  known;

    ngx_gate_error_set(error, ngx_gate_resp_reason(reply, &known), "%*s",
                       (size_t) reply->len, reply->str);
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
        return "a null";

    case REDIS_REPLY_STATUS:
        return "a status";

    case REDIS_REPLY_ERROR:
        return "an error";

    default:
        return "a type of another protocol version";
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
