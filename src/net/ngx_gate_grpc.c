
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A gRPC call over HTTP/2; see ngx_gate_grpc.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate.h>
#include <ngx_gate_grpc.h>


#define NGX_GATE_GRPC_AGENT     "nginx-init-gate/" NGX_GATE_VERSION
#define NGX_GATE_GRPC_TYPE      "application/grpc"
#define NGX_GATE_GRPC_TIME_MAX  99999999    /* eight digits at most */

#define ngx_gate_grpc_eq(name, len, text)                                     \
    ((len) == sizeof(text) - 1 && ngx_memcmp(name, text, sizeof(text) - 1) == 0)

#define ngx_gate_grpc_header(name, value, len)                                \
    { (u_char *) name, (u_char *) value, sizeof(name) - 1, len,               \
      NGHTTP2_NV_FLAG_NONE }


static ngx_int_t ngx_gate_grpc_session(ngx_gate_grpc_t *grpc);
static int32_t ngx_gate_grpc_submit(ngx_gate_grpc_t *grpc,
    ngx_str_t *timeout);
static ngx_int_t ngx_gate_grpc_flush(ngx_gate_grpc_t *grpc);
static ngx_int_t ngx_gate_grpc_outcome(ngx_gate_grpc_t *grpc);
static ngx_int_t ngx_gate_grpc_unanswered(ngx_gate_grpc_t *grpc);
static ngx_int_t ngx_gate_grpc_fail(ngx_gate_grpc_t *grpc, ngx_int_t rc,
    ngx_gate_reason_e reason, const char *text);

static ssize_t ngx_gate_grpc_on_send(nghttp2_session *session,
    const uint8_t *bytes, size_t len, int flags, void *data);
static ssize_t ngx_gate_grpc_on_body(nghttp2_session *session, int32_t stream,
    uint8_t *buf, size_t size, uint32_t *flags, nghttp2_data_source *source,
    void *data);
static int ngx_gate_grpc_on_frame(nghttp2_session *session,
    const nghttp2_frame *frame, void *data);
static int ngx_gate_grpc_on_header(nghttp2_session *session,
    const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t len, uint8_t flags, void *data);
static int ngx_gate_grpc_on_data(nghttp2_session *session, uint8_t flags,
    int32_t stream, const uint8_t *bytes, size_t len, void *data);
static int ngx_gate_grpc_on_close(nghttp2_session *session, int32_t stream,
    uint32_t code, void *data);

static void ngx_gate_grpc_end_block(ngx_gate_grpc_t *grpc);
static ngx_uint_t ngx_gate_grpc_is_type(const u_char *value, size_t len);
static void ngx_gate_grpc_set_text(ngx_gate_grpc_response_t *response,
    const u_char *value, size_t len);
static ngx_int_t ngx_gate_grpc_message(ngx_gate_grpc_t *grpc);
static int ngx_gate_grpc_refuse(ngx_gate_grpc_t *grpc, const char *text);


ngx_int_t
ngx_gate_grpc_open(ngx_gate_grpc_t *grpc)
{
    nghttp2_settings_entry  settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, NGX_GATE_GRPC_HEADERS_MAX }
    };

    grpc->greeted = 0;
    grpc->leaving = 0;

    if (ngx_gate_grpc_session(grpc) != NGX_OK) {
        return NGX_ERROR;
    }

    if (nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0]))
        != 0)
    {
        ngx_gate_grpc_close(grpc);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_grpc_session(ngx_gate_grpc_t *grpc)
{
    int                         rc;
    nghttp2_session_callbacks  *cbs;

    if (nghttp2_session_callbacks_new(&cbs) != 0) {
        return NGX_ERROR;
    }

    nghttp2_session_callbacks_set_send_callback(cbs, ngx_gate_grpc_on_send);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs,
                                                      ngx_gate_grpc_on_frame);
    nghttp2_session_callbacks_set_on_header_callback(cbs,
                                                     ngx_gate_grpc_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs,
                                                       ngx_gate_grpc_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs,
                                                      ngx_gate_grpc_on_close);

    rc = nghttp2_session_client_new(&grpc->session, cbs, grpc);

    nghttp2_session_callbacks_del(cbs);

    if (rc != 0) {
        grpc->session = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_gate_grpc_close(ngx_gate_grpc_t *grpc)
{
    if (grpc->session) {
        nghttp2_session_del(grpc->session);
        grpc->session = NULL;
    }
}


ngx_int_t
ngx_gate_grpc_call(ngx_gate_grpc_t *grpc, ngx_gate_grpc_request_t *request,
    ngx_msec_t time)
{
    u_char     buf[sizeof("99999999m")];
    ngx_str_t  timeout;

    timeout.data = buf;
    timeout.len = ngx_sprintf(buf, "%Mm",
                              ngx_min(time, NGX_GATE_GRPC_TIME_MAX))
                  - buf;

    ngx_memzero(&grpc->response, sizeof(ngx_gate_grpc_response_t));
    grpc->response.status = NGX_GATE_GRPC_NO_STATUS;

    grpc->error.len = 0;
    grpc->request = request;
    grpc->sent = 0;
    grpc->received = 0;
    grpc->headers = 0;
    grpc->body_len = 0;
    grpc->ended = 0;
    grpc->reset = 0;
    grpc->closed = 0;

    grpc->stream = ngx_gate_grpc_submit(grpc, &timeout);

    if (grpc->stream < 0) {
        return NGX_ERROR;
    }

    return ngx_gate_grpc_flush(grpc);
}


static int32_t
ngx_gate_grpc_submit(ngx_gate_grpc_t *grpc, ngx_str_t *timeout)
{
    ngx_gate_grpc_request_t  *request = grpc->request;

    nghttp2_data_provider  body;

    nghttp2_nv  headers[] = {
        ngx_gate_grpc_header(":method", "POST", 4),
        ngx_gate_grpc_header(":scheme", request->scheme.data,
                             request->scheme.len),
        ngx_gate_grpc_header(":path", request->path.data, request->path.len),
        ngx_gate_grpc_header(":authority", request->authority.data,
                             request->authority.len),
        ngx_gate_grpc_header("te", "trailers", 8),
        ngx_gate_grpc_header("grpc-timeout", timeout->data, timeout->len),
        ngx_gate_grpc_header("content-type", NGX_GATE_GRPC_TYPE,
                             sizeof(NGX_GATE_GRPC_TYPE) - 1),
        ngx_gate_grpc_header("user-agent", NGX_GATE_GRPC_AGENT,
                             sizeof(NGX_GATE_GRPC_AGENT) - 1)
    };

    body.source.ptr = NULL;
    body.read_callback = ngx_gate_grpc_on_body;

    return nghttp2_submit_request(grpc->session, NULL, headers,
                                  sizeof(headers) / sizeof(headers[0]),
                                  &body, NULL);
}


ngx_int_t
ngx_gate_grpc_read(ngx_gate_grpc_t *grpc, const u_char *bytes, size_t len)
{
    ssize_t  n;

    grpc->received += len;

    n = nghttp2_session_mem_recv(grpc->session, bytes, len);

    if (n == NGHTTP2_ERR_NOMEM) {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_NO_MEMORY,
                                  "no memory");
    }

    if (n < 0) {
        return grpc->error.len ? NGX_ERROR
               : ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                                    "peer sent invalid HTTP/2");
    }

    if (ngx_gate_grpc_flush(grpc) != NGX_OK) {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_NO_MEMORY,
                                  "no memory");
    }

    return ngx_gate_grpc_outcome(grpc);
}


ngx_int_t
ngx_gate_grpc_read_end(ngx_gate_grpc_t *grpc)
{
    if (grpc->received && !grpc->greeted) {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                                  "peer does not use HTTP/2");
    }

    return ngx_gate_grpc_fail(grpc, NGX_DECLINED, NGX_GATE_RESET,
                              "peer closed the connection without a response");
}


static ngx_int_t
ngx_gate_grpc_flush(ngx_gate_grpc_t *grpc)
{
    return nghttp2_session_send(grpc->session) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_gate_grpc_outcome(ngx_gate_grpc_t *grpc)
{
    if (grpc->ended) {
        return ngx_gate_grpc_message(grpc);
    }

    if (grpc->closed) {
        return ngx_gate_grpc_unanswered(grpc);
    }

    if (!nghttp2_session_want_read(grpc->session)) {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                                  grpc->greeted ? "peer sent invalid HTTP/2"
                                              : "peer does not use HTTP/2");
    }

    if (grpc->received > NGX_GATE_GRPC_RECEIVED_MAX) {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                                  "response is too large");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_gate_grpc_unanswered(ngx_gate_grpc_t *grpc)
{
    if (grpc->reset) {

        switch (grpc->reset_code) {

        case NGHTTP2_HTTP_1_1_REQUIRED:
            ngx_gate_error_set(&grpc->error, NGX_GATE_PROTOCOL,
                               "peer refused the call: %s",
                               nghttp2_http2_strerror(grpc->reset_code));
            return NGX_ERROR;

        case NGHTTP2_REFUSED_STREAM:
            ngx_gate_error_set(&grpc->error, NGX_GATE_RESET,
                               "peer refused the call: %s",
                               nghttp2_http2_strerror(grpc->reset_code));
            return NGX_DECLINED;

        default:
            ngx_gate_error_set(&grpc->error, NGX_GATE_RESET,
                               "peer reset the call: %s",
                               nghttp2_http2_strerror(grpc->reset_code));
            return NGX_ERROR;
        }
    }

    if (grpc->leaving) {
        return ngx_gate_grpc_fail(grpc, NGX_DECLINED, NGX_GATE_RESET,
                                  "peer is closing the connection");
    }

    /* libnghttp2 has already reset the stream */

    return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                              "peer sent an invalid response");
}


static ngx_int_t
ngx_gate_grpc_fail(ngx_gate_grpc_t *grpc, ngx_int_t rc,
    ngx_gate_reason_e reason, const char *text)
{
    ngx_gate_error_set(&grpc->error, reason, "%s", text);

    return rc;
}


ngx_uint_t
ngx_gate_grpc_is_reusable(ngx_gate_grpc_t *grpc)
{
    return grpc->session != NULL
           && grpc->closed
           && !grpc->leaving
           && grpc->received <= NGX_GATE_GRPC_RECEIVED_MAX
           && nghttp2_session_check_request_allowed(grpc->session);
}


static ssize_t
ngx_gate_grpc_on_send(nghttp2_session *session, const uint8_t *bytes,
    size_t len, int flags, void *data)
{
    ngx_gate_grpc_t *grpc = data;

    grpc->send(grpc->data, bytes, len);

    return (ssize_t) len;
}


static ssize_t
ngx_gate_grpc_on_body(nghttp2_session *session, int32_t stream, uint8_t *buf,
    size_t size, uint32_t *flags, nghttp2_data_source *source, void *data)
{
    ngx_gate_grpc_t *grpc = data;

    size_t      len;
    ngx_str_t  *message;

    message = &grpc->request->message;
    len = ngx_min(size, message->len - grpc->sent);

    ngx_memcpy(buf, message->data + grpc->sent, len);
    grpc->sent += len;

    if (grpc->sent == message->len) {
        *flags = NGHTTP2_DATA_FLAG_EOF;
    }

    return (ssize_t) len;
}


static int
ngx_gate_grpc_on_frame(nghttp2_session *session, const nghttp2_frame *frame,
    void *data)
{
    ngx_gate_grpc_t *grpc = data;

    switch (frame->hd.type) {

    case NGHTTP2_SETTINGS:
        grpc->greeted = 1;
        return 0;

    case NGHTTP2_GOAWAY:
        grpc->leaving = 1;
        return 0;
    }

    if (frame->hd.stream_id != grpc->stream || grpc->ended || grpc->closed) {
        return 0;
    }

    switch (frame->hd.type) {

    case NGHTTP2_RST_STREAM:
        grpc->reset = 1;
        grpc->reset_code = frame->rst_stream.error_code;
        return 0;

    case NGHTTP2_HEADERS:
        ngx_gate_grpc_end_block(grpc);
        break;

    case NGHTTP2_DATA:
        break;

    default:
        return 0;
    }

    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        grpc->ended = 1;
    }

    return 0;
}


/* if the response is not gRPC, the rest of it is not read */

static void
ngx_gate_grpc_end_block(ngx_gate_grpc_t *grpc)
{
    ngx_gate_grpc_response_t  *response;

    response = &grpc->response;

    if (response->http_status >= 200
        && response->status == NGX_GATE_GRPC_NO_STATUS
        && !response->is_grpc)
    {
        grpc->ended = 1;
    }
}


static int
ngx_gate_grpc_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value, size_t len,
    uint8_t flags, void *data)
{
    ngx_gate_grpc_t *grpc = data;

    ngx_gate_grpc_response_t  *response;

    grpc->headers += name_len + len;

    if (grpc->headers > NGX_GATE_GRPC_HEADERS_MAX) {
        return ngx_gate_grpc_refuse(grpc, "response headers are too large");
    }

    if (frame->hd.stream_id != grpc->stream || grpc->ended || grpc->closed) {
        return 0;
    }

    response = &grpc->response;

    if (ngx_gate_grpc_eq(name, name_len, ":status")) {
        response->http_status = ngx_atoi((u_char *) value, len);

    } else if (ngx_gate_grpc_eq(name, name_len, "content-type")) {
        response->is_grpc = ngx_gate_grpc_is_type(value, len);

    } else if (ngx_gate_grpc_eq(name, name_len, "grpc-message")) {
        ngx_gate_grpc_set_text(response, value, len);

    } else if (ngx_gate_grpc_eq(name, name_len, "grpc-status")) {
        response->status = ngx_atoi((u_char *) value, len);

        if (response->status == NGX_ERROR) {
            return ngx_gate_grpc_refuse(grpc,
                                        "peer sent an invalid grpc-status");
        }
    }

    return 0;
}


/* "application/grpc", "application/grpc+proto", but not "...grpc-web" */

static ngx_uint_t
ngx_gate_grpc_is_type(const u_char *value, size_t len)
{
    size_t  n;

    n = sizeof(NGX_GATE_GRPC_TYPE) - 1;

    if (len < n
        || ngx_strncasecmp((u_char *) value, (u_char *) NGX_GATE_GRPC_TYPE, n)
           != 0)
    {
        return 0;
    }

    return len == n || value[n] == '+' || value[n] == ';' || value[n] == ' ';
}


/* percent-encoded */

static void
ngx_gate_grpc_set_text(ngx_gate_grpc_response_t *response,
    const u_char *value, size_t len)
{
    u_char  *src, *dst;

    src = (u_char *) value;
    dst = response->text;

    ngx_unescape_uri(&dst, &src, ngx_min(len, NGX_GATE_GRPC_TEXT_MAX), 0);

    response->text_len = dst - response->text;
}


static int
ngx_gate_grpc_on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
    const uint8_t *bytes, size_t len, void *data)
{
    ngx_gate_grpc_t *grpc = data;

    if (stream != grpc->stream || grpc->ended || grpc->closed) {
        return 0;
    }

    if (sizeof(grpc->body) - grpc->body_len < len) {
        return ngx_gate_grpc_refuse(grpc, "response message is too large");
    }

    ngx_memcpy(grpc->body + grpc->body_len, bytes, len);
    grpc->body_len += len;

    return 0;
}


static int
ngx_gate_grpc_on_close(nghttp2_session *session, int32_t stream,
    uint32_t code, void *data)
{
    ngx_gate_grpc_t *grpc = data;

    if (stream == grpc->stream) {
        grpc->closed = 1;
    }

    return 0;
}


/* a compression flag of one byte, a length of four bytes */

static ngx_int_t
ngx_gate_grpc_message(ngx_gate_grpc_t *grpc)
{
    size_t   len;
    u_char  *p;

    if (grpc->body_len == 0) {
        return NGX_DONE;
    }

    p = grpc->body;
    len = grpc->body_len - NGX_GATE_GRPC_PREFIX;

    if (grpc->body_len < NGX_GATE_GRPC_PREFIX
        || p[0] != 0
        || ((size_t) p[1] << 24 | p[2] << 16 | p[3] << 8 | p[4]) != len)
    {
        return ngx_gate_grpc_fail(grpc, NGX_ERROR, NGX_GATE_PROTOCOL,
                                  "peer sent an invalid message");
    }

    grpc->response.message.data = p + NGX_GATE_GRPC_PREFIX;
    grpc->response.message.len = len;

    return NGX_DONE;
}


static int
ngx_gate_grpc_refuse(ngx_gate_grpc_t *grpc, const char *text)
{
    ngx_gate_error_set(&grpc->error, NGX_GATE_PROTOCOL, "%s", text);

    return NGHTTP2_ERR_CALLBACK_FAILURE;
}
