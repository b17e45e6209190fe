
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JSON: the public and the detailed report of a gate.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_json.h>


/* room for names, states, numbers and times */

#define NGX_GATE_JSON_GATE     320
#define NGX_GATE_JSON_CHECK    100
#define NGX_GATE_JSON_DETAILS  640
#define NGX_GATE_JSON_TRIGGER  256
#define NGX_GATE_JSON_EVENT    (64 + NGX_GATE_JSON_TIME_LEN)
#define NGX_GATE_JSON_RECENT   40
#define NGX_GATE_JSON_ESCAPED  (NGX_GATE_MESSAGE_MAX * 2)
#define NGX_GATE_JSON_SERVER   (256 + NGX_GATE_JSON_TIME_LEN                  \
                                + NGX_GATE_SERVERS_TEXT_MAX * 2               \
                                + NGX_GATE_JSON_ESCAPED)


#define NGX_GATE_JSON_OVERRIDE                                                \
    (96 + NGX_GATE_NAME_MAX + 2 * NGX_GATE_JSON_TIME_LEN)
#define NGX_GATE_JSON_OVERRIDE_DETAILS                                        \
    (32 + 2 * NGX_GATE_OVERRIDES_REASON + NGX_SOCKADDR_STRLEN)


#define ngx_gate_json_literal(p, text)  ngx_cpymem(p, text, sizeof(text) - 1)


static u_char *ngx_gate_json_head(u_char *p, const ngx_gate_report_t *report);
static u_char *ngx_gate_json_overrides(u_char *p,
    const ngx_gate_report_t *report, ngx_uint_t details);
static u_char *ngx_gate_json_override(u_char *p,
    ngx_gate_override_t *override, ngx_uint_t details);
static u_char *ngx_gate_json_verdict(u_char *p, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record);
static u_char *ngx_gate_json_check(u_char *p, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record, ngx_gate_check_shared_t *shared);
static u_char *ngx_gate_json_servers(u_char *p, ngx_gate_servers_zone_t *zone,
    ngx_uint_t n);
static u_char *ngx_gate_json_server(u_char *p,
    ngx_gate_servers_report_t *server);
static u_char *ngx_gate_json_duration(u_char *p,
    ngx_gate_check_record_t *record);
static u_char *ngx_gate_json_recent(u_char *p,
    ngx_gate_check_record_t *record, ngx_gate_check_shared_t *shared);
static u_char *ngx_gate_json_history(u_char *p,
    const ngx_gate_report_details_t *details);
static u_char *ngx_gate_json_trigger(u_char *p,
    const ngx_gate_report_t *report);
static u_char *ngx_gate_json_time(u_char *p, int64_t ms);
static u_char *ngx_gate_json_number(u_char *p, int64_t n);
static u_char *ngx_gate_json_text(u_char *p, u_char *text, size_t len);


ngx_str_t  ngx_gate_report_trigger_names[] = {
    ngx_string("idle"),
    ngx_string("running"),
    ngx_string("retrying"),
    ngx_string("succeeded")
};


size_t
ngx_gate_json_size(ngx_gate_t *gate)
{
    size_t      size;
    ngx_uint_t  i;

    size = NGX_GATE_JSON_GATE + gate->name.len;

    if (gate->controlled) {
        size += NGX_GATE_OVERRIDES_MAX * NGX_GATE_JSON_OVERRIDE;
    }

    for (i = 0; i < gate->checks.nelts; i++) {
        size += NGX_GATE_JSON_CHECK + ngx_gate_check_at(gate, i)->name.len;
    }

    return size;
}


u_char *
ngx_gate_json_gate(u_char *p, u_char *last, const ngx_gate_report_t *report)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if ((size_t) (last - p) < ngx_gate_json_size(report->gate)) {
        return p;
    }

    p = ngx_gate_json_head(p, report);
    p = ngx_gate_json_overrides(p, report, 0);
    p = ngx_gate_json_literal(p, ",\"checks\":[");

    for (i = 0; i < report->gate->checks.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        check = ngx_gate_check_at(report->gate, i);

        p = ngx_gate_json_verdict(p, check, &report->checks[i]);

        if (check->optional) {
            p = ngx_gate_json_literal(p, ",\"required\":false");
        }

        *p++ = '}';
    }

    return ngx_gate_json_literal(p, "]}");
}


size_t
ngx_gate_json_details_size(ngx_gate_t *gate,
    const ngx_gate_report_details_t *details)
{
    size_t      servers;
    ngx_uint_t  i;

    servers = 0;

    for (i = 0; i < gate->checks.nelts; i++) {
        servers += details->nservers[i] * NGX_GATE_JSON_SERVER;
    }

    return ngx_gate_json_size(gate) + NGX_GATE_JSON_DETAILS + servers
           + NGX_GATE_OVERRIDES_MAX * NGX_GATE_JSON_OVERRIDE_DETAILS
           + NGX_GATE_JSON_TRIGGER + 2 * NGX_GATE_TRIGGER_MAX
           + NGX_GATE_HISTORY * NGX_GATE_JSON_EVENT
           + gate->checks.nelts
             * (NGX_GATE_JSON_DETAILS + NGX_GATE_JSON_ESCAPED
                + NGX_GATE_LABEL_MAX * 2
                + NGX_GATE_RECENT * NGX_GATE_JSON_RECENT);
}


u_char *
ngx_gate_json_details(u_char *p, u_char *last,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details)
{
    ngx_uint_t          i;
    ngx_gate_check_t   *check;
    ngx_gate_record_t  *record;

    if ((size_t) (last - p) < ngx_gate_json_details_size(report->gate,
                                                       details))
    {
        return p;
    }

    record = report->record;

    p = ngx_gate_json_head(p, report);
    p = ngx_gate_json_overrides(p, report, 1);

    p = ngx_gate_json_literal(p, ",\"opened_at\":");
    p = ngx_gate_json_time(p, record->opened_at);
    p = ngx_gate_json_literal(p, ",\"deadline_at\":");
    p = ngx_gate_json_time(p, record->deadline_at);

    p = ngx_sprintf(p, ",\"latched\":%s,\"carried_over\":%s",
                    record->latch.latched ? "true" : "false",
                    record->carried_over ? "true" : "false");

    p = ngx_gate_json_history(p, details);

    p = ngx_sprintf(p, ",\"held\":%uA,\"passed\":%uA,\"held_passed\":%uA,"
                       "\"held_refused\":%uA,\"refused\":%uA,\"gone\":%uA,"
                       "\"polled\":%uA,\"waited\":%uA",
                    details->counters.held, details->counters.passed,
                    details->counters.held_passed,
                    details->counters.held_refused,
                    details->counters.refused, details->counters.gone,
                    details->counters.polled,
                    details->counters.waited);

    p = ngx_gate_json_literal(p, ",\"prober\":{\"pid\":");

    if (details->prober_pid) {
        p = ngx_sprintf(p, "%P", details->prober_pid);

    } else {
        p = ngx_gate_json_literal(p, "null");
    }

    p = ngx_gate_json_literal(p, ",\"heartbeat\":");
    p = ngx_gate_json_time(p, details->heartbeat);
    *p++ = '}';

    p = ngx_gate_json_trigger(p, report);

    p = ngx_gate_json_literal(p, ",\"checks\":[");

    for (i = 0; i < report->gate->checks.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        check = ngx_gate_check_at(report->gate, i);

        p = ngx_gate_json_check(p, check, &report->checks[i],
                              &report->gate->shared->checks[check->index]);

        if (check->servers) {
            p = ngx_gate_json_servers(p, check->servers->zone,
                                      details->nservers[i]);
        }

        *p++ = '}';
    }

    return ngx_gate_json_literal(p, "]}");
}


static u_char *
ngx_gate_json_head(u_char *p, const ngx_gate_report_t *report)
{
    ngx_gate_record_t  *record;

    record = report->record;

    p = ngx_sprintf(p, "{\"gate\":\"%V\",\"state\":\"%V\",\"ready\":%s,"
                       "\"progress\":",
                    &report->gate->name,
                    &ngx_gate_state_names[record->latch.state],
                    record->ready ? "true" : "false");

    if (record->progress.ratio < 0) {
        p = ngx_gate_json_literal(p, "null");

    } else {
        p = ngx_gate_json_format_progress(p, record->progress.ratio);
    }

    p = ngx_gate_json_literal(p, ",\"eta_ms\":");
    p = ngx_gate_json_number(p, record->eta);

    p = ngx_sprintf(p, ",\"retry_after\":%ui,\"started_at\":",
                    record->retry_after);

    return ngx_gate_json_time(p, record->started_at);
}


/* nothing where none is in force */

static u_char *
ngx_gate_json_overrides(u_char *p, const ngx_gate_report_t *report,
    ngx_uint_t details)
{
    u_char                *start;
    ngx_uint_t             i;
    ngx_gate_override_t   *override;

    if (report->overrides == NULL) {
        return p;
    }

    start = p;

    for (i = 0; i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &report->overrides->list[i];

        if (override->action != NGX_GATE_OVERRIDE_NONE) {
            p = (p == start) ? ngx_gate_json_literal(p, ",\"overrides\":[")
                             : ngx_gate_json_literal(p, ",");
            p = ngx_gate_json_override(p, override, details);
        }
    }

    return (p == start) ? p : ngx_gate_json_literal(p, "]");
}


static u_char *
ngx_gate_json_override(u_char *p, ngx_gate_override_t *override,
    ngx_uint_t details)
{
    p = ngx_sprintf(p, "{\"action\":\"%V\",\"check\":",
                    &ngx_gate_override_names[override->action]);
    p = ngx_gate_json_text(p, override->check, override->check_len);

    p = ngx_gate_json_literal(p, ",\"since\":");
    p = ngx_gate_json_time(p, ngx_gate_overrides_time(override->since));
    p = ngx_gate_json_literal(p, ",\"until\":");
    p = ngx_gate_json_time(p, ngx_gate_overrides_time(override->until));

    if (details) {
        p = ngx_gate_json_literal(p, ",\"reason\":");
        p = ngx_gate_json_text(p, override->reason, override->reason_len);
        p = ngx_gate_json_literal(p, ",\"client\":");
        p = ngx_gate_json_text(p, override->client, override->client_len);
    }

    *p++ = '}';

    return p;
}


/* without the closing brace */

static u_char *
ngx_gate_json_verdict(u_char *p, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record)
{
    p = ngx_gate_json_literal(p, "{\"name\":\"");
    p = ngx_cpymem(p, check->name.data, check->name.len);
    p = ngx_gate_json_literal(p, "\",\"verdict\":\"");
    p = ngx_cpymem(p, ngx_gate_verdict_names[record->result.verdict].data,
                   ngx_gate_verdict_names[record->result.verdict].len);
    *p++ = '"';

    if (record->result.reason != NGX_GATE_OK) {
        p = ngx_gate_json_literal(p, ",\"reason\":\"");
        p = ngx_cpymem(p, ngx_gate_reason_names[record->result.reason].data,
                       ngx_gate_reason_names[record->result.reason].len);
        *p++ = '"';
    }

    return p;
}


static u_char *
ngx_gate_json_check(u_char *p, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record, ngx_gate_check_shared_t *shared)
{
    p = ngx_gate_json_verdict(p, check, record);

    p = ngx_sprintf(p, ",\"type\":\"%V\",\"required\":%s,\"label\":",
                    &check->type->name,
                    check->optional ? "false" : "true");

    p = ngx_gate_json_text(p, check->label.data, check->label.len);
    p = ngx_gate_json_literal(p, ",\"message\":");

    p = ngx_gate_json_text(p, record->result.message,
                           record->result.message_len);

    p = ngx_gate_json_literal(p, ",\"observed\":");
    p = ngx_gate_json_number(p, record->result.observed);
    p = ngx_gate_json_literal(p, ",\"expected\":");
    p = ngx_gate_json_number(p, record->result.expected);

    p = ngx_sprintf(p, ",\"attempts\":%uL,\"consecutive\":%uL",
                    record->attempts, record->consecutive);

    p = ngx_gate_json_literal(p, ",\"last_checked\":");
    p = ngx_gate_json_time(p, record->last_checked);
    p = ngx_gate_json_literal(p, ",\"next_check\":");
    p = ngx_gate_json_time(p, record->next_check);
    p = ngx_gate_json_literal(p, ",\"passed_at\":");
    p = ngx_gate_json_time(p, record->passed_at);

    p = ngx_gate_json_literal(p, ",\"duration_ms\":");
    p = ngx_gate_json_duration(p, record);

    p = ngx_sprintf(p, ",\"carried_over\":%s",
                    record->carried_over ? "true" : "false");

    return ngx_gate_json_recent(p, record, shared);
}


static u_char *
ngx_gate_json_servers(u_char *p, ngx_gate_servers_zone_t *zone, ngx_uint_t n)
{
    u_char                      text[NGX_GATE_SERVERS_TEXT_MAX];
    ngx_uint_t                  i, comma;
    ngx_gate_servers_report_t   server;

    p = ngx_gate_json_literal(p, ",\"servers\":[");

    comma = 0;

    for (i = 0; i < n; i++) {

        if (ngx_gate_servers_read(zone, i, &server, text) != NGX_OK) {
            continue;
        }

        if (comma++) {
            *p++ = ',';
        }

        p = ngx_gate_json_server(p, &server);
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_gate_json_server(u_char *p, ngx_gate_servers_report_t *server)
{
    ngx_gate_result_t  *result;

    result = &server->record.result;

    p = ngx_gate_json_literal(p, "{\"address\":");
    p = ngx_gate_json_text(p, server->address.data, server->address.len);
    p = ngx_gate_json_literal(p, ",\"name\":");
    p = ngx_gate_json_text(p, server->name.data, server->name.len);

    p = ngx_sprintf(p, ",\"in\":%s,\"verdict\":\"%V\"",
                    server->in ? "true" : "false",
                    &ngx_gate_verdict_names[result->verdict]);

    if (result->reason != NGX_GATE_OK) {
        p = ngx_sprintf(p, ",\"reason\":\"%V\"",
                        &ngx_gate_reason_names[result->reason]);
    }

    p = ngx_gate_json_literal(p, ",\"message\":");
    p = ngx_gate_json_text(p, result->message, result->message_len);
    p = ngx_gate_json_literal(p, ",\"since\":");
    p = ngx_gate_json_time(p, server->since);
    p = ngx_gate_json_literal(p, ",\"duration_ms\":");
    p = ngx_gate_json_duration(p, &server->record);

    *p++ = '}';

    return p;
}


static u_char *
ngx_gate_json_duration(u_char *p, ngx_gate_check_record_t *record)
{
    if (record->attempts == 0) {
        return ngx_gate_json_literal(p, "null");
    }

    return ngx_sprintf(p, "%uD.%03uD", record->duration / 1000,
                       record->duration % 1000);
}


static u_char *
ngx_gate_json_recent(u_char *p, ngx_gate_check_record_t *record,
    ngx_gate_check_shared_t *shared)
{
    uint32_t  recent;
    uint64_t  i, first;

    first = (record->attempts > NGX_GATE_RECENT)
            ? record->attempts - NGX_GATE_RECENT : 0;

    p = ngx_gate_json_literal(p, ",\"recent\":[");

    for (i = first; i < record->attempts; i++) {

        recent = shared->recent[i % NGX_GATE_RECENT];

        p = ngx_sprintf(p, "%s[\"%V\",%uD.%03uD]", i == first ? "" : ",",
                        &ngx_gate_verdict_names[(recent & 7)
                                                % NGX_GATE_VERDICTS],
                        (recent >> 3) / 1000, (recent >> 3) % 1000);
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_gate_json_history(u_char *p, const ngx_gate_report_details_t *details)
{
    ngx_uint_t  i;

    p = ngx_gate_json_literal(p, ",\"history\":[");

    for (i = 0; i < details->nhistory; i++) {
        p = ngx_sprintf(p, "%s{\"state\":\"%V\",\"at\":", i ? "," : "",
                        &ngx_gate_state_names[details->history[i].state
                                              % NGX_GATE_STATES]);
        p = ngx_gate_json_time(p, details->history[i].at);
        *p++ = '}';
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_gate_json_trigger(u_char *p, const ngx_gate_report_t *report)
{
    ngx_gate_record_t  *record;

    record = report->record;

    p = ngx_gate_json_literal(p, ",\"trigger\":");

    if (report->gate->trigger == NULL) {
        return ngx_gate_json_literal(p, "null");
    }

    p = ngx_sprintf(p, "{\"state\":\"%V\",\"attempts\":%ui,\"message\":",
                    &ngx_gate_report_trigger_names[record->trigger.state],
                    record->trigger.attempts);
    p = ngx_gate_json_text(p, record->trigger.message,
                           record->trigger.message_len);

    p = ngx_gate_json_literal(p, ",\"last_at\":");
    p = ngx_gate_json_time(p, record->trigger.last_at);
    p = ngx_gate_json_literal(p, ",\"succeeded_at\":");
    p = ngx_gate_json_time(p, record->trigger.succeeded_at);
    *p++ = '}';

    return p;
}


static u_char *
ngx_gate_json_time(u_char *p, int64_t ms)
{
    if (ms == 0) {
        return ngx_gate_json_literal(p, "null");
    }

    *p++ = '"';
    p = ngx_gate_json_format_time(p, ms);
    *p++ = '"';

    return p;
}


static u_char *
ngx_gate_json_number(u_char *p, int64_t n)
{
    if (n < 0) {
        return ngx_gate_json_literal(p, "null");
    }

    return ngx_sprintf(p, "%L", n);
}


/*
 * A message is one line of valid UTF-8 without control characters, so
 * ngx_escape_json() only escapes quotes and backslashes in it.
 */

static u_char *
ngx_gate_json_text(u_char *p, u_char *text, size_t len)
{
    if (len == 0) {
        return ngx_gate_json_literal(p, "null");
    }

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, text, len);
    *p++ = '"';

    return p;
}


u_char *
ngx_gate_json_format_time(u_char *p, int64_t ms)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    return ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                       tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                       (int) (ms % 1000));
}


u_char *
ngx_gate_json_format_progress(u_char *p, ngx_int_t progress)
{
    if (progress < 0) {
        return p;
    }

    if (progress % NGX_GATE_PROGRESS_MAX == 0) {
        return ngx_sprintf(p, "%i", progress / NGX_GATE_PROGRESS_MAX);
    }

    p = ngx_sprintf(p, "0.%04i", progress);

    while (p[-1] == '0') {
        p--;
    }

    return p;
}
