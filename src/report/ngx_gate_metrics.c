
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The metrics of all gates in the text format of Prometheus: one family after
 * the other, each with the samples of all gates.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_metrics.h>


#define NGX_GATE_METRICS_FAMILIES  8192
#define NGX_GATE_METRICS_SAMPLE    128


typedef u_char *(*ngx_gate_metrics_gate_pt)(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
typedef u_char *(*ngx_gate_metrics_check_pt)(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);


typedef struct {
    const char                *name;
    const char                *type;
    const char                *help;
    ngx_gate_metrics_gate_pt   gate;
    ngx_gate_metrics_check_pt  check;
} ngx_gate_metrics_family_t;


typedef struct {
    const char                *decision;
    size_t                     offset;
} ngx_gate_metrics_count_t;


static u_char *ngx_gate_metrics_ready(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_state(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_duration(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_requests(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_override(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_override_until(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_override_labels(u_char *p, ngx_gate_t *gate,
    ngx_gate_override_e action, ngx_gate_override_t *override);
static u_char *ngx_gate_metrics_polls(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_waits(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_held(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_progress(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_deadline(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_trigger(u_char *p,
    const ngx_gate_report_t *report, const ngx_gate_report_details_t *details);
static u_char *ngx_gate_metrics_check_info(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_success(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_verdict(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_progress(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_duration(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_probes(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_failures(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static u_char *ngx_gate_metrics_check_servers(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);


static ngx_gate_metrics_family_t  ngx_gate_metrics_families[] = {

    { "nginx_init_gate_ready", "gauge",
      "Whether the gate is open.",
      ngx_gate_metrics_ready, NULL },

    { "nginx_init_gate_state", "gauge",
      "1 for the state of the gate, 0 for the others.",
      ngx_gate_metrics_state, NULL },

    { "nginx_init_gate_startup_duration_seconds", "gauge",
      "Time that the gate took to open, or has been closed.",
      ngx_gate_metrics_duration, NULL },

    { "nginx_init_gate_requests_total", "counter",
      "Requests by decision.",
      ngx_gate_metrics_requests, NULL },

    { "nginx_init_gate_polls_total", "counter",
      "Requests by which open waiting pages polled the state.",
      ngx_gate_metrics_polls, NULL },

    { "nginx_init_gate_waits_total", "counter",
      "Requests that waited for a change because their client asked for it.",
      ngx_gate_metrics_waits, NULL },

    { "nginx_init_gate_held_requests", "gauge",
      "Requests held now.",
      ngx_gate_metrics_held, NULL },

    { "nginx_init_gate_progress_ratio", "gauge",
      "Progress of the gate, from 0 to 1, if known.",
      ngx_gate_metrics_progress, NULL },

    { "nginx_init_gate_deadline_timestamp_seconds", "gauge",
      "Time of the deadline of the gate.",
      ngx_gate_metrics_deadline, NULL },

    { "nginx_init_gate_trigger_state", "gauge",
      "1 for the state of the trigger, 0 for the others.",
      ngx_gate_metrics_trigger, NULL },

    { "nginx_init_gate_override_active", "gauge",
      "Whether an override of this kind is in force.",
      ngx_gate_metrics_override, NULL },

    { "nginx_init_gate_override_until_timestamp_seconds", "gauge",
      "When the override ends.",
      ngx_gate_metrics_override_until, NULL },

    { "nginx_init_gate_check_info", "gauge",
      "The type of the check, and whether it is required.",
      NULL, ngx_gate_metrics_check_info },

    { "nginx_init_gate_check_success", "gauge",
      "Whether the check counts as passed.",
      NULL, ngx_gate_metrics_check_success },

    { "nginx_init_gate_check_verdict", "gauge",
      "1 for the last verdict of the check, 0 for the others.",
      NULL, ngx_gate_metrics_check_verdict },

    { "nginx_init_gate_check_progress_ratio", "gauge",
      "Progress of a counting check, from 0 to 1.",
      NULL, ngx_gate_metrics_check_progress },

    { "nginx_init_gate_check_last_duration_seconds", "gauge",
      "Duration of the last probe.",
      NULL, ngx_gate_metrics_check_duration },

    { "nginx_init_gate_check_probes_total", "counter",
      "Probes of the check, by verdict.",
      NULL, ngx_gate_metrics_check_probes },

    { "nginx_init_gate_check_failures_total", "counter",
      "Probes that ended in an error or found a failure, by reason.",
      NULL, ngx_gate_metrics_check_failures },

    { "nginx_init_gate_check_servers", "gauge",
      "Servers of the upstream that take part, and that do not.",
      NULL, ngx_gate_metrics_check_servers },

    { NULL, NULL, NULL, NULL, NULL }
};


static ngx_gate_metrics_count_t  ngx_gate_metrics_counts[] = {
    { "passed", offsetof(ngx_gate_counters_t, passed) },
    { "held_passed", offsetof(ngx_gate_counters_t, held_passed) },
    { "held_refused", offsetof(ngx_gate_counters_t, held_refused) },
    { "refused", offsetof(ngx_gate_counters_t, refused) },
    { "gone", offsetof(ngx_gate_counters_t, gone) },
    { NULL, 0 }
};


size_t
ngx_gate_metrics_size(const ngx_gate_report_t *reports, ngx_uint_t n)
{
    size_t       size, names;
    ngx_uint_t   i, k;
    ngx_gate_t  *gate;

    size = NGX_GATE_METRICS_FAMILIES;

    for (k = 0; k < n; k++) {
        gate = reports[k].gate;

        size += (NGX_GATE_METRICS_SAMPLE + gate->name.len)
                * (7 + NGX_GATE_STATES + 5 + NGX_GATE_TRIGGER_STATES);

        if (gate->controlled) {
            size += (NGX_GATE_METRICS_SAMPLE + gate->name.len
                     + NGX_GATE_NAME_MAX)
                    * (2 * NGX_GATE_OVERRIDES_MAX + 1);
        }

        for (i = 0; i < gate->checks.nelts; i++) {
            names = gate->name.len + ngx_gate_check_at(gate, i)->name.len;

            size += (NGX_GATE_METRICS_SAMPLE + names)
                    * (6 + 2 * NGX_GATE_VERDICTS + NGX_GATE_REASONS);
        }
    }

    return size;
}


u_char *
ngx_gate_metrics(u_char *p, u_char *last, const ngx_gate_report_t *reports,
    const ngx_gate_report_details_t *details, ngx_uint_t n)
{
    ngx_uint_t                  i, k;
    ngx_gate_t                 *gate;
    ngx_gate_metrics_family_t  *family;

    if ((size_t) (last - p) < ngx_gate_metrics_size(reports, n)) {
        return p;
    }

    for (family = ngx_gate_metrics_families; family->name; family++) {

        p = ngx_sprintf(p, "# HELP %s %s\n# TYPE %s %s\n", family->name,
                        family->help, family->name, family->type);

        for (k = 0; k < n; k++) {

            if (family->gate) {
                p = family->gate(p, &reports[k], &details[k]);
                continue;
            }

            gate = reports[k].gate;

            for (i = 0; i < gate->checks.nelts; i++) {
                p = family->check(p, gate, ngx_gate_check_at(gate, i),
                                  &reports[k].checks[i]);
            }
        }
    }

    p = ngx_sprintf(p,
                "# HELP nginx_init_gate_prober_heartbeat_timestamp_seconds "
                "Time of the last heartbeat of the worker that probes.\n"
                "# TYPE nginx_init_gate_prober_heartbeat_timestamp_seconds "
                "gauge\n");

    if (n) {
        p = ngx_sprintf(p, "nginx_init_gate_prober_heartbeat_timestamp_seconds "
                           "%L.%03L\n", details[0].heartbeat / 1000,
                        details[0].heartbeat % 1000);
    }

    return ngx_sprintf(p, "# HELP nginx_init_gate_build_info "
                          "The version of the module.\n"
                          "# TYPE nginx_init_gate_build_info gauge\n"
                          "nginx_init_gate_build_info{version=\"%s\"} 1\n",
                       NGX_GATE_VERSION);
}


static u_char *
ngx_gate_metrics_ready(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    return ngx_sprintf(p, "nginx_init_gate_ready{gate=\"%V\"} %ui\n",
                       &report->gate->name,
                       report->record->ready);
}


static u_char *
ngx_gate_metrics_state(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    ngx_uint_t  state;

    for (state = 0; state < NGX_GATE_STATES; state++) {
        p = ngx_sprintf(p, "nginx_init_gate_state{gate=\"%V\","
                           "state=\"%V\"} %d\n",
                        &report->gate->name, &ngx_gate_state_names[state],
                        state == report->record->latch.state ? 1 : 0);
    }

    return p;
}


static u_char *
ngx_gate_metrics_duration(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    ngx_msec_t  duration;

    duration = ngx_gate_state_is_open(report->gate,
                                      report->record->latch.state)
               ? report->record->last_startup_msec
               : ngx_current_msec - report->record->closed_msec;

    return ngx_sprintf(p, "nginx_init_gate_startup_duration_seconds"
                          "{gate=\"%V\"} %M.%03M\n",
                       &report->gate->name, duration / 1000, duration % 1000);
}


static u_char *
ngx_gate_metrics_requests(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    const u_char              *counters;
    ngx_gate_metrics_count_t  *count;

    counters = (const u_char *) &details->counters;

    for (count = ngx_gate_metrics_counts; count->decision; count++) {
        p = ngx_sprintf(p, "nginx_init_gate_requests_total{gate=\"%V\","
                           "protocol=\"http\",decision=\"%s\"} %uA\n",
                        &report->gate->name, count->decision,
                        *(const ngx_atomic_t *) (counters + count->offset));
    }

    return p;
}


static u_char *
ngx_gate_metrics_polls(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    return ngx_sprintf(p, "nginx_init_gate_polls_total{gate=\"%V\"} %uA\n",
                       &report->gate->name, details->counters.polled);
}


static u_char *
ngx_gate_metrics_waits(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    return ngx_sprintf(p, "nginx_init_gate_waits_total{gate=\"%V\"} %uA\n",
                       &report->gate->name, details->counters.waited);
}


static u_char *
ngx_gate_metrics_held(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    return ngx_sprintf(p, "nginx_init_gate_held_requests{gate=\"%V\"} %uA\n",
                       &report->gate->name, details->counters.held);
}


static u_char *
ngx_gate_metrics_progress(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    ngx_int_t  ratio;

    ratio = report->record->progress.ratio;

    if (ratio < 0) {
        return p;
    }

    return ngx_sprintf(p, "nginx_init_gate_progress_ratio{gate=\"%V\"} "
                          "%i.%04i\n",
                       &report->gate->name, ratio / NGX_GATE_PROGRESS_MAX,
                       ratio % NGX_GATE_PROGRESS_MAX);
}


static u_char *
ngx_gate_metrics_deadline(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    int64_t  at;

    at = report->record->deadline_at;

    if (at == 0) {
        return p;
    }

    return ngx_sprintf(p, "nginx_init_gate_deadline_timestamp_seconds"
                          "{gate=\"%V\"} %L.%03L\n",
                       &report->gate->name, at / 1000, at % 1000);
}


static u_char *
ngx_gate_metrics_trigger(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    ngx_uint_t  state;

    if (report->gate->trigger == NULL) {
        return p;
    }

    for (state = 0; state < NGX_GATE_TRIGGER_STATES; state++) {
        p = ngx_sprintf(p, "nginx_init_gate_trigger_state{gate=\"%V\","
                           "state=\"%V\"} %d\n",
                        &report->gate->name,
                        &ngx_gate_report_trigger_names[state],
                        state == report->record->trigger.state ? 1 : 0);
    }

    return p;
}


/* of the gate there is always a sample, of checks while it is in force */

static u_char *
ngx_gate_metrics_override(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    ngx_uint_t            i;
    ngx_gate_override_e   action, current;
    ngx_gate_override_t  *override;

    if (!report->gate->controlled) {
        return p;
    }

    current = report->overrides ? report->overrides->list[0].action
                                : NGX_GATE_OVERRIDE_NONE;

    for (action = NGX_GATE_OVERRIDE_OPEN; action <= NGX_GATE_OVERRIDE_CLOSE;
         action++)
    {
        p = ngx_sprintf(p, "nginx_init_gate_override_active");
        p = ngx_gate_metrics_override_labels(p, report->gate, action, NULL);
        p = ngx_sprintf(p, "%d\n", action == current ? 1 : 0);
    }

    for (i = 1; report->overrides && i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &report->overrides->list[i];

        if (override->action != NGX_GATE_OVERRIDE_NONE) {
            p = ngx_sprintf(p, "nginx_init_gate_override_active");
            p = ngx_gate_metrics_override_labels(p, report->gate,
                                                 override->action, override);
            p = ngx_sprintf(p, "1\n");
        }
    }

    return p;
}


static u_char *
ngx_gate_metrics_override_until(u_char *p, const ngx_gate_report_t *report,
    const ngx_gate_report_details_t *details)
{
    int64_t               until;
    ngx_uint_t            i;
    ngx_gate_override_t  *override;

    for (i = 0; report->overrides && i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &report->overrides->list[i];

        if (override->action == NGX_GATE_OVERRIDE_NONE) {
            continue;
        }

        until = ngx_gate_overrides_time(override->until);

        p = ngx_sprintf(p, "nginx_init_gate_override_until_timestamp_seconds");
        p = ngx_gate_metrics_override_labels(p, report->gate,
                                             override->action, override);
        p = ngx_sprintf(p, "%L.%03L\n", until / 1000, until % 1000);
    }

    return p;
}


static u_char *
ngx_gate_metrics_override_labels(u_char *p, ngx_gate_t *gate,
    ngx_gate_override_e action, ngx_gate_override_t *override)
{
    return ngx_sprintf(p, "{gate=\"%V\",check=\"%*s\",action=\"%V\"} ",
                       &gate->name, override ? override->check_len : 0,
                       override ? override->check : (u_char *) "",
                       &ngx_gate_override_names[action]);
}


static u_char *
ngx_gate_metrics_check_info(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    return ngx_sprintf(p, "nginx_init_gate_check_info{gate=\"%V\","
                          "check=\"%V\",type=\"%V\",required=\"%s\"} 1\n",
                       &gate->name, &check->name, &check->type->name,
                       check->optional ? "false" : "true");
}


static u_char *
ngx_gate_metrics_check_success(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    return ngx_sprintf(p, "nginx_init_gate_check_success{gate=\"%V\","
                          "check=\"%V\"} %ui\n",
                       &gate->name, &check->name, record->status.up);
}


static u_char *
ngx_gate_metrics_check_verdict(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    ngx_uint_t  verdict;

    for (verdict = 0; verdict < NGX_GATE_VERDICTS; verdict++) {
        p = ngx_sprintf(p, "nginx_init_gate_check_verdict{gate=\"%V\","
                           "check=\"%V\",verdict=\"%V\"} %d\n",
                        &gate->name, &check->name,
                        &ngx_gate_verdict_names[verdict],
                        verdict == record->result.verdict ? 1 : 0);
    }

    return p;
}


static u_char *
ngx_gate_metrics_check_progress(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    double  ratio;

    if (record->result.observed < 0 || record->result.expected <= 0) {
        return p;
    }

    ratio = (double) record->result.observed
            / (double) record->result.expected;

    return ngx_sprintf(p, "nginx_init_gate_check_progress_ratio{gate=\"%V\","
                          "check=\"%V\"} %.4f\n",
                       &gate->name, &check->name, ngx_min(ratio, 1.0));
}


static u_char *
ngx_gate_metrics_check_duration(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    if (record->attempts == 0) {
        return p;
    }

    return ngx_sprintf(p, "nginx_init_gate_check_last_duration_seconds"
                          "{gate=\"%V\",check=\"%V\"} %uD.%06uD\n",
                       &gate->name, &check->name,
                       record->duration / 1000000,
                       record->duration % 1000000);
}


/* no probe ends with "pending" */

static u_char *
ngx_gate_metrics_check_probes(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    ngx_uint_t                verdict;
    ngx_gate_check_shared_t  *shared;

    shared = &gate->shared->checks[check->index];

    for (verdict = NGX_GATE_PENDING + 1; verdict < NGX_GATE_VERDICTS;
         verdict++)
    {
        p = ngx_sprintf(p, "nginx_init_gate_check_probes_total{gate=\"%V\","
                           "check=\"%V\",verdict=\"%V\"} %uA\n",
                        &gate->name, &check->name,
                        &ngx_gate_verdict_names[verdict],
                        shared->probes[verdict]);
    }

    return p;
}


static u_char *
ngx_gate_metrics_check_failures(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    ngx_uint_t                reason;
    ngx_gate_check_shared_t  *shared;

    shared = &gate->shared->checks[check->index];

    for (reason = NGX_GATE_OK + 1; reason < NGX_GATE_REASONS; reason++) {

        if (shared->failures[reason] == 0) {
            continue;
        }

        p = ngx_sprintf(p, "nginx_init_gate_check_failures_total{gate=\"%V\","
                           "check=\"%V\",reason=\"%V\"} %uD\n",
                        &gate->name, &check->name,
                        &ngx_gate_reason_names[reason],
                        shared->failures[reason]);
    }

    return p;
}


static u_char *
ngx_gate_metrics_check_servers(u_char *p, ngx_gate_t *gate,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record)
{
    ngx_gate_servers_zone_t   *zone;
    ngx_gate_servers_count_t   count;

    if (check->servers == NULL) {
        return p;
    }

    zone = check->servers->zone;

    ngx_gate_servers_count(zone, &count);

    if (zone->forced) {
        count.in = count.known;
    }

    return ngx_sprintf(p, "nginx_init_gate_check_servers{gate=\"%V\","
                          "check=\"%V\",state=\"in\"} %ui\n"
                          "nginx_init_gate_check_servers{gate=\"%V\","
                          "check=\"%V\",state=\"out\"} %ui\n",
                       &gate->name, &check->name, count.in,
                       &gate->name, &check->name, count.known - count.in);
}
