
/*
 * The state of a gate: every transition, in a table; then the invariants for
 * each of the six states and every combination of checks; then when a check
 * counts, the pauses between probes, progress and Retry-After.
 */


#include <unit.h>
#include <ngx_gate_state.h>


#define STARTING      NGX_GATE_STATE_STARTING
#define INITIALIZING  NGX_GATE_STATE_INITIALIZING
#define READY         NGX_GATE_STATE_READY
#define DEGRADED      NGX_GATE_STATE_DEGRADED
#define OVERDUE       NGX_GATE_STATE_OVERDUE
#define FAILED        NGX_GATE_STATE_FAILED

/* the flags of a gate, besides its checks */

#define LATE          0x01    /* the deadline has passed */
#define UNLATCHED     0x02    /* latch off */
#define OPEN_LATE     0x04    /* deadline TIME open */
#define OPENED        0x08    /* it has been open before */
#define LATCHED       0x10    /* and is latched */


static void unit_transitions(void);
static void unit_invariants(void);
static void unit_rise_and_fall(void);
static void unit_pauses(void);
static void unit_progress(void);
static void unit_retry_after(void);
static void unit_reasons(void);

static void unit_gate(ngx_gate_latch_t *latch, ngx_gate_state_e state,
    const char *checks, ngx_uint_t flags);


static ngx_gate_t               unit_it;
static ngx_gate_check_t         unit_checks[4];
static ngx_gate_check_record_t  unit_records[4];


/*
 * Checks: R is a required one, O an optional one; then its last verdict:
 *
 *     . pending    w waiting    r running    e error    f failed
 *     p passed, but not yet "rise" times
 *     P passed, and counts
 *     W R E F  another verdict, but not yet "fall" times: it still counts
 */

static struct {
    ngx_gate_state_e   from;
    const char        *checks;
    ngx_uint_t         flags;
    ngx_gate_state_e   to;
} unit_table[] = {

    /* starting: all verdicts so far are passed, some are missing */

    { STARTING,     "R.",           0,                 STARTING },
    { STARTING,     "R. R.",        0,                 STARTING },
    { STARTING,     "RP R.",        0,                 STARTING },
    { STARTING,     "Rp",           0,                 STARTING },
    { STARTING,     "RP Rp",        0,                 STARTING },

    /* verdicts of optional checks do not matter */

    { STARTING,     "R. Ow",        0,                 STARTING },
    { STARTING,     "R. Oe",        0,                 STARTING },
    { STARTING,     "RP R. Of",     0,                 STARTING },

    /* another verdict of a required check ends it */

    { STARTING,     "Rw",           0,                 INITIALIZING },
    { STARTING,     "Rr",           0,                 INITIALIZING },
    { STARTING,     "Re",           0,                 INITIALIZING },
    { STARTING,     "RP Rw",        0,                 INITIALIZING },
    { STARTING,     "Rw R.",        0,                 INITIALIZING },
    { STARTING,     "RW R.",        0,                 INITIALIZING },
    { STARTING,     "Rf",           0,                 FAILED },
    { STARTING,     "Rf R.",        0,                 FAILED },
    { STARTING,     "Rw Rf",        0,                 FAILED },
    { STARTING,     "RP",           0,                 READY },
    { STARTING,     "RP RP",        0,                 READY },
    { STARTING,     "RP OP",        0,                 READY },
    { STARTING,     "RP O.",        0,                 DEGRADED },
    { STARTING,     "RP Ow",        0,                 DEGRADED },
    { STARTING,     "RP Of",        0,                 DEGRADED },
    { STARTING,     "R.",           LATE,              OVERDUE },
    { STARTING,     "Rp",           LATE,              OVERDUE },

    /* only optional checks: open at once */

    { STARTING,     "O.",           0,                 DEGRADED },
    { STARTING,     "OP",           0,                 READY },

    /* initializing: never back to starting */

    { INITIALIZING, "R.",           0,                 INITIALIZING },
    { INITIALIZING, "Rp",           0,                 INITIALIZING },
    { INITIALIZING, "RP R.",        0,                 INITIALIZING },
    { INITIALIZING, "RP Rw",        0,                 INITIALIZING },
    { INITIALIZING, "RP Rr",        0,                 INITIALIZING },
    { INITIALIZING, "RP Re",        0,                 INITIALIZING },
    { INITIALIZING, "RW Rw",        0,                 INITIALIZING },
    { INITIALIZING, "Rw OP",        0,                 INITIALIZING },
    { INITIALIZING, "Rw Of",        0,                 INITIALIZING },
    { INITIALIZING, "Rf",           0,                 FAILED },
    { INITIALIZING, "RP Rf",        0,                 FAILED },
    { INITIALIZING, "Rf Rf",        0,                 FAILED },
    { INITIALIZING, "Rf",           LATE,              FAILED },
    { INITIALIZING, "Rw",           LATE,              OVERDUE },
    { INITIALIZING, "Re",           LATE,              OVERDUE },
    { INITIALIZING, "Rw",           LATE | OPEN_LATE,  OVERDUE },
    { INITIALIZING, "RP",           0,                 READY },
    { INITIALIZING, "RP RP OP",     0,                 READY },
    { INITIALIZING, "RP RP",        LATE,              READY },
    { INITIALIZING, "RP Of",        0,                 DEGRADED },
    { INITIALIZING, "RP Oe",        LATE,              DEGRADED },

    /* failed: until another verdict */

    { FAILED,       "Rf",           0,                 FAILED },
    { FAILED,       "Rf RP",        0,                 FAILED },
    { FAILED,       "Rf",           LATE,              FAILED },
    { FAILED,       "Rf",           LATE | OPEN_LATE,  FAILED },
    { FAILED,       "Rw",           0,                 INITIALIZING },
    { FAILED,       "Rr",           0,                 INITIALIZING },
    { FAILED,       "Re",           0,                 INITIALIZING },
    { FAILED,       "Rp",           0,                 INITIALIZING },
    { FAILED,       "Rw",           LATE,              OVERDUE },
    { FAILED,       "RP",           0,                 READY },
    { FAILED,       "RP O.",        0,                 DEGRADED },

    /* overdue: opens late, or fails */

    { OVERDUE,      "Rw",           LATE,              OVERDUE },
    { OVERDUE,      "Rp",           LATE,              OVERDUE },
    { OVERDUE,      "R.",           LATE | OPEN_LATE,  OVERDUE },
    { OVERDUE,      "Rf",           LATE,              FAILED },
    { OVERDUE,      "Rf",           LATE | OPEN_LATE,  FAILED },
    { OVERDUE,      "RP",           LATE,              READY },
    { OVERDUE,      "RP Ow",        LATE,              DEGRADED },
    { OVERDUE,      "RP Ow",        LATE | OPEN_LATE,  DEGRADED },

    /* a new deadline after a reload has not passed yet */

    { OVERDUE,      "Rw",           0,                 INITIALIZING },

    /* latch on: once open it stays open, whatever the verdicts */

    { READY,        "RP",           LATCHED,           READY },
    { READY,        "Rw",           LATCHED,           READY },
    { READY,        "Rf",           LATCHED,           READY },
    { READY,        "Re",           LATCHED | LATE,    READY },
    { READY,        "R.",           LATCHED,           READY },
    { DEGRADED,     "RP Ow",        LATCHED,           DEGRADED },
    { DEGRADED,     "Rf Ow",        LATCHED,           DEGRADED },
    { DEGRADED,     "RP OP",        LATCHED,           READY },
    { DEGRADED,     "Rw OP",        LATCHED | LATE,    READY },

    /* latch off: it closes when a required check no longer counts */

    { READY,        "RP",           UNLATCHED,         READY },
    { READY,        "RW",           UNLATCHED,         READY },
    { READY,        "RE RF",        UNLATCHED,         READY },
    { READY,        "Rw",           UNLATCHED,         INITIALIZING },
    { READY,        "RP Re",        UNLATCHED,         INITIALIZING },
    { READY,        "Rf",           UNLATCHED,         FAILED },
    { READY,        "RP Ow",        UNLATCHED,         DEGRADED },
    { READY,        "RP OW",        UNLATCHED,         READY },
    { DEGRADED,     "RP Ow",        UNLATCHED,         DEGRADED },
    { DEGRADED,     "RP OP",        UNLATCHED,         READY },
    { DEGRADED,     "Rw Ow",        UNLATCHED,         INITIALIZING },
    { DEGRADED,     "Rf Ow",        UNLATCHED,         FAILED },

    /* and opens again; having been open, it has met its deadline */

    { INITIALIZING, "RP",           UNLATCHED | OPENED,         READY },
    { INITIALIZING, "Rw",           UNLATCHED | OPENED | LATE,  INITIALIZING },
    { READY,        "Rw",           UNLATCHED | OPENED | LATE,  INITIALIZING },
    { FAILED,       "Rw",           UNLATCHED | OPENED | LATE,  INITIALIZING },
    { FAILED,       "RP",           UNLATCHED | OPENED | LATE,  READY }
};


static void
unit(void)
{
    unit_transitions();
    unit_invariants();
    unit_rise_and_fall();
    unit_pauses();
    unit_progress();
    unit_retry_after();
    unit_reasons();
}


static void
unit_transitions(void)
{
    u_char              *from, *to;
    ngx_uint_t           i, flags;
    ngx_gate_latch_t     latch;

    for (i = 0; i < sizeof(unit_table) / sizeof(unit_table[0]); i++) {

        flags = unit_table[i].flags;

        unit_gate(&latch, unit_table[i].from, unit_table[i].checks, flags);

        ngx_gate_state_compute(&unit_it, unit_records, &latch, flags & LATE);

        from = ngx_gate_state_names[unit_table[i].from].data;
        to = ngx_gate_state_names[unit_table[i].to].data;

        if (!ok(latch.state == unit_table[i].to,
                "%s: %s%s%s%s%s%s: %s", from, unit_table[i].checks,
                (flags & LATE) ? ", late" : "",
                (flags & OPEN_LATE) ? ", deadline open" : "",
                (flags & UNLATCHED) ? ", latch off" : "",
                (flags & OPENED) ? ", opened before" : "",
                (flags & LATCHED) ? ", latched" : "", to))
        {
            printf("# is %s\n", ngx_gate_state_names[latch.state].data);
        }
    }
}


/* six states, two required checks and an optional one in every verdict */

static void
unit_invariants(void)
{
    char              text[9];
    ngx_uint_t        i, n, flags, from, open, good, failed;
    ngx_uint_t        again, counting, blocked, latching, stable, unlatched;
    ngx_gate_latch_t  latch, second;

    static const char  verdicts[] = ".wrefpPWREF";

    n = sizeof(verdicts) - 1;
    again = counting = blocked = latching = stable = 0;

    for (i = 0; i < n * n * n; i++) {

        ngx_sprintf((u_char *) text, "R%c R%c O%c%Z", verdicts[i % n],
                    verdicts[i / n % n], verdicts[i / n / n]);

        good = (ngx_strchr("PWREF", text[1]) && ngx_strchr("PWREF", text[4]));
        failed = (text[1] == 'f' || text[4] == 'f');

        for (flags = 0; flags <= 0x1f; flags++) {
            unlatched = (flags & UNLATCHED) != 0;

            if (unlatched && (flags & LATCHED)) {
                continue;
            }

            for (from = 0; from < NGX_GATE_STATES; from++) {

                unit_gate(&latch, from, text, flags);
                ngx_gate_state_compute(&unit_it, unit_records, &latch,
                                       flags & LATE);

                open = (latch.state == READY || latch.state == DEGRADED);

                again += (from != STARTING && latch.state == STARTING);
                counting += (good && !open);
                blocked += (!good && !(flags & LATCHED)
                            && (open || failed != (latch.state == FAILED)));
                latching += (open && latch.latched == unlatched);

                second = latch;
                ngx_gate_state_compute(&unit_it, unit_records, &second,
                                       flags & LATE);

                stable += (second.state != latch.state
                           || second.latched != latch.latched
                           || second.opened != latch.opened);
            }
        }
    }

    ok(again == 0, "starting: never entered again");
    ok(counting == 0, "all required checks count: open");
    ok(blocked == 0, "a required check does not count: closed or failed");
    ok(latching == 0, "open: latched, unless latch is off");
    ok(stable == 0, "the same verdicts again: no change");

    unit_gate(&latch, STARTING, "R.", 0);
    ok(!ngx_gate_state_is_open(&unit_it, STARTING), "starting is closed");
    ok(!ngx_gate_state_is_open(&unit_it, INITIALIZING),
       "initializing is closed");
    ok(ngx_gate_state_is_open(&unit_it, READY), "ready is open");
    ok(ngx_gate_state_is_open(&unit_it, DEGRADED), "degraded is open");
    ok(!ngx_gate_state_is_open(&unit_it, FAILED), "failed is closed");
    ok(!ngx_gate_state_is_open(&unit_it, OVERDUE), "overdue is closed");

    unit_it.deadline_open = 1;
    ok(ngx_gate_state_is_open(&unit_it, OVERDUE),
       "overdue, deadline open: open");
    ok(!ngx_gate_state_is_open(&unit_it, FAILED),
       "failed, deadline open: closed");
}


/* a sequence of verdicts, and whether the check counts after each */

static void
unit_rise_and_fall(void)
{
    ngx_uint_t           i, j, n;
    const char          *verdict;
    ngx_gate_status_t    status;

    static const char    letters[] = ".efwrP";

    static struct {
        ngx_uint_t       rise;
        ngx_uint_t       fall;
        const char      *verdicts;
        const char      *counts;
    } table[] = {
        { 1, 1, "P",            "1" },
        { 1, 1, "wPwP",         "0101" },
        { 1, 3, "PwwPwww",      "1111110" },
        { 1, 3, "PefP",         "1111" },
        { 1, 3, "Prwe",         "1110" },
        { 1, 3, "PewrP",        "11101" },
        { 3, 1, "PPP",          "001" },
        { 3, 1, "PPwPPP",       "000001" },
        { 3, 1, "PPPwPPP",      "0010001" },
        { 2, 2, "PwPPwPwwPP",   "0001111001" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        ngx_memzero(&status, sizeof(ngx_gate_status_t));
        verdict = table[i].verdicts;
        n = 0;

        for (j = 0; verdict[j]; j++) {
            ngx_gate_state_update_status(&status,
                                     ngx_strchr(letters, verdict[j]) - letters,
                                     table[i].rise, table[i].fall);

            n += (status.up == (ngx_uint_t) (table[i].counts[j] - '0'));
        }

        ok(n == j, "rise %u, fall %u: %s counts as %s",
           (unsigned) table[i].rise, (unsigned) table[i].fall,
           table[i].verdicts, table[i].counts);
    }
}


static void
unit_pauses(void)
{
    ngx_uint_t  i;
    ngx_msec_t  pause;

    static struct {
        ngx_msec_t  interval;
        ngx_msec_t  backoff;
        ngx_uint_t  errors;
        ngx_msec_t  pause;
    } table[] = {
        { 1000, 5000,  0,       1000 },
        { 1000, 5000,  1,       1000 },
        { 1000, 5000,  2,       2000 },
        { 1000, 5000,  3,       4000 },
        { 1000, 5000,  4,       5000 },
        { 1000, 5000,  1000000, 5000 },

        /* a backoff below the interval does not shorten it */
        { 9000, 5000,  1,       9000 },
        { 9000, 5000,  5,       9000 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        pause = ngx_gate_state_backoff(table[i].interval, table[i].backoff,
                                       table[i].errors);

        ok(pause == table[i].pause,
           "error %u, interval %u, backoff %u: %u",
           (unsigned) table[i].errors, (unsigned) table[i].interval,
           (unsigned) table[i].backoff, (unsigned) pause);
    }
}


static void
unit_progress(void)
{
    ngx_uint_t                 i;
    ngx_gate_latch_t           latch;
    ngx_gate_state_progress_t  progress;

    static struct {
        const char    *checks;
        int64_t        observed;     /* of the last check */
        int64_t        expected;
        ngx_int_t      progress;
    } table[] = {
        { "R.",       -1, -1,      -1 },
        { "R. O.",    -1, -1,      -1 },
        { "R. Ow",    -1, -1,      -1 },
        { "Rw",       -1, -1,      -1 },
        { "Rw R.",    -1, -1,      -1 },
        { "Rw Rr",    -1, -1,      -1 },
        { "Rw OP",    -1, -1,      -1 },
        { "RP",       -1, -1,      10000 },
        { "RP R.",    -1, -1,      5000 },
        { "RP Rw",    -1, -1,      5000 },
        { "RP RP Rw", -1, -1,      6666 },
        { "RP Ow",    -1, -1,      10000 },
        { "Rw",       0, 1000,     0 },
        { "Rw",       420, 1000,   4200 },
        { "Rr",       420, 1000,   4200 },
        { "RP Rw",    420, 1000,   7100 },
        { "Rw OP",    420, 1000,   -1 },
        { "Rw",       0, 0,        -1 },
        { "Rw",       2000, 1000,  10000 },
        { "Rw",       INT64_MAX / 2, INT64_MAX, 5000 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        unit_gate(&latch, INITIALIZING, table[i].checks, 0);

        unit_records[unit_it.checks.nelts - 1].result.observed
                                                         = table[i].observed;
        unit_records[unit_it.checks.nelts - 1].result.expected
                                                         = table[i].expected;

        ngx_gate_state_progress(&unit_it, unit_records, &progress);

        ok(progress.ratio == table[i].progress,
           "progress of %s, %lld of %lld: %ld",
           table[i].checks, (long long) table[i].observed,
           (long long) table[i].expected, (long) progress.ratio);
    }

    unit_gate(&latch, INITIALIZING, "O.", 0);
    ngx_gate_state_progress(&unit_it, unit_records, &progress);
    ok(progress.ratio == -1, "progress of a gate without required checks: %ld",
       (long) progress.ratio);

    unit_gate(&latch, INITIALIZING, "RP OP Rw Rr", 0);
    unit_records[3].result.observed = 1;
    unit_records[3].result.expected = 4;
    ngx_gate_state_progress(&unit_it, unit_records, &progress);
    ok(progress.required == 3 && progress.passed == 1
       && progress.counting == 1 && progress.ratio == 4166,
       "1 of 3 required checks has passed, one counts");
}


static void
unit_retry_after(void)
{
    ngx_uint_t  i;

    static struct {
        int64_t     eta;
        ngx_uint_t  seconds;
    } table[] = {
        { -1,        5 },
        { 0,         1 },
        { 1,         1 },
        { 1000,      1 },
        { 1001,      2 },
        { 16500,     17 },
        { 60000,     60 },
        { 60001,     60 },
        { INT64_MAX - 1000, 60 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ok(ngx_gate_state_retry_after(NGX_GATE_STATE_INITIALIZING,
                                      table[i].eta)
           == table[i].seconds,
           "an ETA of %lld ms: retry after %u s", (long long) table[i].eta,
           (unsigned) table[i].seconds);
    }

    ok(ngx_gate_state_retry_after(NGX_GATE_STATE_FAILED, -1) == 30,
       "a failed gate: retry after 30 s");
}


/* the closed list: a slug for each, all different */

static void
unit_reasons(void)
{
    ngx_str_t   *a, *b;
    ngx_uint_t   i, j, bad;

    bad = 0;

    for (i = 1; i < NGX_GATE_REASONS; i++) {
        a = &ngx_gate_reason_names[i];

        bad += (a->len == 0
                || strspn((char *) a->data, "abcdefghijklmnopqrstuvwxyz_")
                   != a->len);

        for (j = 1; j < i; j++) {
            b = &ngx_gate_reason_names[j];

            bad += (ngx_strcmp(a->data, b->data) == 0);
        }
    }

    ok(bad == 0, "reasons: different slugs");

    ok(ngx_gate_reason_is_local(NGX_GATE_NO_MEMORY)
       && ngx_gate_reason_is_local(NGX_GATE_NO_CONNECTIONS)
       && !ngx_gate_reason_is_local(NGX_GATE_TOO_MANY_CONNECTIONS),
       "no memory or connections in nginx: local");
}


static void
unit_gate(ngx_gate_latch_t *latch, ngx_gate_state_e state, const char *checks,
    ngx_uint_t flags)
{
    const char         *p;
    ngx_uint_t          n, i;
    ngx_gate_status_t  *status;

    static const char     letters[] = ".efwrP";
    static const char     counting[] = ".EFWRP";

    ngx_memzero(&unit_it, sizeof(ngx_gate_t));
    ngx_memzero(unit_checks, sizeof(unit_checks));
    ngx_memzero(unit_records, sizeof(unit_records));

    for (n = 0; *checks; n++, checks += 2) {
        checks += (*checks == ' ');

        unit_checks[n].optional = (checks[0] == 'O');

        status = &unit_records[n].status;

        p = ngx_strchr(letters, checks[1]);
        i = p ? p - letters : 0;

        if (checks[1] == 'p') {
            i = NGX_GATE_PASSED;

        } else if (p == NULL) {
            i = ngx_strchr(counting, checks[1]) - counting;
        }

        status->verdict = i;
        status->up = (ngx_strchr("PWREF", checks[1]) != NULL);

        unit_records[n].result.observed = -1;
        unit_records[n].result.expected = -1;
    }

    unit_it.checks.elts = unit_checks;
    unit_it.checks.nelts = n;
    unit_it.checks.size = sizeof(ngx_gate_check_t);
    unit_it.latch = !(flags & UNLATCHED);
    unit_it.deadline_open = (flags & OPEN_LATE) != 0;

    latch->state = state;
    latch->opened = (flags & (OPENED | LATCHED)) != 0
                    || state == READY || state == DEGRADED;
    latch->latched = (flags & LATCHED) != 0;
}
