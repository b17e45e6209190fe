
/*
 * The fragment of the waiting page: its texts, and that it never exceeds its
 * size.
 */


#include <unit.h>
#include <ngx_gate_html.h>


#define UNIT_CHECKS  3


static void unit_etas(void);
static void unit_progress(void);
static void unit_notes(void);
static void unit_checks(void);
static void unit_fits(void);
static ngx_uint_t unit_says(const char *text);
static u_char *unit_render(void);
static void unit_begin(void);


static ngx_gate_t               unit_gate;
static ngx_gate_check_t         unit_check[UNIT_CHECKS];
static ngx_gate_check_record_t  unit_record[UNIT_CHECKS];
static ngx_gate_record_t        unit_gate_record;
static u_char                   unit_text[8192];

static struct {
    int64_t      eta;
    const char  *text;
} unit_eta[] = {
    { -1,         "</b> <span></span>" },
    { 0,          "<span>a few seconds left</span>" },
    { 4000,       "<span>a few seconds left</span>" },
    { 4001,       "<span>about 5 seconds left</span>" },
    { 5001,       "<span>about 10 seconds left</span>" },
    { 16500,      "<span>about 20 seconds left</span>" },
    { 59000,      "<span>about 60 seconds left</span>" },
    { 60000,      "<span>about 1 minute left</span>" },
    { 89000,      "<span>about 1 minute left</span>" },
    { 90000,      "<span>about 2 minutes left</span>" },
    { 3600000,    "<span>about 60 minutes left</span>" },
    { 5399000,    "<span>about 90 minutes left</span>" },
    { 5400000,    "<span>about 2 hours left</span>" },
    { 86400000,   "<span>about 24 hours left</span>" },
    { 0, NULL }
};


static void
unit(void)
{
    unit_etas();
    unit_progress();
    unit_notes();
    unit_checks();
    unit_fits();
}


static void
unit_etas(void)
{
    ngx_uint_t  i;

    unit_begin();

    for (i = 0; unit_eta[i].text; i++) {
        unit_gate_record.eta = unit_eta[i].eta;
        ok(unit_says(unit_eta[i].text), "%d ms: %s", (int) unit_eta[i].eta,
           unit_eta[i].text);
    }
}


static void
unit_progress(void)
{
    unit_begin();

    unit_gate_record.progress = -1;
    ok(unit_says("<b>Starting</b>")
       && unit_says("<progress max=\"100\" aria-label=\"Progress\">"),
       "no number without a basis");

    unit_gate_record.progress = 0;
    ok(unit_says("<b>0 %</b>") && unit_says(" value=\"0.00\">"), "nothing");

    unit_gate_record.progress = 4209;
    ok(unit_says("<b>42 %</b>") && unit_says(" value=\"42.09\">"),
       "rounded down");

    unit_gate_record.progress = 9999;
    ok(unit_says("<b>99 %</b>"), "not 100 before it is");

    unit_gate_record.progress = 10000;
    ok(unit_says("<b>100 %</b>"), "all");
}


static void
unit_notes(void)
{
    unit_begin();

    ok(unit_says("class=\"initializing\"")
       && unit_says("<p class=\"note\"></p>"), "nothing to note");

    unit_gate_record.latch.state = NGX_GATE_STATE_OVERDUE;
    ok(unit_says("class=\"overdue\"") && unit_says("longer than expected"),
       "overdue");

    unit_gate_record.latch.state = NGX_GATE_STATE_FAILED;
    ok(unit_says("class=\"failed\"") && unit_says("has failed"), "failed");
}


static void
unit_checks(void)
{
    unit_begin();

    ok(unit_says("<li class=\"passed\"><b>first</b> "
                 "<span>passed</span></li>\n"), "a check that passed");
    ok(unit_says("<li class=\"waiting\"><b>second</b> "
                 "<span>waiting: too few</span></li>\n"), "one that waits");
    ok(unit_says("<li class=\"error\"><b>third</b> "
                 "<span>error: too many connections</span></li>\n"),
       "the words of a reason");
    ok(unit_says("<p class=\"name\">app</p>"), "the name of the gate");
}


/* the longest text in every place */

static void
unit_fits(void)
{
    u_char       name[NGX_GATE_NAME_MAX];
    size_t       size, len;
    ngx_uint_t   i, state, reason, verdict;

    unit_begin();
    ngx_memset(name, 'n', sizeof(name));

    unit_gate.name.data = name;
    unit_gate.name.len = sizeof(name);

    for (i = 0; i < UNIT_CHECKS; i++) {
        unit_check[i].name = unit_gate.name;
    }

    unit_gate_record.progress = 10000;
    unit_gate_record.eta = 0x7fffffffffffffff - 999;
    size = ngx_gate_html_fragment_size(&unit_gate);
    len = 0;

    for (state = 0; state < NGX_GATE_STATES; state++) {
        unit_gate_record.latch.state = state;

        for (verdict = 0; verdict < NGX_GATE_VERDICTS; verdict++) {
            for (reason = 0; reason < NGX_GATE_REASONS; reason++) {

                for (i = 0; i < UNIT_CHECKS; i++) {
                    unit_record[i].result.verdict = verdict;
                    unit_record[i].result.reason = reason;
                }

                len = ngx_max(len, (size_t) (unit_render() - unit_text));
            }
        }
    }

    ok(len < size, "the longest, %d bytes, is within %d", (int) len,
       (int) size);
}


static ngx_uint_t
unit_says(const char *text)
{
    *unit_render() = '\0';

    return ngx_strstr(unit_text, text) != NULL;
}


static u_char *
unit_render(void)
{
    ngx_gate_report_t  report;

    report.gate = &unit_gate;
    report.record = &unit_gate_record;
    report.checks = unit_record;

    return ngx_gate_html_fragment(unit_text,
                                  unit_text + sizeof(unit_text) - 1, &report);
}


static void
unit_begin(void)
{
    ngx_memzero(&unit_gate_record, sizeof(unit_gate_record));
    ngx_memzero(unit_record, sizeof(unit_record));

    ngx_str_set(&unit_gate.name, "app");
    ngx_str_set(&unit_check[0].name, "first");
    ngx_str_set(&unit_check[1].name, "second");
    ngx_str_set(&unit_check[2].name, "third");

    unit_gate.checks.elts = unit_check;
    unit_gate.checks.nelts = UNIT_CHECKS;

    unit_gate_record.latch.state = NGX_GATE_STATE_INITIALIZING;
    unit_gate_record.progress = 4200;
    unit_gate_record.eta = -1;

    unit_record[0].result.verdict = NGX_GATE_PASSED;
    unit_record[1].result.verdict = NGX_GATE_WAITING;
    unit_record[1].result.reason = NGX_GATE_TOO_FEW;
    unit_record[2].result.verdict = NGX_GATE_ERROR;
    unit_record[2].result.reason = NGX_GATE_TOO_MANY_CONNECTIONS;
}
