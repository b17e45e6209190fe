
/*
 * init_status and init_ready: what people, dashboards and probes ask.
 */


#include <ngx_http_gate.h>
#include <ngx_gate_json.h>
#include <ngx_gate_html.h>
#include <ngx_gate_text.h>
#include <ngx_gate_metrics.h>


/* what of the listed gates the query asks for */

typedef struct {
    ngx_gate_t                **gates;
    ngx_str_t                   gate;       /* ?gate=, or empty */
    ngx_str_t                   check;      /* ?check=, or empty */
    ngx_uint_t                  n;
    ngx_gate_report_t          *reports;
    ngx_gate_details_t         *details;
} ngx_http_gate_query_t;


static ngx_int_t ngx_http_gate_status_begin(ngx_http_request_t *r);
static ngx_http_gate_format_e ngx_http_gate_status_format(
    ngx_http_request_t *r, ngx_http_gate_loc_conf_t *glcf);
static ngx_int_t ngx_http_gate_query(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
static ngx_int_t ngx_http_gate_query_one(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_t *gate);
static ngx_gate_t *ngx_http_gate_query_narrow(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_t *gate, ngx_uint_t i);
static ngx_uint_t ngx_http_gate_is_named(ngx_str_t *wanted, ngx_str_t *name);
static ngx_int_t ngx_http_gate_status_json(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_uint_t details, ngx_str_t *body);
static ngx_int_t ngx_http_gate_status_metrics(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_str_t *body);
static ngx_int_t ngx_http_gate_ready_text(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_uint_t ready, ngx_str_t *body);
static ngx_uint_t ngx_http_gate_is_excluded(ngx_http_request_t *r,
    ngx_gate_t *gate, ngx_gate_check_t *check);
static void ngx_http_gate_subpath(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
static ngx_uint_t ngx_http_gate_ready(ngx_http_request_t *r,
    ngx_http_gate_query_t *query);
static ngx_uint_t ngx_http_gate_ready_one(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_report_t *report);
static ngx_int_t ngx_http_gate_status_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_gate_format_e format, ngx_str_t *body);


/* in the order of ngx_http_gate_format_e */

static ngx_str_t  ngx_http_gate_types[] = {
    ngx_string("application/json"),
    ngx_string("application/json"),
    ngx_string("text/html; charset=utf-8"),
    ngx_string("text/plain; version=0.0.4; charset=utf-8"),
    ngx_string("application/json"),
    ngx_string("text/plain; charset=utf-8")
};


ngx_int_t
ngx_http_gate_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_http_gate_query_t      query;
    ngx_http_gate_format_e     format;
    ngx_http_gate_loc_conf_t  *glcf;

    rc = ngx_http_gate_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    format = ngx_http_gate_status_format(r, glcf);

    if (format == NGX_HTTP_GATE_FORMAT_AUTO) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (format == NGX_HTTP_GATE_FORMAT_HTML) {
        return ngx_http_gate_status_send(r, NGX_HTTP_OK, format,
                                         &ngx_gate_dashboard);
    }

    ngx_memzero(&query, sizeof(ngx_http_gate_query_t));

    (void) ngx_http_arg(r, (u_char *) "gate", 4, &query.gate);
    (void) ngx_http_arg(r, (u_char *) "check", 5, &query.check);

    rc = ngx_http_gate_query(r, &query);

    if (rc != NGX_OK) {
        return rc;
    }

    if (format == NGX_HTTP_GATE_FORMAT_PROMETHEUS) {
        rc = ngx_http_gate_status_metrics(r, &query, &body);

    } else {
        rc = ngx_http_gate_status_json(r, &query, glcf->details, &body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_gate_status_send(r, NGX_HTTP_OK, format, &body);
}


ngx_int_t
ngx_http_gate_ready_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_str_t               body;
    ngx_uint_t              ready;
    ngx_http_gate_query_t   query;
    ngx_http_gate_format_e  format;

    rc = ngx_http_gate_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&query, sizeof(ngx_http_gate_query_t));

    ngx_http_gate_subpath(r, &query);

    rc = ngx_http_gate_query(r, &query);

    if (rc != NGX_OK) {
        return rc;
    }

    ready = ngx_http_gate_ready(r, &query);

    format = r->headers_in.accept
             ? ngx_http_gate_accept(&r->headers_in.accept->value)
             : NGX_HTTP_GATE_FORMAT_AUTO;

    if (format == NGX_HTTP_GATE_FORMAT_JSON
        || format == NGX_HTTP_GATE_FORMAT_PROBLEM)
    {
        format = NGX_HTTP_GATE_FORMAT_JSON;
        rc = ngx_http_gate_status_json(r, &query, 0, &body);

    } else {
        format = NGX_HTTP_GATE_FORMAT_TEXT;
        rc = ngx_http_gate_ready_text(r, &query, ready, &body);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_gate_status_send(r, ready ? NGX_HTTP_OK
                                              : NGX_HTTP_SERVICE_UNAVAILABLE,
                                     format, &body);
}


static ngx_int_t
ngx_http_gate_status_begin(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_discard_request_body(r);
}


/* AUTO: the query asks for a format that there is not */

static ngx_http_gate_format_e
ngx_http_gate_status_format(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_str_t         value;
    ngx_conf_enum_t  *e;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        for (e = ngx_http_gate_formats; e->name.len; e++) {
            if (ngx_http_gate_is_named(&value, &e->name)
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

    switch (ngx_http_gate_accept(&r->headers_in.accept->value)) {

    case NGX_HTTP_GATE_FORMAT_HTML:
        return NGX_HTTP_GATE_FORMAT_HTML;

    case NGX_HTTP_GATE_FORMAT_TEXT:
    case NGX_HTTP_GATE_FORMAT_PROMETHEUS:
        return NGX_HTTP_GATE_FORMAT_PROMETHEUS;

    default:
        return NGX_HTTP_GATE_FORMAT_JSON;
    }
}


static ngx_int_t
ngx_http_gate_query(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_gate_t                 **gate;
    ngx_http_gate_loc_conf_t    *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    query->gates = glcf->shown->gates;

    for (n = 0; query->gates[n]; n++) { /* void */ }

    query->reports = ngx_palloc(r->pool, (n + 1) * sizeof(ngx_gate_report_t));
    query->details = ngx_palloc(r->pool, (n + 1) * sizeof(ngx_gate_details_t));

    if (query->reports == NULL || query->details == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (gate = query->gates; *gate; gate++) {

        if (query->gate.len
            && !ngx_http_gate_is_named(&query->gate, &(*gate)->name))
        {
            continue;
        }

        rc = ngx_http_gate_query_one(r, query, *gate);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (query->n == 0 && (query->gate.len || query->check.len)) {
        return NGX_HTTP_NOT_FOUND;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_query_one(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_gate_t *gate)
{
    ngx_uint_t                  i;
    ngx_gate_zone_t            *zone;
    ngx_gate_report_t          *report;
    ngx_gate_details_t         *details;
    ngx_http_gate_main_conf_t  *gmcf;

    if (query->check.len) {

        for (i = 0; i < gate->checks.nelts; i++) {
            if (ngx_http_gate_is_named(&query->check,
                                       &ngx_gate_check_at(gate, i)->name))
            {
                break;
            }
        }

        if (i == gate->checks.nelts) {
            return NGX_OK;
        }

        gate = ngx_http_gate_query_narrow(r, query, gate, i);
        if (gate == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);

    report = &query->reports[query->n];
    details = &query->details[query->n];

    report->gate = gate;
    report->record = ngx_palloc(r->pool, sizeof(ngx_gate_record_t));
    report->checks = ngx_palloc(r->pool, gate->checks.nelts
                                         * sizeof(ngx_gate_check_record_t));
    details->history = ngx_palloc(r->pool, NGX_GATE_HISTORY
                                           * sizeof(ngx_gate_event_t));

    if (report->record == NULL || report->checks == NULL
        || details->history == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_gate_read(gate->shared, report->record);

    for (i = 0; i < gate->checks.nelts; i++) {
        ngx_gate_check_read(
                 &gate->shared->checks[ngx_gate_check_at(gate, i)->index],
                 &report->checks[i]);
    }

    zone = gmcf->zone->data;

    ngx_gate_ledger_sum(gmcf->ledger->data, gate, &details->tally);

    details->nhistory = ngx_gate_history_read(gate->shared, details->history);
    details->prober = ngx_gate_zone_owner(zone);
    details->heartbeat = ngx_gate_zone_heartbeat(zone);

    query->n++;

    return NGX_OK;
}


/* the same gate, as if it had but this check */

static ngx_gate_t *
ngx_http_gate_query_narrow(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_t *gate, ngx_uint_t i)
{
    ngx_gate_t  *narrow;

    narrow = ngx_palloc(r->pool, sizeof(ngx_gate_t));
    if (narrow == NULL) {
        return NULL;
    }

    *narrow = *gate;
    narrow->checks.elts = ngx_gate_check_at(gate, i);
    narrow->checks.nelts = 1;

    return narrow;
}


static ngx_uint_t
ngx_http_gate_is_named(ngx_str_t *wanted, ngx_str_t *name)
{
    return wanted->len == name->len
           && ngx_strncmp(wanted->data, name->data, name->len) == 0;
}


static ngx_int_t
ngx_http_gate_status_json(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_uint_t details, ngx_str_t *body)
{
    u_char      *p, *last;
    size_t       size;
    ngx_gate_t  *gate;
    ngx_uint_t   i, ready;

    size = sizeof("{\"ready\":false,\"gates\":[]}");
    ready = 1;

    for (i = 0; i < query->n; i++) {
        gate = query->reports[i].gate;

        size += 1 + (details ? ngx_gate_json_details_size(gate)
                             : ngx_gate_json_size(gate));

        ready &= ngx_gate_state_is_open(gate,
                                     query->reports[i].record->memory.state);
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    last = p + size;

    p = ngx_sprintf(p, "{\"ready\":%s,\"gates\":[", ready ? "true" : "false");

    for (i = 0; i < query->n; i++) {

        if (i) {
            *p++ = ',';
        }

        if (details) {
            p = ngx_gate_json_details(p, last, &query->reports[i],
                                      &query->details[i]);

        } else {
            p = ngx_gate_json(p, last, &query->reports[i]);
        }
    }

    *p++ = ']';
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
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


/* the last part of a path below that of the location names one check */

static void
ngx_http_gate_subpath(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    u_char                    *slash;
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return;
    }
#endif

    if (clcf->named || r->uri.len <= clcf->name.len) {
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
ngx_http_gate_ready(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    ngx_uint_t  i;

    for (i = 0; i < query->n; i++) {
        if (!ngx_http_gate_ready_one(r, query, &query->reports[i])) {
            return 0;
        }
    }

    return 1;
}


/* of one check: whether it has passed; of a gate: whether it is open, or
   would be without what is excluded */

static ngx_uint_t
ngx_http_gate_ready_one(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_gate_report_t *report)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if (query->check.len) {
        return report->checks[0].standing.counts;
    }

    if (ngx_gate_state_is_open(report->gate, report->record->memory.state)) {
        return 1;
    }

    for (i = 0; i < report->gate->checks.nelts; i++) {
        check = ngx_gate_check_at(report->gate, i);

        if (!check->optional
            && !report->checks[i].standing.counts
            && !ngx_http_gate_is_excluded(r, report->gate, check))
        {
            return 0;
        }
    }

    return 1;
}


/* ?exclude=NAME, as often as need be; or GATE/NAME */

static ngx_uint_t
ngx_http_gate_is_excluded(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_gate_check_t *check)
{
    u_char     *p, *last, *end;
    ngx_str_t   word;

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        word.data = p + sizeof("exclude=") - 1;

        if (word.data > end
            || ngx_strncmp(p, "exclude=", sizeof("exclude=") - 1) != 0)
        {
            continue;
        }

        word.len = end - word.data;

        if (word.len > gate->name.len
            && word.data[gate->name.len] == '/'
            && ngx_strncmp(word.data, gate->name.data, gate->name.len) == 0)
        {
            word.data += gate->name.len + 1;
            word.len -= gate->name.len + 1;
        }

        if (ngx_http_gate_is_named(&word, &check->name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_gate_ready_text(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_uint_t ready, ngx_str_t *body)
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
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for (n = 0; n < query->n; n++) {
        report = &query->reports[n];

        for (i = 0; i < report->gate->checks.nelts; i++) {
            check = ngx_gate_check_at(report->gate, i);

            p = ngx_gate_text_check(p, query->n > 1 ? report->gate : NULL,
                             check, &report->checks[i],
                             ngx_http_gate_is_excluded(r, report->gate,
                                                       check));
        }
    }

    p = ngx_sprintf(p, "readyz check %s\n", ready ? "passed" : "failed");

    body->len = p - body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_status_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_gate_format_e format, ngx_str_t *body)
{
    ngx_table_elt_t  *h;

    h = ngx_http_gate_header(r);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    h = ngx_http_gate_header(r);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&h->key, "Vary");
    ngx_str_set(&h->value, "Accept");

    return ngx_http_gate_send(r, status, &ngx_http_gate_types[format], body,
                              1);
}
