
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The request path at open gates.
 */


#include <ngx_http_gate.h>


static ngx_inline ngx_int_t ngx_http_gate_handler_count(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf);


/*
 * The complete cost of an open gate.  An internal redirect clears all
 * contexts but keeps the value of $init_gate_decision, which shows whether a
 * request has been counted before.
 */

ngx_int_t
ngx_http_gate_handler(ngx_http_request_t *r)
{
    ngx_gate_t                **gate;
    ngx_http_gate_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    gate = glcf->gates;

    if (gate == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    do {
        if (!ngx_gate_zone_is_open((*gate)->shared)) {
            return ngx_http_gate_closed_handler(r, glcf, *gate);
        }

    } while (*++gate);

    return ngx_http_gate_handler_count(r, glcf);
}


ngx_int_t
ngx_http_gate_handler_pass(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf)
{
    return ngx_http_gate_handler_count(r, glcf);
}


static ngx_inline ngx_int_t
ngx_http_gate_handler_count(ngx_http_request_t *r,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_gate_t                 **gate;
    ngx_http_variable_value_t   *vv;

    vv = &r->variables[glcf->decision];

    if (vv->valid) {
        return ngx_http_gate_count_redirected(r, glcf);
    }

    *vv = glcf->passed_value;

    gate = glcf->gates;

    do {
        (void) ngx_atomic_fetch_add(&(*gate)->counters->passed, 1);

    } while (*++gate);

    return NGX_DECLINED;
}
