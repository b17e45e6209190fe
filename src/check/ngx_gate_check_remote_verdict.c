
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the init_ready of another nginx answers, and the verdict that follows.
 */


#include <ngx_gate_check_remote.h>
#include <jansson.h>


#define NGX_GATE_CHECK_REMOTE_EXPECTED  1000    /* of progress */
#define NGX_GATE_CHECK_REMOTE_NAMES     3       /* of checks in a message */


/* of all gates of the answer */

typedef struct {
    ngx_gate_check_remote_conf_t  *conf;
    ngx_uint_t                     n;
    ngx_uint_t                     closed;
    ngx_uint_t                     failed;
    ngx_uint_t                     known;      /* gates with progress */
    double                         progress;   /* the sum */
    double                         eta;        /* the longest; -1: unknown */
    u_char                        *p;          /* the message */
    u_char                        *last;
} ngx_gate_check_remote_gates_t;


static ngx_int_t ngx_gate_check_remote_gate(
    ngx_gate_check_remote_gates_t *gates, json_t *gate);
static ngx_uint_t ngx_gate_check_remote_is_open(
    ngx_gate_check_remote_conf_t *conf, json_t *gate, const char *state);
static ngx_uint_t ngx_gate_check_remote_is_initialized(const char *state);
static void ngx_gate_check_remote_describe(
    ngx_gate_check_remote_gates_t *gates, json_t *gate, const char *state);
static void ngx_gate_check_remote_checks(ngx_gate_check_remote_gates_t *gates,
    json_t *checks);
static void ngx_gate_check_remote_status(ngx_uint_t status,
    ngx_gate_result_t *result);


void
ngx_gate_check_remote_header(void *data, ngx_str_t *name, ngx_str_t *value)
{
    ngx_gate_check_remote_head_t *head = data;

    u_char     *p, *last;
    ngx_int_t   id;

    if (ngx_gate_http_parser_token_is(name, "etag")) {

        if (value->len < NGX_GATE_CHECK_REMOTE_TAG) {
            ngx_memcpy(head->tag, value->data, value->len);
            head->tag_len = value->len;
        }

        return;
    }

    if (ngx_gate_http_parser_token_is(name, "preference-applied")) {
        head->waits = (value->len > 5
                       && ngx_strncmp(value->data, "wait=", 5) == 0);
        return;
    }

    if (!ngx_gate_http_parser_token_is(name, "init-gate-via")) {
        return;
    }

    last = value->data + value->len;

    for (p = value->data;
         last - p >= 8 && head->nvia < NGX_GATE_VIA_MAX;
         p += 9)
    {
        id = ngx_hextoi(p, 8);

        if (id == NGX_ERROR) {
            return;
        }

        head->via[head->nvia++] = (uint32_t) id;
    }
}


void
ngx_gate_check_remote_verdict(ngx_gate_check_remote_conf_t *conf,
    ngx_uint_t status, ngx_str_t *body, ngx_gate_result_t *result,
    int64_t *eta)
{
    size_t                          i;
    u_char                          message[NGX_GATE_MESSAGE_MAX];
    json_t                         *root, *list;
    ngx_int_t                       rc;
    json_error_t                    error;
    ngx_gate_check_remote_gates_t   gates;

    if (status != 200 && status != 503) {
        ngx_gate_check_remote_status(status, result);
        return;
    }

    ngx_memzero(&gates, sizeof(ngx_gate_check_remote_gates_t));

    gates.conf = conf;
    gates.eta = -1;
    gates.p = message;
    gates.last = message + sizeof(message);

    root = json_loadb((char *) body->data, body->len,
                      JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL, &error);
    list = json_object_get(root, "gates");

    rc = json_is_array(list) && json_array_size(list) ? NGX_OK : NGX_ERROR;

    for (i = 0; rc == NGX_OK && i < json_array_size(list); i++) {
        rc = ngx_gate_check_remote_gate(&gates, json_array_get(list, i));
    }

    json_decref(root);

    if (rc != NGX_OK) {
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                            "HTTP %ui is not the response of an "
                            "init_ready location", status);
        return;
    }

    *eta = (int64_t) gates.eta;

    if (gates.known) {
        result->expected = NGX_GATE_CHECK_REMOTE_EXPECTED;
        result->observed = (int64_t) (gates.progress / gates.n
                                      * NGX_GATE_CHECK_REMOTE_EXPECTED);
    }

    if (gates.closed == 0) {
        result->verdict = NGX_GATE_PASSED;

    } else if (gates.failed) {
        ngx_gate_result_set(result, NGX_GATE_FAILED, NGX_GATE_REPORTED,
                            "%*s", gates.p - message, message);

    } else if (gates.known) {
        ngx_gate_result_set(result, NGX_GATE_RUNNING,
                            NGX_GATE_IN_PROGRESS, "%*s",
                            gates.p - message, message);

    } else {
        ngx_gate_result_set(result, NGX_GATE_WAITING,
                            NGX_GATE_NOT_READY, "%*s",
                            gates.p - message, message);
    }
}


static ngx_int_t
ngx_gate_check_remote_gate(ngx_gate_check_remote_gates_t *gates, json_t *gate)
{
    json_t      *value;
    double       number;
    const char  *state;

    state = json_string_value(json_object_get(gate, "state"));

    if (state == NULL || json_object_get(gate, "ready") == NULL) {
        return NGX_ERROR;
    }

    gates->n++;

    if (ngx_gate_check_remote_is_open(gates->conf, gate, state)) {
        gates->progress += 1;
        return NGX_OK;
    }

    gates->closed++;

    if (ngx_gate_check_remote_is_initialized(state)) {
        ngx_gate_check_remote_describe(gates, gate, "closed by an operator");
        return NGX_OK;
    }

    gates->failed += (ngx_strcmp(state, "failed") == 0);

    value = json_object_get(gate, "progress");

    if (json_is_number(value)) {
        number = json_number_value(value);
        gates->progress += ngx_max(0.0, ngx_min(number, 1.0));
        gates->known++;
    }

    value = json_object_get(gate, "eta_ms");

    if (json_is_number(value)) {
        number = ngx_min(json_number_value(value), 1e12);
        gates->eta = ngx_max(gates->eta, number);
    }

    ngx_gate_check_remote_describe(gates, gate, state);

    return NGX_OK;
}


/* "ready" says whether requests pass there, also by an operator's override */

static ngx_uint_t
ngx_gate_check_remote_is_open(ngx_gate_check_remote_conf_t *conf, json_t *gate,
    const char *state)
{
    if (!conf->follow_override
        && json_array_size(json_object_get(gate, "overrides")))
    {
        return ngx_gate_check_remote_is_initialized(state);
    }

    return json_is_true(json_object_get(gate, "ready"));
}


static ngx_uint_t
ngx_gate_check_remote_is_initialized(const char *state)
{
    return ngx_strcmp(state, "ready") == 0
           || ngx_strcmp(state, "degraded") == 0;
}


static void
ngx_gate_check_remote_describe(ngx_gate_check_remote_gates_t *gates,
    json_t *gate, const char *state)
{
    const char  *name;

    name = json_string_value(json_object_get(gate, "gate"));

    gates->p = ngx_slprintf(gates->p, gates->last, "%sgate \"%s\" is %s",
                            gates->closed > 1 ? "; " : "", name ? name : "",
                            state);

    ngx_gate_check_remote_checks(gates, json_object_get(gate, "checks"));
}


static void
ngx_gate_check_remote_checks(ngx_gate_check_remote_gates_t *gates,
    json_t *checks)
{
    size_t       i;
    json_t      *check;
    ngx_uint_t   n;
    const char  *name, *verdict, *reason;

    n = 0;

    for (i = 0; i < json_array_size(checks); i++) {
        check = json_array_get(checks, i);

        name = json_string_value(json_object_get(check, "name"));
        verdict = json_string_value(json_object_get(check, "verdict"));
        reason = json_string_value(json_object_get(check, "reason"));

        if (name == NULL || verdict == NULL
            || ngx_strcmp(verdict, "passed") == 0)
        {
            continue;
        }

        if (n++ == NGX_GATE_CHECK_REMOTE_NAMES) {
            gates->p = ngx_slprintf(gates->p, gates->last, ", ...");
            return;
        }

        gates->p = ngx_slprintf(gates->p, gates->last, "%s%s %s%s%s",
                                n == 1 ? ": " : ", ", name, verdict,
                                reason ? " " : "", reason ? reason : "");
    }
}


static void
ngx_gate_check_remote_status(ngx_uint_t status, ngx_gate_result_t *result)
{
    switch (status) {

    case 401:
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_AUTH,
                            "HTTP 401, no valid token");
        return;

    case 403:
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_DENIED,
                            "HTTP 403");
        return;

    case 508:
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_LOOP,
                            "the gate there waits for this one");
        return;

    default:
        ngx_gate_result_set(result, NGX_GATE_WAITING,
                            NGX_GATE_BAD_STATUS, "HTTP %ui", status);
    }
}
