
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loops of gates; see ngx_http_gate_via.h.
 */


#include <ngx_http_gate_via.h>


#define NGX_HTTP_GATE_VIA_ID  8    /* hexadecimal digits */


static ngx_int_t ngx_http_gate_via_asker(ngx_http_request_t *r);


static ngx_str_t  ngx_http_gate_via_name = ngx_string("Init-Gate-Via");


/* the id, or NGX_ERROR */

static ngx_int_t
ngx_http_gate_via_asker(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    value = ngx_http_gate_prefer_header(r, &ngx_http_gate_via_name);

    if (value == NULL || value->len != NGX_HTTP_GATE_VIA_ID) {
        return NGX_ERROR;
    }

    return ngx_hextoi(value->data, value->len);
}


ngx_int_t
ngx_http_gate_via_test(ngx_http_request_t *r, ngx_http_gate_query_t *query)
{
    ngx_int_t                   id;
    ngx_uint_t                  i, n;
    ngx_gate_record_t          *record;
    ngx_http_gate_main_conf_t  *gmcf;

    id = ngx_http_gate_via_asker(r);

    if (id == NGX_ERROR) {
        return NGX_OK;
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);

    for (n = 0; n < query->n; n++) {
        record = query->reports[n].record;

        if (ngx_gate_zone_gate_id(gmcf->core->zone->data,
                                  query->reports[n].gate)
            == (uint32_t) id)
        {
            return NGX_DECLINED;
        }

        for (i = 0; i < record->nvia; i++) {
            if (record->via[i] == (uint32_t) id) {
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_gate_via_add_header(ngx_http_request_t *r,
    ngx_http_gate_query_t *query)
{
    u_char                     *p;
    uint32_t                    id;
    ngx_uint_t                  i, n;
    ngx_table_elt_t            *h;
    ngx_gate_record_t          *record;
    ngx_http_gate_main_conf_t  *gmcf;

    if (ngx_http_gate_via_asker(r) == NGX_ERROR) {
        return NGX_OK;
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);

    p = ngx_pnalloc(r->pool, query->n * (NGX_GATE_VIA_MAX + 1)
                             * (NGX_HTTP_GATE_VIA_ID + 1) + 1);
    h = ngx_http_gate_add_header(r);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    h->key = ngx_http_gate_via_name;
    h->value.data = p;

    /* those that are asked first: the list may be cut */

    for (n = 0; n < query->n; n++) {
        id = ngx_gate_zone_gate_id(gmcf->core->zone->data,
                                   query->reports[n].gate);
        p = ngx_sprintf(p, "%08xD,", id);
    }

    for (n = 0; n < query->n; n++) {
        record = query->reports[n].record;

        for (i = 0; i < record->nvia; i++) {
            p = ngx_sprintf(p, "%08xD,", record->via[i]);
        }
    }

    h->value.len = p - h->value.data - (query->n ? 1 : 0);

    return NGX_OK;
}
