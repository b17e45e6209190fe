
/*
 * Replies of Redis: read in any pieces, and refused before they need much
 * memory.
 */


#include <unit.h>
#include <ngx_gate_resp.h>


static void unit_pieces(void);
static void unit_refused(void);
static void unit_large(void);
static void unit_redirect(void);
static void unit_reasons(void);
static ngx_int_t unit_read(ngx_gate_resp_t *resp, const char *text,
    size_t len, size_t piece, redisReply **reply, size_t *left);
static redisReply *unit_reply(ngx_gate_resp_t *resp, const char *text);


static struct {
    const char  *text;
    int          type;
    const char  *str;
} unit_replies[] = {
    { "+PONG\r\n",                        REDIS_REPLY_STATUS, "PONG" },
    { "+\r\n",                            REDIS_REPLY_STATUS, "" },
    { "-ERR no\r\n",                      REDIS_REPLY_ERROR, "ERR no" },
    { ":42\r\n",                          REDIS_REPLY_INTEGER, NULL },
    { ":-1\r\n",                          REDIS_REPLY_INTEGER, NULL },
    { "$5\r\nhello\r\n",                  REDIS_REPLY_STRING, "hello" },
    { "$0\r\n\r\n",                       REDIS_REPLY_STRING, "" },
    { "$2\r\n\r\n\r\n",                   REDIS_REPLY_STRING, "\r\n" },
    { "$-1\r\n",                          REDIS_REPLY_NIL, NULL },
    { "*-1\r\n",                          REDIS_REPLY_NIL, NULL },
    { "*0\r\n",                           REDIS_REPLY_ARRAY, NULL },
    { "*2\r\n$1\r\na\r\n:3\r\n",          REDIS_REPLY_ARRAY, NULL },
    { "*3\r\n*0\r\n*1\r\n*1\r\n+x\r\n$-1\r\n", REDIS_REPLY_ARRAY, NULL },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+deep\r\n",
      REDIS_REPLY_ARRAY, NULL },
    { NULL, 0, NULL }
};


static const char  *unit_bad[] = {
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "\r\n",
    "\026\003\001",
    ":x\r\n",
    ":\r\n",
    ":99999999999999999999\r\n",
    "$\r\n",
    "$x\r\n",
    "$ 1\r\n",
    "$+1\r\n",
    "$1x\r\n",
    "$-\r\n",
    "$-2\r\n",
    "$--1\r\n",
    "$-1000000000000000000000\r\n",
    "$18446744073709551615\r\n",
    "$184467440737095516160\r\n",
    "*\r\n",
    "*-2\r\n",
    "*1000000000\r\n",
    "*4097\r\n",
    "*2\r\n*4095\r\n",
    "*1\r\nHTTP",
    NULL
};


static struct {
    const char         *text;
    ngx_gate_reason_e   reason;
} unit_errors[] = {
    { "-LOADING Redis is loading the dataset in memory\r\n",
      NGX_GATE_LOADING },
    { "-NOAUTH Authentication required.\r\n", NGX_GATE_AUTH },
    { "-WRONGPASS invalid username-password pair\r\n", NGX_GATE_AUTH },
    { "-ERR invalid password\r\n", NGX_GATE_AUTH },
    { "-NOPERM this user has no permissions\r\n", NGX_GATE_DENIED },
    { "-DENIED Redis is running in protected mode\r\n", NGX_GATE_DENIED },
    { "-WRONGTYPE Operation against a key\r\n", NGX_GATE_WRONG_TYPE },
    { "-CLUSTERDOWN Hash slot not served\r\n", NGX_GATE_STARTING_UP },
    { "-ERR max number of clients reached\r\n",
      NGX_GATE_TOO_MANY_CONNECTIONS },
    { "-ERR unknown command 'X'\r\n", NGX_GATE_QUERY },
    { "-LOADINGS of trouble\r\n", NGX_GATE_QUERY },
    { "-\r\n", NGX_GATE_QUERY },
    { NULL, 0 }
};


static struct {
    const char  *text;
    ngx_int_t    rc;
    const char  *host;
    ngx_uint_t   port;
} unit_redirects[] = {
    { "-MOVED 3999 127.0.0.1:6381\r\n", NGX_OK, "127.0.0.1", 6381 },
    { "-MOVED 3999 node-1.cluster:7\r\n", NGX_OK, "node-1.cluster", 7 },
    { "-MOVED 3999 ::1:6381\r\n", NGX_OK, "::1", 6381 },
    { "-MOVED 3999 :6381\r\n", NGX_OK, "", 6381 },
    { "-MOVED 3999 ?:6381\r\n", NGX_OK, "", 6381 },
    { "-MOVED 3999 a:65535\r\n", NGX_OK, "a", 65535 },
    { "-MOVED 3999 a:65536\r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999 a:0\r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999 a:\r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999 a:x\r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999 6381\r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999 \r\n", NGX_ERROR, "", 0 },
    { "-MOVED 3999\r\n", NGX_ERROR, "", 0 },
    { "-MOVED \r\n", NGX_ERROR, "", 0 },
    { "-MOVED\r\n", NGX_DECLINED, "", 0 },
    { "-MOVEDED 1 a:1\r\n", NGX_DECLINED, "", 0 },
    { "-ASK 1 a:1\r\n", NGX_DECLINED, "", 0 },
    { "+MOVED 1 a:1\r\n", NGX_DECLINED, "", 0 },
    { NULL, 0, NULL, 0 }
};


static void
unit(void)
{
    unit_pieces();
    unit_refused();
    unit_large();
    unit_redirect();
    unit_reasons();
}


static void
unit_pieces(void)
{
    size_t            left, len, piece;
    ngx_int_t         rc;
    ngx_uint_t        i, good;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));

    for (i = 0; unit_replies[i].text; i++) {
        len = ngx_strlen(unit_replies[i].text);
        good = 0;

        for (piece = 1; piece <= len; piece++) {
            rc = unit_read(&resp, unit_replies[i].text, len, piece, &reply,
                           &left);

            if (rc != NGX_OK) {
                break;
            }

            if (left == 0
                && !ngx_gate_resp_is_pending(&resp)
                && reply->type == unit_replies[i].type
                && (unit_replies[i].str == NULL
                    || ((size_t) reply->len == ngx_strlen(unit_replies[i].str)
                        && ngx_memcmp(reply->str, unit_replies[i].str,
                                      reply->len)
                           == 0)))
            {
                good++;
            }

            freeReplyObject(reply);
        }

        ok(good == len, "reply %u in pieces of every size", (unsigned) i);
    }

    rc = unit_read(&resp, "+a\r\n+b\r\n", 8, 8, &reply, &left);
    ok(rc == NGX_OK && ngx_gate_resp_is_pending(&resp),
       "two replies: the second one is pending");
    freeReplyObject(reply);

    rc = unit_read(&resp, "", 0, 1, &reply, &left);
    ok(rc == NGX_OK && !ngx_gate_resp_is_pending(&resp)
       && reply->type == REDIS_REPLY_STATUS && reply->str[0] == 'b',
       "two replies: the second one without further bytes");
    freeReplyObject(reply);

    ngx_gate_resp_reset(&resp);
}


static void
unit_refused(void)
{
    size_t            left;
    ngx_int_t         rc;
    ngx_uint_t        i;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));

    for (i = 0; unit_bad[i]; i++) {
        rc = unit_read(&resp, unit_bad[i], ngx_strlen(unit_bad[i]), 1, &reply,
                       &left);

        ok(rc == NGX_ERROR && resp.error.reason == NGX_GATE_PROTOCOL
           && resp.error.len,
           "%.*s: %.*s", (int) strcspn(unit_bad[i], "\r\026"), unit_bad[i],
           (int) resp.error.len, resp.error.text);

        ngx_gate_resp_reset(&resp);
    }
}


static void
unit_large(void)
{
    size_t            left, len;
    u_char           *text, *p;
    ngx_int_t         rc;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));

    text = ngx_palloc(unit_pool, 200000);

    if (text == NULL) {
        return;
    }

    ngx_memset(text, 'x', 200000);

    p = ngx_sprintf(text, "$65536" CRLF);
    *p = 'x';
    len = p - text + 65536;
    text[len++] = CR;
    text[len++] = LF;

    rc = unit_read(&resp, (char *) text, len, 16384, &reply, &left);
    ok(rc == NGX_OK && reply->len == 65536, "string of 64 KiB: read");
    freeReplyObject(reply);

    ok(resp.reader == NULL, "string of 64 KiB: its memory is freed");

    ngx_memset(text, 'x', 200000);
    text[0] = '+';

    rc = unit_read(&resp, (char *) text, 200000, 16384, &reply, &left);
    ok(rc == NGX_ERROR && left >= 200000 - NGX_GATE_RESP_SIZE_MAX - 16384,
       "line without an end: error");

    ngx_gate_resp_reset(&resp);

    (void) ngx_cpymem(text, "$4611686018427387904" CRLF, 22);

    rc = unit_read(&resp, (char *) text, 200000, 16384, &reply, &left);
    ok(rc == NGX_ERROR && left >= 200000 - NGX_GATE_RESP_SIZE_MAX - 16384,
       "string of 4 EiB: error");

    ngx_gate_resp_reset(&resp);

    len = 0;

    while (len < 8 * 1024) {
        text[len++] = '*';
        text[len++] = '1';
        text[len++] = CR;
        text[len++] = LF;
    }

    rc = unit_read(&resp, (char *) text, len, 16384, &reply, &left);
    ok(rc == NGX_ERROR || rc == NGX_AGAIN, "2048 nested arrays: not read");

    ngx_gate_resp_reset(&resp);

    p = ngx_sprintf(text, "*2" CRLF "*3000" CRLF);
    while (p < text + 100000) {
        p = ngx_cpymem(p, ":1" CRLF, 4);
    }

    rc = unit_read(&resp, (char *) text, p - text, 16384, &reply, &left);
    ok(rc == NGX_OK && reply->elements == 2
       && reply->element[0]->elements == 3000, "3002 items: complete");
    freeReplyObject(reply);

    ngx_gate_resp_reset(&resp);
}


static void
unit_redirect(void)
{
    ngx_int_t         rc;
    ngx_str_t         host;
    ngx_uint_t        i;
    in_port_t         port;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));

    for (i = 0; unit_redirects[i].text; i++) {
        reply = unit_reply(&resp, unit_redirects[i].text);

        ngx_str_null(&host);
        port = 0;

        rc = ngx_gate_resp_redirect(reply, "MOVED", &host, &port);

        ok(rc == unit_redirects[i].rc
           && (rc != NGX_OK
               || (host.len == ngx_strlen(unit_redirects[i].host)
                   && ngx_memcmp(host.data, unit_redirects[i].host, host.len)
                      == 0
                   && port == unit_redirects[i].port)),
           "%.*s", (int) strcspn(unit_redirects[i].text, "\r"),
           unit_redirects[i].text);

        freeReplyObject(reply);
    }

    ngx_gate_resp_reset(&resp);
}


static void
unit_reasons(void)
{
    ngx_str_t         known;
    ngx_uint_t        i;
    redisReply       *reply;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));

    for (i = 0; unit_errors[i].text; i++) {
        reply = unit_reply(&resp, unit_errors[i].text);

        ok(ngx_gate_resp_reason(reply, &known) == unit_errors[i].reason,
           "%.*s", (int) strcspn(unit_errors[i].text, "\r"),
           unit_errors[i].text);

        freeReplyObject(reply);
    }

    ngx_gate_resp_reset(&resp);
}


static ngx_int_t
unit_read(ngx_gate_resp_t *resp, const char *text, size_t len, size_t piece,
    redisReply **reply, size_t *left)
{
    size_t     n;
    ngx_buf_t  in;
    ngx_int_t  rc;

    do {
        n = ngx_min(piece, len);

        ngx_memzero(&in, sizeof(ngx_buf_t));
        in.pos = (u_char *) text;
        in.last = in.pos + n;

        rc = ngx_gate_resp_read(resp, &in, reply);

        len -= in.pos - (u_char *) text;
        text = (const char *) in.pos;

    } while (len && rc == NGX_AGAIN);

    *left = len;

    return rc;
}


static redisReply *
unit_reply(ngx_gate_resp_t *resp, const char *text)
{
    size_t       left;
    redisReply  *reply;

    if (unit_read(resp, text, ngx_strlen(text), 7, &reply, &left) != NGX_OK) {
        exit(3);
    }

    return reply;
}
