
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * POST requests that change the state; see ngx_http_gate_post.h.
 */


#include <ngx_http_gate_post.h>
#include <ngx_gate_token_file.h>


#define NGX_HTTP_GATE_POST_PROBLEM  512


static ngx_int_t ngx_http_gate_post_examine(ngx_http_request_t *r,
    ngx_http_gate_post_t *post, ngx_http_gate_post_find_pt find);
static ngx_int_t ngx_http_gate_post_authorize(ngx_http_request_t *r);
static void ngx_http_gate_post_path(ngx_http_request_t *r, ngx_str_t *path);
static ngx_uint_t ngx_http_gate_post_has_form(ngx_http_request_t *r);
static ngx_uint_t ngx_http_gate_post_is_form(ngx_http_request_t *r);

static ngx_http_gate_post_t *ngx_http_gate_post_create(ngx_http_request_t *r);
static ngx_http_gate_post_t *ngx_http_gate_post_get(ngx_http_request_t *r);
static void ngx_http_gate_post_cleanup(void *data);
static void ngx_http_gate_post_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_gate_post_append(ngx_http_gate_post_t *post);
static ngx_uint_t ngx_http_gate_post_is_late(ngx_http_gate_post_t *post);

static ngx_int_t ngx_http_gate_post_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);
static ngx_int_t ngx_http_gate_post_problem(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);
static ngx_int_t ngx_http_gate_post_add_header(ngx_http_request_t *r,
    ngx_uint_t status);
static const char *ngx_http_gate_post_title(ngx_uint_t status);


static ngx_http_gate_type_t  ngx_http_gate_post_problem_type =
    ngx_http_gate_type("application/problem+json", "", "");

static ngx_str_t  ngx_http_gate_post_form_type =
    ngx_string("application/x-www-form-urlencoded");


ngx_int_t
ngx_http_gate_post_begin(ngx_http_request_t *r, ngx_http_gate_post_find_pt find,
    ngx_http_gate_post_done_pt done)
{
    ngx_int_t              rc;
    ngx_http_gate_post_t  *post;

    if (r != r->main) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    post = ngx_http_gate_post_create(r);
    if (post == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_gate_post_examine(r, post, find);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    post->done = done;

    /* nginx itself would read a chunked body of any size */

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_gate_post_read);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* NGX_DECLINED: not refused */

static ngx_int_t
ngx_http_gate_post_examine(ngx_http_request_t *r, ngx_http_gate_post_t *post,
    ngx_http_gate_post_find_pt find)
{
    ngx_int_t    rc;
    ngx_str_t    path;
    const char  *error;

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_gate_post_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                         "The method must be POST.");
    }

    rc = ngx_http_gate_post_authorize(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_http_gate_post_path(r, &path);

    error = find(post, &path);

    if (error) {
        return ngx_http_gate_post_refuse(r, NGX_HTTP_NOT_FOUND, error);
    }

    if (!ngx_http_gate_post_has_form(r)) {
        return NGX_DECLINED;
    }

    if (!ngx_http_gate_post_is_form(r)) {
        return ngx_http_gate_post_refuse(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                         "The body must be of the type "
                                         "application/x-www-form-urlencoded.");
    }

    if (r->headers_in.content_length_n > NGX_HTTP_GATE_POST_MAX) {
        return ngx_http_gate_post_refuse(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                         "The body must not exceed 4 KiB.");
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gate_post_authorize(ngx_http_request_t *r)
{
    ngx_str_t                  token;
    ngx_http_gate_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    if (r->headers_in.authorization == NULL
        || r->headers_in.authorization->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(r->headers_in.authorization->value.data,
                           (u_char *) "Bearer ", sizeof("Bearer ") - 1)
           != 0)
    {
        return ngx_http_gate_post_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                         "A token is required, as in "
                                         "\\\"Authorization: Bearer "
                                         "TOKEN\\\".");
    }

    token = r->headers_in.authorization->value;

    token.data += sizeof("Bearer ") - 1;
    token.len -= sizeof("Bearer ") - 1;

    while (token.len && token.data[0] == ' ') {
        token.data++;
        token.len--;
    }

    switch (ngx_gate_token_file_compare(&glcf->post->token_file, &token,
                                        r->connection->log))
    {

    case NGX_OK:
        return NGX_DECLINED;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"%s\": wrong token", glcf->post->directive);

        return ngx_http_gate_post_refuse(r, NGX_HTTP_FORBIDDEN,
                                         "The token is wrong.");

    default: /* NGX_ERROR */
        return ngx_http_gate_post_refuse(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                         "The token file cannot be read.");
    }
}


/* the part of the path after that of the location */

static void
ngx_http_gate_post_path(ngx_http_request_t *r, ngx_str_t *path)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    *path = r->uri;

    if (path->len < clcf->name.len) {
        path->len = 0;
        return;
    }

    path->data += clcf->name.len;
    path->len -= clcf->name.len;

    if (path->len && path->data[0] == '/') {
        path->data++;
        path->len--;
    }
}


static ngx_uint_t
ngx_http_gate_post_has_form(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}


static ngx_uint_t
ngx_http_gate_post_is_form(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *value;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    value = &r->headers_in.content_type->value;
    len = ngx_http_gate_post_form_type.len;

    return value->len >= len
           && ngx_strncasecmp(value->data, ngx_http_gate_post_form_type.data,
                              len)
              == 0
           && (value->len == len
               || value->data[len] == ';' || value->data[len] == ' ');
}


/*
 * Found by its cleanup handler: the context of the module is used by gates,
 * and an event has only the request.
 */

static ngx_http_gate_post_t *
ngx_http_gate_post_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t    *cln;
    ngx_http_gate_post_t  *post;

    post = ngx_pcalloc(r->pool, sizeof(ngx_http_gate_post_t));
    if (post == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_gate_post_cleanup;
    cln->data = post;

    post->request = r;
    post->start_msec = ngx_current_msec;

    return post;
}


static ngx_http_gate_post_t *
ngx_http_gate_post_get(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;

    for (cln = r->cleanup; cln->handler != ngx_http_gate_post_cleanup;
         cln = cln->next)
    {
        /* void */
    }

    return cln->data;
}


static void
ngx_http_gate_post_cleanup(void *data)
{
    ngx_http_gate_post_t *post = data;

    ngx_http_gate_await_end(post);
}


static void
ngx_http_gate_post_read(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_gate_post_t  *post;

    post = ngx_http_gate_post_get(r);

    if (ngx_http_gate_post_has_form(r) && post->form == NULL) {
        post->form = ngx_pnalloc(r->pool, NGX_HTTP_GATE_POST_MAX);
        if (post->form == NULL) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }
    }

    r->read_event_handler = ngx_http_gate_post_read;

    for ( ;; ) {

        if (ngx_http_gate_post_append(post) != NGX_OK) {
            r->keepalive = 0;
            ngx_http_finalize_request(r, ngx_http_gate_post_problem(r,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                           "The body must not exceed 4 KiB."));
            return;
        }

        if (ngx_http_gate_post_is_late(post)) {
            ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
            return;
        }

        if (!r->reading_body) {
            r->read_event_handler = ngx_http_block_reading;
            post->done(post);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_finalize_request(r, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }
}


/* NGX_DECLINED: the body is too large */

static ngx_int_t
ngx_http_gate_post_append(ngx_http_gate_post_t *post)
{
    size_t               len;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = post->request;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        len = b->last - b->pos;

        if (len > NGX_HTTP_GATE_POST_MAX - post->len) {
            return NGX_DECLINED;
        }

        if (len) {
            ngx_memcpy(post->form + post->len, b->pos, len);
            post->len += len;
        }

        b->pos = b->last;
    }

    r->request_body->bufs = NULL;

    return NGX_OK;
}


/*
 * client_body_timeout limits the time between two reads; here, the total time
 */

static ngx_uint_t
ngx_http_gate_post_is_late(ngx_http_gate_post_t *post)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(post->request, ngx_http_core_module);

    return post->request->reading_body
           && ngx_current_msec - post->start_msec > clcf->client_body_timeout;
}


ngx_int_t
ngx_http_gate_post_args(ngx_http_gate_post_t *post,
    ngx_http_gate_form_arg_t *args)
{
    u_char               error[NGX_HTTP_GATE_FORM_ERROR];
    ngx_int_t            rc;
    ngx_str_t            form;
    ngx_http_request_t  *r;

    r = post->request;

    form.data = post->form;
    form.len = post->len;

    rc = ngx_http_gate_form_parse(r->pool, &r->args, args, error);

    if (rc == NGX_OK) {
        rc = ngx_http_gate_form_parse(r->pool, &form, args, error);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_gate_post_invalid(post, (char *) error);

    } else if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        rc = NGX_DECLINED;
    }

    return rc;
}


void
ngx_http_gate_post_invalid(ngx_http_gate_post_t *post, const char *detail)
{
    size_t               len;
    u_char              *p;
    ngx_str_t            text;
    ngx_http_request_t  *r;

    r = post->request;

    /* may quote an argument */

    text.data = (u_char *) detail;
    text.len = ngx_strlen(detail);

    len = text.len + ngx_escape_json(NULL, text.data, text.len);

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    *(u_char *) ngx_escape_json(p, text.data, text.len) = '\0';

    ngx_http_finalize_request(r,
                       ngx_http_gate_post_problem(r, 422, (const char *) p));
}


void
ngx_http_gate_post_unavailable(ngx_http_gate_post_t *post)
{
    ngx_http_finalize_request(post->request,
                  ngx_http_gate_post_problem(post->request,
                                             NGX_HTTP_SERVICE_UNAVAILABLE,
                                             "Try again."));
}


/* called before the body is read; a body above the limit is not read */

static ngx_int_t
ngx_http_gate_post_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    r->expect_tested = 1;

    if (r->headers_in.content_length_n > NGX_HTTP_GATE_POST_MAX) {
        r->keepalive = 0;
        r->lingering_close = 1;

    } else if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    return ngx_http_gate_post_problem(r, status, detail);
}


/* RFC 9457; the detail is escaped */

static ngx_int_t
ngx_http_gate_post_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    u_char     *p;
    ngx_str_t   body;

    if (ngx_http_gate_response_no_store(r) != NGX_OK
        || ngx_http_gate_post_add_header(r, status) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_GATE_POST_PROBLEM);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* nginx has no text of it */

    if (status == 422) {
        ngx_str_set(&r->headers_out.status_line, "422 Unprocessable Content");
    }

    body.data = p;
    body.len = ngx_snprintf(p, NGX_HTTP_GATE_POST_PROBLEM,
                            "{\"type\":\"about:blank\",\"title\":\"%s\","
                            "\"status\":%ui,\"detail\":\"%s\"}\n",
                            ngx_http_gate_post_title(status), status, detail)
               - p;

    return ngx_http_gate_response_send(r, status,
                                       &ngx_http_gate_post_problem_type,
                                       &body, 1);
}


static ngx_int_t
ngx_http_gate_post_add_header(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_table_elt_t  *h;

    if (status != NGX_HTTP_NOT_ALLOWED && status != NGX_HTTP_UNAUTHORIZED) {
        return NGX_OK;
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_NOT_ALLOWED) {
        ngx_str_set(&h->key, "Allow");
        ngx_str_set(&h->value, "POST");

    } else {
        ngx_str_set(&h->key, "WWW-Authenticate");
        ngx_str_set(&h->value, "Bearer");
    }

    return NGX_OK;
}


static const char *
ngx_http_gate_post_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
        return "Unauthorized";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_NOT_FOUND:
        return "Not Found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method Not Allowed";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Unsupported Media Type";

    case 422:
        return "Unprocessable Content";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";

    default:
        return "Internal Server Error";
    }
}
