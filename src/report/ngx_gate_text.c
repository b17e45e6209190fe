
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Text in the format of /readyz?verbose of Kubernetes.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_json.h>
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


size_t
ngx_gate_text_overrides_size(const ngx_gate_report_t *report)
{
    return report->overrides
           ? NGX_GATE_OVERRIDES_MAX * (NGX_GATE_TEXT_CHECK
                                       + 2 * NGX_GATE_NAME_MAX)
           : 0;
}


/* "[+]app overridden: open until 2026-11-20T08:00:00.000Z" */

u_char *
ngx_gate_text_overrides(u_char *p, const ngx_gate_report_t *report)
{
    ngx_uint_t            i;
    ngx_gate_override_t  *override;

    for (i = 0; report->overrides && i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &report->overrides->list[i];

        switch (override->action) {

        case NGX_GATE_OVERRIDE_NONE:
            continue;

        case NGX_GATE_OVERRIDE_CLOSE:
            p = ngx_sprintf(p, "[-]%V overridden: closed until ",
                            &report->gate->name);
            break;

        case NGX_GATE_OVERRIDE_OPEN:
            p = ngx_sprintf(p, "[+]%V overridden: open until ",
                            &report->gate->name);
            break;

        default: /* NGX_GATE_OVERRIDE_IGNORE */
            p = ngx_sprintf(p, "[+]%V/%*s overridden: ignored until ",
                            &report->gate->name, override->check_len,
                            override->check);
        }

        p = ngx_gate_json_format_time(p,
                                     ngx_gate_overrides_time(override->until));
        *p++ = LF;
    }

    return p;
}
