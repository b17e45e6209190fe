
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pointer is taken apart when the configuration is read; the body is read
 * by jansson, whose numbers are all read as reals, so that none is too large.
 */


#include <ngx_gate.h>
#include <ngx_gate_match.h>
#include <ngx_gate_number.h>
#include <ngx_gate_check_http_json.h>

#include <jansson.h>


#define NGX_GATE_CHECK_HTTP_JSON_FLAGS                                        \
    (JSON_ALLOW_NUL|JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL)

#define NGX_GATE_CHECK_HTTP_JSON_DIGITS    15    /* of a real */
#define NGX_GATE_CHECK_HTTP_JSON_EXACT     9007199254740992.0    /* 2^53 */

#define NGX_GATE_CHECK_HTTP_JSON_SHOW_MAX  64


typedef struct {
    ngx_gate_check_http_json_t  *conf;
    void                        *match;     /* ngx_regex_t */
    json_t                      *value;
    ngx_str_t                    text;      /* the value as it is compared */
    ngx_gate_result_t           *result;
    ngx_str_t                    shown;     /* the begin of the value */
    u_char                       buf[NGX_GATE_CHECK_HTTP_JSON_SHOW_MAX + 3];
} ngx_gate_check_http_json_ctx_t;


static size_t ngx_gate_check_http_json_token(u_char *dst, u_char *p,
    u_char *last);
static void ngx_gate_check_http_json_error(ngx_gate_check_http_json_ctx_t *ctx,
    json_error_t *error);
static json_t *ngx_gate_check_http_json_find(ngx_gate_check_http_json_t *conf,
    json_t *root);
static json_t *ngx_gate_check_http_json_item(json_t *array, ngx_str_t *token);
static void ngx_gate_check_http_json_value(
    ngx_gate_check_http_json_ctx_t *ctx);
static json_t *ngx_gate_check_http_json_whole(json_t *value);
static void ngx_gate_check_http_json_show(ngx_gate_check_http_json_ctx_t *ctx);
static void ngx_gate_check_http_json_compare(
    ngx_gate_check_http_json_ctx_t *ctx);
static void ngx_gate_check_http_json_match(
    ngx_gate_check_http_json_ctx_t *ctx);
static void ngx_gate_check_http_json_count(
    ngx_gate_check_http_json_ctx_t *ctx);
static ngx_int_t ngx_gate_check_http_json_number(
    ngx_gate_check_http_json_ctx_t *ctx, int64_t *number);
static void ngx_gate_check_http_json_missing(
    ngx_gate_check_http_json_ctx_t *ctx);
static void ngx_cdecl ngx_gate_check_http_json_end(
    ngx_gate_check_http_json_ctx_t *ctx, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...);


char *
ngx_gate_check_http_json_parse(ngx_conf_t *cf,
    ngx_gate_check_http_json_t *json, ngx_str_t *pointer)
{
    u_char     *p, *last, *end;
    ngx_str_t  *token;

    json->pointer = *pointer;

    json->tokens = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (json->tokens == NULL) {
        return "cannot be stored";
    }

    last = pointer->data + pointer->len;

    for (p = pointer->data; p < last; p = end) {

        if (*p++ != '/') {
            return "must begin with \"/\", as in /status/ready";
        }

        end = ngx_strlchr(p, last, '/');
        if (end == NULL) {
            end = last;
        }

        token = ngx_array_push(json->tokens);
        if (token == NULL) {
            return "cannot be stored";
        }

        token->data = ngx_pcalloc(cf->pool, end - p + 1);
        if (token->data == NULL) {
            return "cannot be stored";
        }

        token->len = ngx_gate_check_http_json_token(token->data, p, end);

        if (token->len == (size_t) NGX_ERROR) {
            return "has a \"~\" that is not followed by \"0\" or \"1\"";
        }
    }

    return NULL;
}


/* "~1" is "/", "~0" is "~" */

static size_t
ngx_gate_check_http_json_token(u_char *dst, u_char *p, u_char *last)
{
    u_char  *start;

    for (start = dst; p < last; p++) {

        if (*p != '~') {
            *dst++ = *p;
            continue;
        }

        if (++p == last || (*p != '0' && *p != '1')) {
            return (size_t) NGX_ERROR;
        }

        *dst++ = (*p == '0') ? '~' : '/';
    }

    return dst - start;
}


void
ngx_gate_check_http_json_evaluate(ngx_gate_check_http_json_t *json,
    void *match, ngx_str_t *body, ngx_gate_result_t *result)
{
    json_t                          *root;
    json_error_t                     error;
    ngx_gate_check_http_json_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_gate_check_http_json_ctx_t));

    ctx.conf = json;
    ctx.match = match;
    ctx.result = result;

    ngx_memzero(result, sizeof(ngx_gate_result_t));

    result->observed = -1;
    result->expected = -1;

    root = json_loadb((char *) body->data, body->len,
                      NGX_GATE_CHECK_HTTP_JSON_FLAGS, &error);

    if (root == NULL) {
        ngx_gate_check_http_json_error(&ctx, &error);
        return;
    }

    ctx.value = ngx_gate_check_http_json_find(json, root);

    if (ctx.value) {
        ngx_gate_check_http_json_value(&ctx);

    } else {
        ngx_gate_check_http_json_missing(&ctx);
    }

    json_decref(root);
}


/* the text of jansson's error repeats a part of the body */

static void
ngx_gate_check_http_json_error(ngx_gate_check_http_json_ctx_t *ctx,
    json_error_t *error)
{
    ngx_gate_result_t  *result;

    result = ctx->result;

    result->verdict = NGX_GATE_ERROR;

    if (json_error_code(error) == json_error_out_of_memory) {
        result->reason = NGX_GATE_NO_MEMORY;
        result->message_len = ngx_sprintf(result->message, "no memory")
                              - result->message;
        return;
    }

    result->reason = NGX_GATE_PROTOCOL;
    result->message_len = ngx_sprintf(result->message, "the body is not JSON, "
                                      "line %d, column %d", error->line,
                                      error->column)
                          - result->message;
}


static json_t *
ngx_gate_check_http_json_find(ngx_gate_check_http_json_t *conf, json_t *root)
{
    json_t      *value;
    ngx_str_t   *token;
    ngx_uint_t   i;

    value = root;
    token = conf->tokens->elts;

    for (i = 0; i < conf->tokens->nelts && value; i++) {

        if (json_is_object(value)) {
            value = json_object_get(value, (char *) token[i].data);

        } else {
            value = ngx_gate_check_http_json_item(value, &token[i]);
        }
    }

    return value;
}


static json_t *
ngx_gate_check_http_json_item(json_t *array, ngx_str_t *token)
{
    ngx_int_t  n;

    n = ngx_atoi(token->data, token->len);

    if (!json_is_array(array) || n == NGX_ERROR
        || (token->data[0] == '0' && token->len > 1))
    {
        return NULL;
    }

    return json_array_get(array, n);
}


static void
ngx_gate_check_http_json_value(ngx_gate_check_http_json_ctx_t *ctx)
{
    char    *dump;
    json_t  *whole;

    if (json_is_string(ctx->value)) {
        ctx->text.data = (u_char *) json_string_value(ctx->value);
        ctx->text.len = json_string_length(ctx->value);
        ngx_gate_check_http_json_compare(ctx);
        return;
    }

    if ((json_is_array(ctx->value) || json_is_object(ctx->value))
        && ctx->match == NULL && ctx->conf->value.len == 0)
    {
        /* only its size matters, and its text takes long to write */

        ngx_gate_check_http_json_compare(ctx);
        return;
    }

    whole = ngx_gate_check_http_json_whole(ctx->value);

    dump = json_dumps(whole, JSON_COMPACT|JSON_ENCODE_ANY
                             |JSON_REAL_PRECISION(
                                              NGX_GATE_CHECK_HTTP_JSON_DIGITS));
    json_decref(whole);

    if (dump == NULL) {
        ngx_gate_check_http_json_end(ctx, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                                     "cannot be read: no memory");
        return;
    }

    ctx->text.data = (u_char *) dump;
    ctx->text.len = ngx_strlen(dump);
    ngx_gate_check_http_json_compare(ctx);

    free(dump);
}


/* whole numbers are written without a fraction again */

static json_t *
ngx_gate_check_http_json_whole(json_t *value)
{
    size_t       i;
    double       n;
    json_t      *item;
    const char  *key;

    switch (json_typeof(value)) {

    case JSON_REAL:
        n = json_real_value(value);

        if (n < NGX_GATE_CHECK_HTTP_JSON_EXACT
            && n > -NGX_GATE_CHECK_HTTP_JSON_EXACT
            && n == (double) (json_int_t) n)
        {
            return json_integer((json_int_t) n);
        }

        break;

    case JSON_ARRAY:
        json_array_foreach(value, i, item) {
            (void) json_array_set_new(value, i,
                                      ngx_gate_check_http_json_whole(item));
        }

        break;

    case JSON_OBJECT:
        json_object_foreach(value, key, item) {
            (void) json_object_set_new_nocheck(value, key,
                                          ngx_gate_check_http_json_whole(item));
        }

        break;

    default:
        break;
    }

    return json_incref(value);
}


static void
ngx_gate_check_http_json_show(ngx_gate_check_http_json_ctx_t *ctx)
{
    ctx->shown = ctx->text;

    if (ctx->text.len > NGX_GATE_CHECK_HTTP_JSON_SHOW_MAX) {
        ctx->shown.data = ctx->buf;
        ctx->shown.len = ngx_sprintf(ctx->buf, "%*s...",
                                   (size_t) NGX_GATE_CHECK_HTTP_JSON_SHOW_MAX,
                                   ctx->text.data)
                         - ctx->buf;
    }
}


static void
ngx_gate_check_http_json_compare(ngx_gate_check_http_json_ctx_t *ctx)
{
    ngx_gate_check_http_json_t  *conf;

    ngx_gate_check_http_json_show(ctx);

    conf = ctx->conf;

    if (conf->min) {
        ngx_gate_check_http_json_count(ctx);
        return;
    }

    if (ctx->match) {
        ngx_gate_check_http_json_match(ctx);
        return;
    }

    if (conf->value.len && !ngx_gate_str_eq(&conf->value, &ctx->text)) {
        ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                                     "is \"%V\", not \"%V\"", &ctx->shown,
                                     &conf->value);
        return;
    }

    if (conf->value.len == 0
        && (json_is_null(ctx->value) || json_is_false(ctx->value)))
    {
        ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                                     "is %V", &ctx->shown);
        return;
    }

    ctx->result->verdict = NGX_GATE_PASSED;
}


static void
ngx_gate_check_http_json_match(ngx_gate_check_http_json_ctx_t *ctx)
{
#if (NGX_PCRE)

    switch (ngx_gate_match_exec(ctx->match, &ctx->text)) {

    case NGX_OK:
        ctx->result->verdict = NGX_GATE_PASSED;
        return;

    case NGX_DECLINED:
        ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                                     "is \"%V\", which does not match",
                                     &ctx->shown);
        return;

    default:
        ngx_gate_check_http_json_end(ctx, NGX_GATE_ERROR, NGX_GATE_TIMEOUT,
                                     "is \"%V\", on which the expression "
                                     "takes too long", &ctx->shown);
    }

#endif
}


static void
ngx_gate_check_http_json_count(ngx_gate_check_http_json_ctx_t *ctx)
{
    int64_t              number;
    ngx_gate_result_t   *result;

    if (ngx_gate_check_http_json_number(ctx, &number) != NGX_OK) {
        ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_MISMATCH,
                                     "is \"%V\", which is not a number",
                                     &ctx->shown);
        return;
    }

    result = ctx->result;
    result->observed = number;
    result->expected = ctx->conf->min;

    if (number >= result->expected) {
        result->verdict = NGX_GATE_PASSED;
        return;
    }

    if (json_is_array(ctx->value) || json_is_object(ctx->value)) {
        ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                                     "has %L elements, not yet %L", number,
                                     result->expected);
        return;
    }

    ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                                 "is %V, not yet %L", &ctx->shown,
                                 result->expected);
}


static ngx_int_t
ngx_gate_check_http_json_number(ngx_gate_check_http_json_ctx_t *ctx,
    int64_t *number)
{
    double     n;
    ngx_str_t  text;

    switch (json_typeof(ctx->value)) {

    case JSON_ARRAY:
        *number = json_array_size(ctx->value);
        return NGX_OK;

    case JSON_OBJECT:
        *number = json_object_size(ctx->value);
        return NGX_OK;

    case JSON_STRING:
        text = ctx->text;
        return ngx_gate_number_parse(&text, number);

    case JSON_REAL:
        n = json_real_value(ctx->value);
        *number = (n < 0) ? 0
                  : (n < (double) INT64_MAX) ? (int64_t) n : INT64_MAX;
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


static void
ngx_gate_check_http_json_missing(ngx_gate_check_http_json_ctx_t *ctx)
{
    if (ctx->conf->min) {
        ctx->result->observed = 0;
        ctx->result->expected = ctx->conf->min;
    }

    ngx_gate_check_http_json_end(ctx, NGX_GATE_WAITING, NGX_GATE_MISSING,
                                 "is not in the body");
}


static void ngx_cdecl
ngx_gate_check_http_json_end(ngx_gate_check_http_json_ctx_t *ctx,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason, const char *fmt, ...)
{
    u_char             *p, *last;
    va_list             args;
    ngx_gate_result_t  *result;

    result = ctx->result;

    result->verdict = verdict;
    result->reason = reason;

    p = result->message;
    last = p + NGX_GATE_MESSAGE_MAX;

    if (ctx->conf->pointer.len) {
        p = ngx_slprintf(p, last, "\"%V\" ", &ctx->conf->pointer);

    } else {
        p = ngx_slprintf(p, last, "the body ");
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    result->message_len = p - result->message;
}
