
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * init_ready: a readiness endpoint for probes.
 */


#include <ngx_http_gate_query.h>
#include <ngx_http_gate_wait.h>
#include <ngx_http_gate_via.h>
#include <ngx_gate_text.h>


#define NGX_HTTP_GATE_READY_LOOP  508


static ngx_uint_t ngx_http_gate_ready_ends(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_ready_done(ngx_http_gate_wait_t *wait);
static ngx_int_t ngx_http_gate_ready_send(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_ready_subpath(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
static ngx_uint_t ngx_http_gate_ready_all(ngx_http_gate_query_t *query);
static ngx_uint_t ngx_http_gate_ready_gate(ngx_http_gate_query_t *query,
    ngx_gate_report_t *report);
static ngx_int_t ngx_http_gate_ready_text(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_str_t *body);


ngx_int_t
ngx_http_gate_ready_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_gate_wait_t      *wait;
    ngx_http_gate_query_t     *query;
    ngx_http_gate_loc_conf_t  *glcf;

    rc = ngx_http_gate_query_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    query = ngx_pcalloc(r->pool, sizeof(ngx_http_gate_query_t));
    wait = ngx_http_gate_wait_create(r, glcf->status_list->gates, 0);

    if (query == NULL || wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_gate_query_args(r, query);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_gate_ready_subpath(r, query);

    rc = ngx_http_gate_query_read(r, query);

    if (rc != NGX_OK) {
        return rc;
    }

    query->ready = ngx_http_gate_ready_all(query);

    wait->ends = ngx_http_gate_ready_ends;
    wait->done = ngx_http_gate_ready_done;
    wait->data = query;

    if (ngx_http_gate_via_test(r, query) != NGX_OK) {
        return ngx_http_gate_ready_send(wait);
    }

    rc = ngx_http_gate_wait_request(wait);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc == NGX_DECLINED ? ngx_http_gate_ready_send(wait) : rc;
}


/* for those who only wait for the end */

static ngx_uint_t
ngx_http_gate_ready_ends(ngx_http_gate_wait_t *wait)
{
    ngx_uint_t              n;
    ngx_http_gate_query_t  *query;

    query = wait->data;

    ngx_http_gate_query_read_again(query);

    if (ngx_http_gate_via_test(wait->request, query) != NGX_OK) {
        return 1;
    }

    for (n = 0; n < query->n; n++) {
        if (query->reports[n].record->latch.state == NGX_GATE_STATE_FAILED) {
            return 1;
        }
    }

    return ngx_http_gate_ready_all(query);
}


static void
ngx_http_gate_ready_done(ngx_http_gate_wait_t *wait)
{
    ngx_http_gate_query_t  *query;

    query = wait->data;

    ngx_http_gate_wait_set_tag(wait);
    ngx_http_gate_query_read_again(query);

    query->ready = ngx_http_gate_ready_all(query);

    ngx_http_finalize_request(wait->request, ngx_http_gate_ready_send(wait));
}


static ngx_int_t
ngx_http_gate_ready_send(ngx_http_gate_wait_t *wait)
{
    ngx_int_t                rc;
    ngx_str_t                body;
    ngx_uint_t               status;
    ngx_http_request_t      *r;
    ngx_http_gate_query_t   *query;
    ngx_http_gate_format_e   format;

    r = wait->request;
    query = wait->data;

    format = r->headers_in.accept
             ? ngx_http_gate_accept_format(&r->headers_in.accept->value,
                                           NGX_HTTP_GATE_ACCEPT_STATUS)
             : NGX_HTTP_GATE_FORMAT_AUTO;

    if (format == NGX_HTTP_GATE_FORMAT_JSON
        || format == NGX_HTTP_GATE_FORMAT_PROBLEM)
    {
        format = NGX_HTTP_GATE_FORMAT_JSON;
        rc = ngx_http_gate_query_json(r, query, 0, &body);

    } else {
        format = NGX_HTTP_GATE_FORMAT_TEXT;
        rc = ngx_http_gate_ready_text(r, query, &body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_gate_wait_add_headers(wait) != NGX_OK
        || ngx_http_gate_via_add_header(r, query) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = query->ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;

    if (ngx_http_gate_via_test(r, query) != NGX_OK) {
        status = NGX_HTTP_GATE_READY_LOOP;
    }

    return ngx_http_gate_query_send(r, status, format, &body, 1);
}


/* a check by the path: the last part after the path of the location */

static void
ngx_http_gate_ready_subpath(ngx_http_request_t *r,
    ngx_http_gate_query_t *query)
{
    u_char                    *slash;
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_gate_loc_conf_t  *glcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    ngx_str_null(&query->gate);
    ngx_str_null(&query->check);

    if (!glcf->subpaths || r->uri.len <= clcf->name.len) {
        return;
    }

    path.data = r->uri.data + clcf->name.len;
    path.len = r->uri.len - clcf->name.len;

    if (path.data[0] == '/') {
        path.data++;
        path.len--;
    }

    slash = ngx_strlchr(path.data, path.data + path.len, '/');

    if (slash) {
        query->gate.data = path.data;
        query->gate.len = slash - path.data;

        path.len -= slash + 1 - path.data;
        path.data = slash + 1;
    }

    query->check = path;
}


static ngx_uint_t
ngx_http_gate_ready_all(ngx_http_gate_query_t *query)
{
    ngx_uint_t  i;

    for (i = 0; i < query->n; i++) {
        if (!ngx_http_gate_ready_gate(query, &query->reports[i])) {
            return 0;
        }
    }

    return 1;
}


/*
 * for a check: whether it has passed; for a gate: whether it is open, or
 * would be without the excluded checks
 */

static ngx_uint_t
ngx_http_gate_ready_gate(ngx_http_gate_query_t *query,
    ngx_gate_report_t *report)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if (query->check.len) {
        return report->checks[0].status.up;
    }

    if (report->record->ready) {
        return 1;
    }

    if (report->record->override == NGX_GATE_OVERRIDE_CLOSE) {
        return 0;
    }

    for (i = 0; i < report->gate->checks.nelts; i++) {
        check = ngx_gate_check_at(report->gate, i);

        if (!check->optional
            && !report->checks[i].status.up
            && !ngx_http_gate_query_is_excluded(query, report->gate, check))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_gate_ready_text(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_str_t *body)
{
    u_char             *p;
    size_t              size;
    ngx_uint_t          i, n;
    ngx_gate_t         *gate;
    ngx_gate_check_t   *check;
    ngx_gate_report_t  *report;

    size = sizeof("readyz check passed\n");

    for (n = 0; n < query->n; n++) {
        gate = query->reports[n].gate;

        for (i = 0; i < gate->checks.nelts; i++) {
            size += ngx_gate_text_check_size(gate, ngx_gate_check_at(gate, i));
        }

        size += ngx_gate_text_overrides_size(&query->reports[n]);
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for (n = 0; n < query->n; n++) {
        report = &query->reports[n];

        if (query->check.len == 0) {
            p = ngx_gate_text_overrides(p, report);
        }

        for (i = 0; i < report->gate->checks.nelts; i++) {
            check = ngx_gate_check_at(report->gate, i);

            p = ngx_gate_text_check(p, query->n > 1 ? report->gate : NULL,
                             check, &report->checks[i],
                             ngx_http_gate_query_is_excluded(query,
                                                        report->gate, check));
        }
    }

    p = ngx_sprintf(p, "readyz check %s\n", query->ready ? "passed" : "failed");

    body->len = p - body->data;

    return NGX_OK;
}
