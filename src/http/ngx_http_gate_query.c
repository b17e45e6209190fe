
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The arguments and the responses of init_status and init_ready.
 */


#include <ngx_http_gate_query.h>


#define ngx_http_gate_query_is_arg(name, text)                                \
    ((name)->len == sizeof(text) - 1                                          \
     && ngx_strncmp((name)->data, text, sizeof(text) - 1) == 0)


static ngx_int_t ngx_http_gate_query_arg(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, u_char *p, u_char *last);
static int ngx_libc_cdecl ngx_http_gate_query_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_gate_query_add_gate(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_t *gate);
static ngx_int_t ngx_http_gate_query_read_gate(ngx_http_request_t *r,
    ngx_gate_t *gate, ngx_gate_report_t *report,
    ngx_gate_report_details_t *details);
static void ngx_http_gate_query_read_report(ngx_gate_report_t *report);
static ngx_int_t ngx_http_gate_query_add_overrides(ngx_http_request_t *r);
static ngx_gate_t *ngx_http_gate_query_narrow(ngx_http_request_t *r,
    ngx_gate_t *gate, ngx_uint_t i);


/* in the order of ngx_http_gate_format_e */

static ngx_http_gate_type_t  ngx_http_gate_query_types[] = {
    ngx_http_gate_type("application/json", "", ""),
    ngx_http_gate_type("application/json", "", ""),
    ngx_http_gate_type("text/html", "", "utf-8"),
    ngx_http_gate_type("text/plain", "; version=0.0.4; charset=utf-8",
                       "utf-8"),
    ngx_http_gate_type("application/json", "", ""),
    ngx_http_gate_type("text/plain", "", "utf-8")
};


ngx_int_t
ngx_http_gate_query_begin(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return ngx_http_discard_request_body(r);
    }

    h = ngx_http_gate_add_header(r);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&h->key, "Allow");
    ngx_str_set(&h->value, "GET, HEAD");

    return NGX_HTTP_NOT_ALLOWED;
}


ngx_int_t
ngx_http_gate_query_args(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    u_char  *p, *last, *end;

    if (ngx_array_init(&query->excluded, r->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (ngx_http_gate_query_arg(r, query, p, end) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_qsort(query->excluded.elts, query->excluded.nelts, sizeof(ngx_str_t),
              ngx_http_gate_query_compare);

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_query_arg(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    u_char *p, u_char *last)
{
    u_char     *src, *dst, *eq;
    ngx_str_t   name, *value;

    eq = ngx_strlchr(p, last, '=');

    if (eq == NULL) {
        return NGX_OK;
    }

    name.data = p;
    name.len = eq - p;
    value = NULL;

    if (ngx_http_gate_query_is_arg(&name, "gate")) {
        value = &query->gate;

    } else if (ngx_http_gate_query_is_arg(&name, "check")) {
        value = &query->check;

    } else if (ngx_http_gate_query_is_arg(&name, "format")) {
        value = &query->format;

    } else if (ngx_http_gate_query_is_arg(&name, "exclude")) {
        value = ngx_array_push(&query->excluded);
        if (value == NULL) {
            return NGX_ERROR;
        }
    }

    if (value == NULL) {
        return NGX_OK;
    }

    src = eq + 1;

    dst = ngx_pnalloc(r->pool, last - src + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    ngx_unescape_uri(&dst, &src, last - src, 0);
    value->len = dst - value->data;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_gate_query_compare(const void *one, const void *two)
{
    const ngx_str_t  *first = one;
    const ngx_str_t  *second = two;

    if (first->len != second->len) {
        return first->len < second->len ? -1 : 1;
    }

    return ngx_memcmp(first->data, second->data, first->len);
}


/* NAME or GATE/NAME */

ngx_uint_t
ngx_http_gate_query_is_excluded(ngx_http_gate_query_t *query, ngx_gate_t *gate,
    ngx_gate_check_t *check)
{
    u_char     *p, buf[2 * NGX_GATE_NAME_MAX + 1];
    ngx_str_t   name;

    if (query->excluded.nelts == 0) {
        return 0;
    }

    if (bsearch(&check->name, query->excluded.elts, query->excluded.nelts,
                sizeof(ngx_str_t), ngx_http_gate_query_compare))
    {
        return 1;
    }

    name.data = buf;
    p = ngx_snprintf(buf, sizeof(buf), "%V/%V", &gate->name, &check->name);
    name.len = p - buf;

    return bsearch(&name, query->excluded.elts, query->excluded.nelts,
                   sizeof(ngx_str_t), ngx_http_gate_query_compare)
           != NULL;
}


ngx_int_t
ngx_http_gate_query_read(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_gate_t                 **gate;
    ngx_http_gate_loc_conf_t    *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    query->gates = glcf->status_list->gates;

    for (n = 0; query->gates[n]; n++) { /* void */ }

    query->reports = ngx_palloc(r->pool, (n + 1) * sizeof(ngx_gate_report_t));
    query->details = ngx_palloc(r->pool,
                                (n + 1) * sizeof(ngx_gate_report_details_t));

    if (query->reports == NULL || query->details == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (gate = query->gates; *gate; gate++) {

        if (query->gate.len && !ngx_gate_str_eq(&query->gate, &(*gate)->name))
        {
            continue;
        }

        rc = ngx_http_gate_query_add_gate(r, query, *gate);

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
ngx_http_gate_query_add_gate(ngx_http_request_t *r,
    ngx_http_gate_query_t *query, ngx_gate_t *gate)
{
    ngx_uint_t  i;

    if (query->check.len) {

        for (i = 0; i < gate->checks.nelts; i++) {
            if (ngx_gate_str_eq(&query->check,
                                &ngx_gate_check_at(gate, i)->name))
            {
                break;
            }
        }

        if (i == gate->checks.nelts) {
            return NGX_OK;
        }

        gate = ngx_http_gate_query_narrow(r, gate, i);
        if (gate == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_gate_query_read_gate(r, gate, &query->reports[query->n],
                                      &query->details[query->n])
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    query->n++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_query_read_gate(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_gate_report_t *report, ngx_gate_report_details_t *details)
{
    ngx_uint_t                  i;
    ngx_gate_zone_t            *zone;
    ngx_gate_servers_t         *servers;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);
    zone = gmcf->core->zone->data;

    report->gate = gate;
    report->record = ngx_palloc(r->pool, sizeof(ngx_gate_record_t));
    report->checks = ngx_palloc(r->pool, gate->checks.nelts
                                         * sizeof(ngx_gate_check_record_t));
    details->history = ngx_palloc(r->pool, NGX_GATE_HISTORY
                                           * sizeof(ngx_gate_zone_event_t));

    details->nservers = ngx_pcalloc(r->pool, gate->checks.nelts
                                             * sizeof(ngx_uint_t));

    if (report->record == NULL || report->checks == NULL
        || details->history == NULL || details->nservers == NULL)
    {
        return NGX_ERROR;
    }

    ngx_http_gate_query_read_report(report);

    for (i = 0; i < gate->checks.nelts; i++) {
        servers = ngx_gate_check_at(gate, i)->servers;

        if (servers) {
            details->nservers[i] = servers->zone->nused;
        }
    }

    report->overrides = NULL;

    if (gate->overrides) {
        report->overrides = ngx_palloc(r->pool, sizeof(ngx_gate_overrides_t));
        if (report->overrides == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_gate_overrides_read(gate, report->overrides);
    }

    ngx_gate_stats_sum(gmcf->core->stats->data, gate, &details->counters);

    details->nhistory = ngx_gate_zone_read_events(report->record,
                                                  details->history);
    details->prober_pid = ngx_gate_writer_pid(zone);
    details->heartbeat = ngx_gate_writer_heartbeat(zone);

    return NGX_OK;
}


static void
ngx_http_gate_query_read_report(ngx_gate_report_t *report)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = report->gate;

    ngx_gate_zone_read(gate->shared, report->record);

    for (i = 0; i < gate->checks.nelts; i++) {
        ngx_gate_zone_read_check(
             &gate->shared->checks[ngx_gate_check_at(gate, i)->index].slots,
             &report->checks[i]);
    }
}


void
ngx_http_gate_query_read_again(ngx_http_gate_query_t *query)
{
    ngx_uint_t          n;
    ngx_gate_report_t  *report;

    for (n = 0; n < query->n; n++) {
        report = &query->reports[n];

        ngx_http_gate_query_read_report(report);

        if (report->overrides) {
            (void) ngx_gate_overrides_read(report->gate, report->overrides);
        }
    }
}


/* a copy of the gate with this check only */

static ngx_gate_t *
ngx_http_gate_query_narrow(ngx_http_request_t *r, ngx_gate_t *gate,
    ngx_uint_t i)
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


ngx_int_t
ngx_http_gate_query_json(ngx_http_request_t *r, ngx_http_gate_query_t *query,
    ngx_uint_t details, ngx_str_t *body)
{
    u_char      *p, *last;
    size_t       size;
    ngx_gate_t  *gate;
    ngx_uint_t   i;

    size = sizeof("{\"ready\":false,\"gates\":[]}");

    for (i = 0; i < query->n; i++) {
        gate = query->reports[i].gate;

        size += 1 + (details ? ngx_gate_json_details_size(gate,
                                                          &query->details[i])
                             : ngx_gate_json_size(gate));
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    last = p + size;

    p = ngx_sprintf(p, "{\"ready\":%s,\"gates\":[",
                    query->ready ? "true" : "false");

    for (i = 0; i < query->n; i++) {

        if (i) {
            *p++ = ',';
        }

        if (details) {
            p = ngx_gate_json_details(p, last, &query->reports[i],
                                      &query->details[i]);

        } else {
            p = ngx_gate_json_gate(p, last, &query->reports[i]);
        }
    }

    *p++ = ']';
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


/* X-Init-Gate of each gate of the location that is overridden */

static ngx_int_t
ngx_http_gate_query_add_overrides(ngx_http_request_t *r)
{
    u_char                     *p;
    ngx_gate_t                **gate;
    ngx_table_elt_t            *h;
    ngx_gate_refusal_t          refusal;
    ngx_http_gate_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    for (gate = glcf->status_list->gates; *gate; gate++) {

        if (ngx_gate_zone_published((*gate)->shared)->override
            == NGX_GATE_OVERRIDE_NONE)
        {
            continue;
        }

        p = ngx_pnalloc(r->pool, NGX_GATE_HEADER_MAX);
        h = ngx_http_gate_add_header(r);

        if (p == NULL || h == NULL) {
            return NGX_ERROR;
        }

        ngx_gate_zone_read_refusal((*gate)->shared, &refusal,
                                   NGX_GATE_REFUSAL_HEADER, p);

        ngx_str_set(&h->key, "X-Init-Gate");
        h->value = refusal.header;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_gate_query_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_gate_format_e format, ngx_str_t *parts, ngx_uint_t n)
{
    if (ngx_http_gate_response_no_store(r) != NGX_OK
        || ngx_http_gate_query_add_overrides(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_gate_response_send(r, status,
                                       &ngx_http_gate_query_types[format],
                                       parts, n);
}
