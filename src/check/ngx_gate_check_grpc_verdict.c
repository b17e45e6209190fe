
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The verdict of a response of the health service.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate.h>
#include <ngx_gate_check_grpc.h>


/* HealthCheckResponse.ServingStatus */

#define NGX_GATE_CHECK_GRPC_SERVING  1

/* number of the field "status" of HealthCheckResponse */

#define NGX_GATE_CHECK_GRPC_STATUS   1

/* wire types of protocol buffers */

#define NGX_GATE_CHECK_GRPC_VARINT   0
#define NGX_GATE_CHECK_GRPC_64_BITS  1
#define NGX_GATE_CHECK_GRPC_BYTES    2
#define NGX_GATE_CHECK_GRPC_32_BITS  5


static void ngx_gate_check_grpc_verdict_health(
    ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result);
static void ngx_gate_check_grpc_verdict_status(
    ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result);
static void ngx_gate_check_grpc_verdict_http(ngx_int_t status,
    ngx_gate_result_t *result);
static ngx_int_t ngx_gate_check_grpc_verdict_parse(ngx_str_t *message,
    uint64_t *status);
static u_char *ngx_gate_check_grpc_verdict_skip(u_char *p, u_char *last,
    ngx_uint_t kind);
static u_char *ngx_gate_check_grpc_verdict_varint(u_char *p, u_char *last,
    uint64_t *value);


static const char  *ngx_gate_check_grpc_verdict_health_names[] = {
    "UNKNOWN",
    "SERVING",
    "NOT_SERVING",
    "SERVICE_UNKNOWN"
};


static const char  *ngx_gate_check_grpc_verdict_status_names[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED"
};


#define ngx_gate_check_grpc_verdict_name(names, n)                            \
    ((uint64_t) (n) < sizeof(names) / sizeof(names[0]) ? names[n] : "unknown")


void
ngx_gate_check_grpc_verdict(ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result)
{
    switch (response->status) {

    case NGX_GATE_GRPC_OK:
        ngx_gate_check_grpc_verdict_health(response, result);
        return;

    case NGX_GATE_GRPC_NO_STATUS:

        if (!response->is_grpc) {
            ngx_gate_check_grpc_verdict_http(response->http_status, result);
            return;
        }

        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                            "the response has no grpc-status");
        return;

    default:
        ngx_gate_check_grpc_verdict_status(response, result);
    }
}


static void
ngx_gate_check_grpc_verdict_health(ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result)
{
    uint64_t  status;

    if (ngx_gate_check_grpc_verdict_parse(&response->message, &status)
        != NGX_OK)
    {
        ngx_gate_result_set(result, NGX_GATE_ERROR, NGX_GATE_PROTOCOL,
                            "the response is not a HealthCheckResponse");
        return;
    }

    if (status == NGX_GATE_CHECK_GRPC_SERVING) {
        ngx_gate_result_set(result, NGX_GATE_PASSED, NGX_GATE_OK, "");
        return;
    }

    ngx_gate_result_set(result, NGX_GATE_WAITING, NGX_GATE_NOT_SERVING,
                        "health status %uL (%s)", status,
                        ngx_gate_check_grpc_verdict_name(
                            ngx_gate_check_grpc_verdict_health_names, status));
}


static void
ngx_gate_check_grpc_verdict_status(ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result)
{
    ngx_gate_reason_e   reason;
    ngx_gate_verdict_e  verdict;

    verdict = NGX_GATE_ERROR;

    switch (response->status) {

    case NGX_GATE_GRPC_NOT_FOUND:
    case NGX_GATE_GRPC_UNAVAILABLE:
        verdict = NGX_GATE_WAITING;
        reason = NGX_GATE_NOT_SERVING;
        break;

    case NGX_GATE_GRPC_UNIMPLEMENTED:
        reason = NGX_GATE_UNIMPLEMENTED;
        break;

    case NGX_GATE_GRPC_UNAUTHENTICATED:
        reason = NGX_GATE_AUTH;
        break;

    case NGX_GATE_GRPC_PERMISSION_DENIED:
        reason = NGX_GATE_DENIED;
        break;

    case NGX_GATE_GRPC_DEADLINE_EXCEEDED:
        reason = NGX_GATE_TIMEOUT;
        break;

    case NGX_GATE_GRPC_RESOURCE_EXHAUSTED:
        reason = NGX_GATE_TOO_MANY_CONNECTIONS;
        break;

    default:
        reason = NGX_GATE_QUERY;
    }

    ngx_gate_result_set(result, verdict, reason, "grpc-status %i (%s)%s%*s",
                        response->status,
                        ngx_gate_check_grpc_verdict_name(
                            ngx_gate_check_grpc_verdict_status_names,
                            response->status),
                        response->text_len ? ": " : "", response->text_len,
                        response->text);
}


/* the mapping of HTTP statuses in the gRPC specification */

static void
ngx_gate_check_grpc_verdict_http(ngx_int_t status,
    ngx_gate_result_t *result)
{
    ngx_gate_reason_e   reason;
    ngx_gate_verdict_e  verdict;

    verdict = NGX_GATE_ERROR;

    switch (status) {

    case 401:
        reason = NGX_GATE_AUTH;
        break;

    case 403:
        reason = NGX_GATE_DENIED;
        break;

    case 429:
    case 502:
    case 503:
    case 504:
        verdict = NGX_GATE_WAITING;
        reason = NGX_GATE_NOT_SERVING;
        break;

    default:
        reason = NGX_GATE_PROTOCOL;
    }

    ngx_gate_result_set(result, verdict, reason,
                        "HTTP %i, not a gRPC response", status);
}


/* a missing field has the value 0 */

static ngx_int_t
ngx_gate_check_grpc_verdict_parse(ngx_str_t *message, uint64_t *status)
{
    u_char    *p, *last;
    uint64_t   key;

    *status = 0;

    if (message->data == NULL) {
        return NGX_ERROR;
    }

    p = message->data;
    last = p + message->len;

    while (p && p < last) {

        p = ngx_gate_check_grpc_verdict_varint(p, last, &key);

        if (p == NULL || key >> 3 == 0) {
            return NGX_ERROR;
        }

        if (key >> 3 != NGX_GATE_CHECK_GRPC_STATUS) {
            p = ngx_gate_check_grpc_verdict_skip(p, last, key & 7);

        } else if ((key & 7) == NGX_GATE_CHECK_GRPC_VARINT) {
            p = ngx_gate_check_grpc_verdict_varint(p, last, status);

        } else {
            return NGX_ERROR;
        }
    }

    return p ? NGX_OK : NGX_ERROR;
}


/* skips a field of a later version; NULL: invalid */

static u_char *
ngx_gate_check_grpc_verdict_skip(u_char *p, u_char *last, ngx_uint_t kind)
{
    uint64_t  len;

    switch (kind) {

    case NGX_GATE_CHECK_GRPC_VARINT:
        return ngx_gate_check_grpc_verdict_varint(p, last, &len);

    case NGX_GATE_CHECK_GRPC_64_BITS:
        len = 8;
        break;

    case NGX_GATE_CHECK_GRPC_32_BITS:
        len = 4;
        break;

    case NGX_GATE_CHECK_GRPC_BYTES:
        p = ngx_gate_check_grpc_verdict_varint(p, last, &len);
        if (p == NULL) {
            return NULL;
        }

        break;

    default:
        return NULL;
    }

    return (uint64_t) (last - p) < len ? NULL : p + len;
}


/* seven bits per byte, the lowest first; NULL: invalid */

static u_char *
ngx_gate_check_grpc_verdict_varint(u_char *p, u_char *last, uint64_t *value)
{
    ngx_uint_t  shift;

    *value = 0;

    for (shift = 0; p < last && shift < 64; shift += 7) {

        *value |= (uint64_t) (*p & 0x7f) << shift;

        if (!(*p++ & 0x80)) {
            return p;
        }
    }

    return NULL;
}
