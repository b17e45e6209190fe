
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the replies of a Redis server mean to a check.
 */


#include <ngx_gate_check_redis.h>
#include <ngx_gate_match.h>
#include <ngx_gate_number.h>


/* each byte may need an escape */

#define NGX_GATE_CHECK_REDIS_VERDICT_BUF                                      \
    (2 * NGX_GATE_CHECK_REDIS_SHOW_MAX + sizeof("...") - 1)


typedef struct {
    ngx_str_t                 name;
    const char               *text;
    const char               *things;
} ngx_gate_check_redis_verdict_type_t;


static ngx_int_t ngx_gate_check_redis_verdict_ping(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_verdict_exists(
    ngx_gate_check_redis_state_t *state, redisReply *reply,
    const char *command);
static ngx_int_t ngx_gate_check_redis_verdict_key(
    ngx_gate_check_redis_state_t *state, redisReply *type, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_verdict_key_type(
    ngx_gate_check_redis_state_t *state, redisReply *type,
    ngx_gate_check_redis_type_e key_type);
static ngx_int_t ngx_gate_check_redis_verdict_count(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_verdict_size(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_verdict_text(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_verdict_value(
    ngx_gate_check_redis_state_t *state, ngx_str_t *text);
static ngx_int_t ngx_gate_check_redis_verdict_number(
    ngx_gate_check_redis_state_t *state, ngx_str_t *text);
static ngx_int_t ngx_gate_check_redis_verdict_passed(
    ngx_gate_check_redis_state_t *state);
static ngx_int_t ngx_gate_check_redis_verdict_missing(
    ngx_gate_check_redis_state_t *state);
static ngx_int_t ngx_gate_check_redis_verdict_unexpected(
    ngx_gate_check_redis_state_t *state, redisReply *reply,
    const char *command);
static ngx_int_t ngx_cdecl ngx_gate_check_redis_verdict_end(
    ngx_gate_check_redis_state_t *state, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...);
static ngx_str_t ngx_gate_check_redis_verdict_show(u_char *buf,
    ngx_str_t *text);


static ngx_gate_check_redis_verdict_type_t
    ngx_gate_check_redis_verdict_types[] = {

    { ngx_string("string"), "a string", "" },
    { ngx_string("hash"), "a hash", "fields" },
    { ngx_string("list"), "a list", "elements" },
    { ngx_string("set"), "a set", "members" },
    { ngx_string("zset"), "a sorted set", "members" },
    { ngx_string("stream"), "a stream", "entries" }
};


ngx_gate_check_redis_type_e
ngx_gate_check_redis_verdict_type(const char *name, size_t len)
{
    ngx_uint_t  i;
    ngx_str_t  *known;

    for (i = 0; i < NGX_GATE_CHECK_REDIS_TYPES; i++) {
        known = &ngx_gate_check_redis_verdict_types[i].name;

        if (known->len == len && ngx_strncmp(known->data, name, len) == 0) {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_gate_check_redis_verdict(ngx_gate_check_redis_state_t *state,
    redisReply **replies, ngx_uint_t n)
{
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    switch (conf->test) {

    case NGX_GATE_CHECK_REDIS_PING:
        return ngx_gate_check_redis_verdict_ping(state, replies[0]);

    case NGX_GATE_CHECK_REDIS_EXISTS:
        return ngx_gate_check_redis_verdict_exists(state, replies[0], "EXISTS");

    default:
        return ngx_gate_check_redis_verdict_key(state, replies[0],
                                                n > 1 ? replies[1] : NULL);
    }
}


static ngx_int_t
ngx_gate_check_redis_verdict_ping(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STATUS) {
        return ngx_gate_check_redis_verdict_unexpected(state, reply, "PING");
    }

    return ngx_gate_check_redis_verdict_passed(state);
}


static ngx_int_t
ngx_gate_check_redis_verdict_exists(ngx_gate_check_redis_state_t *state,
    redisReply *reply, const char *command)
{
    if (reply->type != REDIS_REPLY_INTEGER) {
        return ngx_gate_check_redis_verdict_unexpected(state, reply, command);
    }

    return reply->integer ? ngx_gate_check_redis_verdict_passed(state)
                          : ngx_gate_check_redis_verdict_missing(state);
}


/* "reply" is NULL if the type was not known */

static ngx_int_t
ngx_gate_check_redis_verdict_key(ngx_gate_check_redis_state_t *state,
    redisReply *type, redisReply *reply)
{
    ngx_int_t                     rc;
    ngx_gate_check_redis_type_e   key_type;
    ngx_gate_check_redis_conf_t  *conf;

    if (type->type != REDIS_REPLY_STATUS) {
        return ngx_gate_check_redis_verdict_unexpected(state, type, "TYPE");
    }

    key_type = ngx_gate_check_redis_verdict_type(type->str, type->len);

    rc = ngx_gate_check_redis_verdict_key_type(state, type, key_type);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (reply == NULL || key_type != state->key_type) {
        state->key_type = key_type;
        return NGX_AGAIN;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_gate_check_redis_verdict_error_reply(state, reply);
        return NGX_OK;
    }

    conf = state->probe->check->conf;

    switch (conf->test) {

    case NGX_GATE_CHECK_REDIS_FIELD:
        return ngx_gate_check_redis_verdict_exists(state, reply, "HEXISTS");

    case NGX_GATE_CHECK_REDIS_FIELD_VALUE:
        return state->size_known
               ? ngx_gate_check_redis_verdict_text(state, reply)
               : ngx_gate_check_redis_verdict_size(state, reply);

    default:
        return key_type == NGX_GATE_CHECK_REDIS_STRING
               ? ngx_gate_check_redis_verdict_text(state, reply)
               : ngx_gate_check_redis_verdict_count(state, reply);
    }
}


/* NGX_DECLINED: the type is right, the verdict depends on the value */

static ngx_int_t
ngx_gate_check_redis_verdict_key_type(ngx_gate_check_redis_state_t *state,
    redisReply *type, ngx_gate_check_redis_type_e key_type)
{
    u_char                        buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    ngx_str_t                     name;
    const char                   *text, *wanted;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    if (type->len == 4 && ngx_strncmp(type->str, "none", 4) == 0) {
        return ngx_gate_check_redis_verdict_missing(state);
    }

    if (conf->test == NGX_GATE_CHECK_REDIS_COUNT) {

        if (key_type != NGX_GATE_CHECK_REDIS_TYPES) {
            return NGX_DECLINED;
        }

        wanted = "which has no length";

    } else if (conf->test == NGX_GATE_CHECK_REDIS_VALUE) {

        if (key_type == NGX_GATE_CHECK_REDIS_STRING) {
            return NGX_DECLINED;
        }

        if (conf->any_value) {
            return ngx_gate_check_redis_verdict_passed(state);
        }

        wanted = "not a string";

    } else {

        if (key_type == NGX_GATE_CHECK_REDIS_HASH) {
            return NGX_DECLINED;
        }

        wanted = "not a hash";
    }

    if (key_type != NGX_GATE_CHECK_REDIS_TYPES) {
        text = ngx_gate_check_redis_verdict_types[key_type].text;

        return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                                NGX_GATE_WRONG_TYPE,
                                                "is %s, %s", text, wanted);
    }

    name.data = (u_char *) type->str;
    name.len = type->len;
    name = ngx_gate_check_redis_verdict_show(buf, &name);

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_WRONG_TYPE,
                                            "is of type %V, %s", &name, wanted);
}


static ngx_int_t
ngx_gate_check_redis_verdict_count(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    ngx_gate_result_t                    *result;
    ngx_gate_check_redis_conf_t          *conf;
    ngx_gate_check_redis_verdict_type_t  *type;

    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        return ngx_gate_check_redis_verdict_unexpected(state, reply,
                                                       "a length");
    }

    conf = state->probe->check->conf;
    result = &state->probe->result;

    result->observed = reply->integer;
    result->expected = conf->min;

    if (result->observed >= conf->min) {
        return ngx_gate_check_redis_verdict_passed(state);
    }

    type = &ngx_gate_check_redis_verdict_types[state->key_type];

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_TOO_FEW,
                                            "is %s of %L %s, not yet %L",
                                            type->text, result->observed,
                                            type->things, conf->min);
}


/* a field can only be read as a whole */

static ngx_int_t
ngx_gate_check_redis_verdict_size(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        return ngx_gate_check_redis_verdict_unexpected(state, reply, "HSTRLEN");
    }

    if (reply->integer <= NGX_GATE_MATCH_MAX) {
        state->size_known = 1;
        return NGX_AGAIN;
    }

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_MISMATCH,
                                            "has %L bytes, more than the %d "
                                            "that are read",
                                            (int64_t) reply->integer,
                                            NGX_GATE_MATCH_MAX);
}


static ngx_int_t
ngx_gate_check_redis_verdict_text(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    u_char                        buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    ngx_str_t                     text, shown;
    ngx_gate_check_redis_conf_t  *conf;

    if (reply->type == REDIS_REPLY_NIL) {
        return ngx_gate_check_redis_verdict_missing(state);
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return ngx_gate_check_redis_verdict_unexpected(state, reply, "a value");
    }

    conf = state->probe->check->conf;

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (conf->failed.len
        && conf->failed.len == text.len
        && ngx_memcmp(conf->failed.data, text.data, text.len) == 0)
    {
        shown = ngx_gate_check_redis_verdict_show(buf, &text);

        return ngx_gate_check_redis_verdict_end(state, NGX_GATE_FAILED,
                                                NGX_GATE_REPORTED,
                                                "is \"%V\"", &shown);
    }

    return conf->min ? ngx_gate_check_redis_verdict_number(state, &text)
                     : ngx_gate_check_redis_verdict_value(state, &text);
}


static ngx_int_t
ngx_gate_check_redis_verdict_value(ngx_gate_check_redis_state_t *state,
    ngx_str_t *text)
{
    u_char                        buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    u_char                        wanted_buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    ngx_str_t                     shown, wanted;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    shown = ngx_gate_check_redis_verdict_show(buf, text);

#if (NGX_PCRE)

    if (conf->match) {

        switch (ngx_gate_match_exec(conf->match, text)) {

        case NGX_OK:
            return ngx_gate_check_redis_verdict_passed(state);

        case NGX_DECLINED:
            return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                                    NGX_GATE_MISMATCH,
                                                    "is \"%V\", which does "
                                                    "not match", &shown);

        default:
            return ngx_gate_check_redis_verdict_end(state, NGX_GATE_ERROR,
                                                    NGX_GATE_TIMEOUT,
                                                    "is \"%V\", on which the "
                                                    "expression takes too long",
                                                    &shown);
        }
    }

#endif

    if (conf->any_value
        || (text->len == conf->value.len
            && ngx_memcmp(text->data, conf->value.data, text->len) == 0))
    {
        return ngx_gate_check_redis_verdict_passed(state);
    }

    wanted = ngx_gate_check_redis_verdict_show(wanted_buf, &conf->value);

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_MISMATCH,
                                            "is \"%V\", not \"%V\"", &shown,
                                            &wanted);
}


static ngx_int_t
ngx_gate_check_redis_verdict_number(ngx_gate_check_redis_state_t *state,
    ngx_str_t *text)
{
    u_char                        buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    ngx_str_t                     shown;
    ngx_gate_result_t            *result;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;
    result = &state->probe->result;

    if (ngx_gate_number_parse(text, &result->observed) != NGX_OK) {
        shown = ngx_gate_check_redis_verdict_show(buf, text);

        return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                                NGX_GATE_MISMATCH,
                                                "is \"%V\", which is not a "
                                                "number", &shown);
    }

    result->expected = conf->min;

    if (result->observed >= conf->min) {
        return ngx_gate_check_redis_verdict_passed(state);
    }

    shown = ngx_gate_check_redis_verdict_show(buf, text);

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_TOO_FEW,
                                            "is %V, not yet %L", &shown,
                                            conf->min);
}


static ngx_int_t
ngx_gate_check_redis_verdict_passed(ngx_gate_check_redis_state_t *state)
{
    ngx_gate_probe_end(state->probe, NGX_GATE_PASSED, NGX_GATE_OK, "");

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_redis_verdict_missing(ngx_gate_check_redis_state_t *state)
{
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    if (conf->min) {
        state->probe->result.observed = 0;
        state->probe->result.expected = conf->min;
    }

    return ngx_gate_check_redis_verdict_end(state, NGX_GATE_WAITING,
                                            NGX_GATE_MISSING,
                                            "does not exist");
}


static ngx_int_t
ngx_gate_check_redis_verdict_unexpected(ngx_gate_check_redis_state_t *state,
    redisReply *reply, const char *command)
{
    ngx_gate_redis_invalidate(&state->session);

    ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                       "%s in reply to %s", ngx_gate_resp_type(reply),
                       command);

    return NGX_OK;
}


static ngx_int_t ngx_cdecl
ngx_gate_check_redis_verdict_end(ngx_gate_check_redis_state_t *state,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason, const char *fmt, ...)
{
    u_char                       *p;
    u_char                        text[NGX_GATE_MESSAGE_MAX];
    u_char                        key_buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    u_char                        field_buf[NGX_GATE_CHECK_REDIS_VERDICT_BUF];
    va_list                       args;
    ngx_str_t                     key, field;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + NGX_GATE_MESSAGE_MAX, fmt, args);
    va_end(args);

    key = ngx_gate_check_redis_verdict_show(key_buf, &conf->key);
    field = ngx_gate_check_redis_verdict_show(field_buf, &conf->field);

    if (field.len && reason != NGX_GATE_WRONG_TYPE) {
        ngx_gate_probe_end(state->probe, verdict, reason,
                           "field \"%V\" of key \"%V\" %*s", &field, &key,
                           (size_t) (p - text), text);
        return NGX_OK;
    }

    ngx_gate_probe_end(state->probe, verdict, reason, "key \"%V\" %*s", &key,
                       (size_t) (p - text), text);
    return NGX_OK;
}


static ngx_str_t
ngx_gate_check_redis_verdict_show(u_char *buf, ngx_str_t *text)
{
    u_char     *p;
    size_t      i, n;
    ngx_str_t   shown;

    p = buf;
    n = ngx_min(text->len, NGX_GATE_CHECK_REDIS_SHOW_MAX);

    for (i = 0; i < n; i++) {

        switch (text->data[i]) {

        case CR:
            p = ngx_cpymem(p, "\\r", 2);
            break;

        case LF:
            p = ngx_cpymem(p, "\\n", 2);
            break;

        default:
            *p++ = text->data[i];
        }
    }

    if (n < text->len) {
        p = ngx_cpymem(p, "...", 3);
    }

    shown.data = buf;
    shown.len = p - buf;

    return shown;
}


void
ngx_gate_check_redis_verdict_error_reply(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    ngx_gate_error_t  error;

    ngx_gate_resp_set_error(reply, &error);
    ngx_gate_check_redis_verdict_error(state, &error);
}


void
ngx_gate_check_redis_verdict_error(ngx_gate_check_redis_state_t *state,
    ngx_gate_error_t *error)
{
    ngx_gate_verdict_e  verdict;

    switch (error->reason) {

    case NGX_GATE_LOADING:
    case NGX_GATE_STARTING_UP:
    case NGX_GATE_IN_PROGRESS:
        verdict = NGX_GATE_RUNNING;
        break;

    case NGX_GATE_WRONG_TYPE:
        verdict = NGX_GATE_WAITING;
        break;

    default:
        verdict = NGX_GATE_ERROR;
    }

    /* a key that was not read is not reported */

    if (error->reason != NGX_GATE_WRONG_TYPE) {
        state->probe->lost = ngx_gate_check_redis_is_lost(state);
    }

    ngx_gate_probe_end(state->probe, verdict, error->reason, "%*s",
                       error->len, error->text);
}
