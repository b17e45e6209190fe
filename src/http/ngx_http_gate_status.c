
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * init_status: a status endpoint for dashboards and Prometheus.
 */


#include <ngx_http_gate_query.h>
#include <ngx_gate_html.h>
#include <ngx_gate_metrics.h>


static ngx_http_gate_format_e ngx_http_gate_status_format(
    ngx_http_request_t *r, ngx_http_gate_loc_conf_t *glcf,
    ngx_http_gate_query_t *query);
static ngx_uint_t ngx_http_gate_status_ready(ngx_http_gate_query_t *query);
static ngx_int_t ngx_http_gate_status_dashboard(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf);
static ngx_int_t ngx_http_gate_status_metrics(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_str_t *body);


ngx_int_t
ngx_http_gate_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_http_gate_query_t      query;
    ngx_http_gate_format_e     format;
    ngx_http_gate_loc_conf_t  *glcf;

    ngx_memzero(&query, sizeof(ngx_http_gate_query_t));

    rc = ngx_http_gate_query_begin(r);

    if (rc == NGX_OK) {
        rc = ngx_http_gate_query_args(r, &query);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    format = ngx_http_gate_status_format(r, glcf, &query);

    if (format == NGX_HTTP_GATE_FORMAT_AUTO) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (format == NGX_HTTP_GATE_FORMAT_HTML) {
        return ngx_http_gate_status_dashboard(r, glcf);
    }

    rc = ngx_http_gate_query_read(r, &query);

    if (rc != NGX_OK) {
        return rc;
    }

    if (format == NGX_HTTP_GATE_FORMAT_PROMETHEUS) {
        rc = ngx_http_gate_status_metrics(r, &query, &body);

    } else {
        query.ready = ngx_http_gate_status_ready(&query);
        rc = ngx_http_gate_query_json(r, &query, glcf->details, &body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_gate_query_send(r, NGX_HTTP_OK, format, &body, 1);
}


/* the version is shown only if details are */

static ngx_int_t
ngx_http_gate_status_dashboard(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_str_t   parts[3];
    ngx_uint_t  n;

    parts[0] = ngx_gate_html_dashboard;
    n = 1;

    if (glcf->details) {
        ngx_str_set(&parts[n], NGX_GATE_VERSION);
        n++;
    }

    parts[n++] = ngx_gate_html_dashboard_tail;

    return ngx_http_gate_query_send(r, NGX_HTTP_OK, NGX_HTTP_GATE_FORMAT_HTML,
                                    parts, n);
}


/* AUTO: the format requested is unknown */

static ngx_http_gate_format_e
ngx_http_gate_status_format(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf, ngx_http_gate_query_t *query)
{
    ngx_conf_enum_t  *e;

    if (query->format.data) {

        for (e = ngx_http_gate_conf_formats; e->name.len; e++) {
            if (ngx_gate_str_eq(&query->format, &e->name)
                && e->value != NGX_HTTP_GATE_FORMAT_AUTO)
            {
                return e->value;
            }
        }

        return NGX_HTTP_GATE_FORMAT_AUTO;
    }

    if (glcf->format != NGX_HTTP_GATE_FORMAT_AUTO) {
        return glcf->format;
    }

    if (r->headers_in.accept == NULL) {
        return NGX_HTTP_GATE_FORMAT_JSON;
    }

    switch (ngx_http_gate_accept_format(&r->headers_in.accept->value,
                                        NGX_HTTP_GATE_ACCEPT_STATUS)) {

    case NGX_HTTP_GATE_FORMAT_HTML:
        return NGX_HTTP_GATE_FORMAT_HTML;

    case NGX_HTTP_GATE_FORMAT_TEXT:
    case NGX_HTTP_GATE_FORMAT_PROMETHEUS:
        return NGX_HTTP_GATE_FORMAT_PROMETHEUS;

    default:
        return NGX_HTTP_GATE_FORMAT_JSON;
    }
}


static ngx_uint_t
ngx_http_gate_status_ready(ngx_http_gate_query_t *query)
{
    ngx_uint_t          i;
    ngx_gate_report_t  *report;

    for (i = 0; i < query->n; i++) {
        report = &query->reports[i];

        if (!report->record->ready) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_gate_status_metrics(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_str_t *body)
{
    size_t  size;

    size = ngx_gate_metrics_size(query->reports, query->n);

    body->data = ngx_pnalloc(r->pool, size);
    if (body->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->len = ngx_gate_metrics(body->data, body->data + size,
                                 query->reports, query->details, query->n)
                - body->data;

    return NGX_OK;
}
