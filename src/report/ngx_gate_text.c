
/*
 * Text in the format of /readyz?verbose of Kubernetes.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_text.h>


#define NGX_GATE_TEXT_CHECK  80


size_t
ngx_gate_text_check_size(ngx_gate_t *gate, ngx_gate_check_t *check)
{
    return NGX_GATE_TEXT_CHECK + gate->name.len + check->name.len;
}


u_char *
ngx_gate_text_check(u_char *p, ngx_gate_t *gate, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record, ngx_uint_t excluded)
{
    ngx_str_t  *reason;

    p = ngx_sprintf(p, record->status.up || excluded ? "[+]" : "[-]");

    if (gate) {
        p = ngx_sprintf(p, "%V/", &gate->name);
    }

    p = ngx_sprintf(p, "%V ", &check->name);

    if (excluded) {
        return ngx_sprintf(p, "excluded: ok\n");
    }

    if (record->status.up) {
        return ngx_sprintf(p, "ok\n");
    }

    p = ngx_sprintf(p, "%V", &ngx_gate_verdict_names[record->result.verdict]);

    reason = &ngx_gate_reason_names[record->result.reason];

    if (reason->len) {
        p = ngx_sprintf(p, ": %V", reason);
    }

    return ngx_sprintf(p, check->optional ? " (optional)\n" : "\n");
}
