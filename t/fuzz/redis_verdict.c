
/*
 * The verdict of a redis check: the first byte selects the check, the rest are
 * the replies.  The result is one verdict or one further command; the message
 * fits its buffer; there are numbers only if the check counts.
 */


#include "fuzz.h"
#include <ngx_gate_check_redis.h>


#define FUZZ_REPLIES  2


static void fuzz_conf_set(ngx_gate_check_redis_conf_t *conf, u_char ch);
static ngx_uint_t fuzz_replies(const u_char *data, size_t size,
    redisReply **replies);
static void fuzz_check(ngx_gate_check_redis_state_t *state, ngx_int_t rc);
static void fuzz_done(ngx_gate_probe_t *probe);


static ngx_uint_t  fuzz_ends;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_uint_t                    n, wanted;
    redisReply                   *replies[FUZZ_REPLIES];
    ngx_gate_check_t              check;
    ngx_gate_probe_t              probe;
    ngx_gate_check_redis_conf_t   conf;
    ngx_gate_check_redis_state_t  state;

    if (size == 0) {
        return 0;
    }

    ngx_memzero(&check, sizeof(ngx_gate_check_t));
    ngx_memzero(&probe, sizeof(ngx_gate_probe_t));
    ngx_memzero(&state, sizeof(ngx_gate_check_redis_state_t));
    ngx_memzero(&conf, sizeof(ngx_gate_check_redis_conf_t));

    fuzz_conf_set(&conf, data[0]);

    check.conf = &conf;
    probe.check = &check;
    probe.done = fuzz_done;
    probe.result.observed = -1;
    probe.result.expected = -1;
    state.probe = &probe;
    state.key_type = conf.key_type;
    state.size_known = (data[0] & 0x80) != 0;

    n = fuzz_replies(data + 1, size - 1, replies);

    wanted = (conf.test < NGX_GATE_CHECK_REDIS_VALUE
              || state.key_type == NGX_GATE_CHECK_REDIS_TYPES) ? 1 : 2;

    if (n >= wanted) {
        fuzz_ends = 0;
        fuzz_check(&state,
                   ngx_gate_check_redis_verdict(&state, replies, wanted));

        if (replies[0]->type == REDIS_REPLY_ERROR) {
            fuzz_ends = 0;
            ngx_gate_check_redis_verdict_error_reply(&state, replies[0]);
            fuzz_check(&state, NGX_OK);
        }
    }

    while (n) {
        freeReplyObject(replies[--n]);
    }

    return 0;
}


static void
fuzz_conf_set(ngx_gate_check_redis_conf_t *conf, u_char ch)
{
    conf->test = ch % 6;
    ch /= 6;

    ngx_str_set(&conf->key, "key");

    conf->any_value = 1;
    conf->key_type = NGX_GATE_CHECK_REDIS_STRING;

    if (conf->test >= NGX_GATE_CHECK_REDIS_FIELD) {
        ngx_str_set(&conf->field, "field");
        conf->key_type = NGX_GATE_CHECK_REDIS_HASH;
    }

    if (conf->test == NGX_GATE_CHECK_REDIS_COUNT) {
        conf->min = 10;
        conf->key_type = ch % (NGX_GATE_CHECK_REDIS_TYPES + 1);
    }

    if (ch & 1) {
        ngx_str_set(&conf->failed, "broken");
    }

    if (conf->test == NGX_GATE_CHECK_REDIS_VALUE && (ch & 2)) {
        ngx_str_set(&conf->value, "ready");
        conf->any_value = 0;
    }

    if (conf->test == NGX_GATE_CHECK_REDIS_FIELD_VALUE && (ch & 2)) {
        conf->min = 10;
    }
}


static ngx_uint_t
fuzz_replies(const u_char *data, size_t size, redisReply **replies)
{
    ngx_buf_t         in;
    ngx_uint_t        n;
    ngx_gate_resp_t   resp;

    ngx_memzero(&resp, sizeof(ngx_gate_resp_t));
    ngx_memzero(&in, sizeof(ngx_buf_t));

    in.pos = (u_char *) data;
    in.last = in.pos + size;

    for (n = 0; n < FUZZ_REPLIES; n++) {
        if (ngx_gate_resp_read(&resp, &in, &replies[n]) != NGX_OK) {
            break;
        }
    }

    ngx_gate_resp_reset(&resp);

    return n;
}


static void
fuzz_check(ngx_gate_check_redis_state_t *state, ngx_int_t rc)
{
    ngx_gate_result_t  *result;

    result = &state->probe->result;

    fuzz_assert(rc == NGX_OK || rc == NGX_AGAIN);
    fuzz_assert(fuzz_ends == (rc == NGX_OK));

    if (rc == NGX_AGAIN) {
        return;
    }

    fuzz_assert(result->verdict > NGX_GATE_PENDING
                && result->verdict <= NGX_GATE_PASSED);
    fuzz_assert((result->verdict == NGX_GATE_PASSED)
                == (result->reason == NGX_GATE_OK));
    fuzz_assert(result->message_len <= NGX_GATE_MESSAGE_MAX);
    fuzz_assert(result->verdict == NGX_GATE_PASSED || result->message_len
                || result->reason == NGX_GATE_QUERY);
    fuzz_assert(result->observed >= -1);
}


static void
fuzz_done(ngx_gate_probe_t *probe)
{
    fuzz_ends++;
}
