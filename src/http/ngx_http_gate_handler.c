
/*
 * The request path while the gates are open.
 */


#include <ngx_http_gate.h>


/*
 * All that an open gate costs.  Whether a request has been counted before an
 * internal redirect (which forgets all contexts) is remembered by the value
 * of $init_gate_decision, which a redirect leaves alone.
 */

ngx_int_t
ngx_http_gate_handler(ngx_http_request_t *r)
{
    ngx_gate_t                 **gate;
    ngx_http_gate_loc_conf_t    *glcf;
    ngx_http_variable_value_t   *vv;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_init_gate_module);

    gate = glcf->gates;

    if (gate == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    do {
        if (!(*gate)->shared->open) {
            return ngx_http_gate_closed_handler(r, glcf, *gate);
        }

    } while (*++gate);

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
