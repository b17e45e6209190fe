
/*
 * The pages' constant parts, and the fragment; see ngx_gate_html.h.
 */


#include <ngx_gate_html.h>
#include <ngx_gate_pages.h>


/*
 * The fragment is what the page's script keeps up to date afterwards, in the
 * same words.  Names are [A-Za-z0-9_.-] and everything else is ours, so there
 * is nothing to escape.
 */

#define NGX_GATE_HTML_OPEN                                                    \
    "<section id=\"gate\" class=\"%V\" aria-label=\"%V\">\n"                  \
    "<p class=\"far\"><b>"

#define NGX_GATE_HTML_BAR                                                     \
    "</span></p>\n"                                                           \
    "<progress max=\"100\" aria-label=\"Progress\""

#define NGX_GATE_HTML_NOTE                                                    \
    "></progress>\n"                                                          \
    "<p class=\"note\">%V</p>\n"                                              \
    "<ul>\n"

#define NGX_GATE_HTML_CHECK                                                   \
    "<li class=\"%V\"><b>%V</b> <span>%V"

#define NGX_GATE_HTML_CLOSE                                                   \
    "</ul>\n"                                                                 \
    "<p class=\"name\">%V</p>\n"                                               \
    "</section>\n"

/* the longest words there are */

#define NGX_GATE_HTML_STATE    (sizeof("initializing") - 1)
#define NGX_GATE_HTML_VERDICT  (sizeof("waiting") - 1)
#define NGX_GATE_HTML_REASON   (sizeof("too_many_connections") - 1)
#define NGX_GATE_HTML_ETA      (sizeof("about  minutes left") - 1             \
                                + NGX_INT64_LEN)


static u_char *ngx_gate_html_progress(u_char *p, u_char *last,
    ngx_gate_record_t *record);
static u_char *ngx_gate_html_eta(u_char *p, u_char *last, int64_t eta);
static u_char *ngx_gate_html_check(u_char *p, u_char *last,
    ngx_gate_check_t *check, ngx_gate_check_record_t *record);
static ngx_str_t *ngx_gate_html_note(ngx_gate_state_e state);


ngx_str_t  ngx_gate_html_page_head = ngx_string(NGX_GATE_PAGES_WAITING_HEAD);
ngx_str_t  ngx_gate_html_page_heading =
    ngx_string(NGX_GATE_PAGES_WAITING_HEADING);
ngx_str_t  ngx_gate_html_page_message =
    ngx_string(NGX_GATE_PAGES_WAITING_MESSAGE);
ngx_str_t  ngx_gate_html_page_fragment =
    ngx_string(NGX_GATE_PAGES_WAITING_FRAGMENT);
ngx_str_t  ngx_gate_html_page_tail = ngx_string(NGX_GATE_PAGES_WAITING_TAIL);

ngx_str_t  ngx_gate_html_page_title = ngx_string("Getting ready");
ngx_str_t  ngx_gate_html_page_text =
    ngx_string("This page opens by itself as soon as everything is ready.");

ngx_str_t  ngx_gate_html_dashboard = ngx_string(NGX_GATE_PAGES_DASHBOARD);

static ngx_str_t  ngx_gate_html_overdue =
    ngx_string("This is taking longer than expected.");
static ngx_str_t  ngx_gate_html_failed =
    ngx_string("The preparation has failed and needs attention.");


size_t
ngx_gate_html_fragment_size(ngx_gate_t *gate)
{
    size_t             size;
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    size = sizeof(NGX_GATE_HTML_OPEN) + NGX_GATE_HTML_STATE + gate->name.len
           + sizeof("100 %</b> <span>") + NGX_GATE_HTML_ETA
           + sizeof(NGX_GATE_HTML_BAR) + sizeof(" value=\"100.00\"")
           + sizeof(NGX_GATE_HTML_NOTE) + ngx_gate_html_failed.len
           + sizeof(NGX_GATE_HTML_CLOSE) + gate->name.len;

    check = gate->checks.elts;

    for (i = 0; i < gate->checks.nelts; i++) {
        size += sizeof(NGX_GATE_HTML_CHECK) + check[i].name.len
                + 2 * NGX_GATE_HTML_VERDICT + NGX_GATE_HTML_REASON
                + sizeof(": </span></li>\n");
    }

    return size;
}


u_char *
ngx_gate_html_fragment(u_char *p, u_char *last,
    const ngx_gate_report_t *report)
{
    ngx_uint_t          i;
    ngx_gate_t         *gate;
    ngx_gate_record_t  *record;

    gate = report->gate;
    record = report->record;

    p = ngx_slprintf(p, last, NGX_GATE_HTML_OPEN,
                     &ngx_gate_state_names[record->latch.state], &gate->name);

    p = ngx_gate_html_progress(p, last, record);

    p = ngx_slprintf(p, last, NGX_GATE_HTML_NOTE,
                     ngx_gate_html_note(record->latch.state));

    for (i = 0; i < gate->checks.nelts; i++) {
        p = ngx_gate_html_check(p, last, ngx_gate_check_at(gate, i),
                                &report->checks[i]);
    }

    return ngx_slprintf(p, last, NGX_GATE_HTML_CLOSE, &gate->name);
}


static u_char *
ngx_gate_html_progress(u_char *p, u_char *last, ngx_gate_record_t *record)
{
    if (record->progress < 0) {
        p = ngx_slprintf(p, last, "Starting</b> <span>");

    } else {
        p = ngx_slprintf(p, last, "%i %%</b> <span>", record->progress / 100);
    }

    p = ngx_gate_html_eta(p, last, record->eta);
    p = ngx_slprintf(p, last, NGX_GATE_HTML_BAR);

    if (record->progress < 0) {
        return p;
    }

    return ngx_slprintf(p, last, " value=\"%i.%02i\"",
                        record->progress / 100, record->progress % 100);
}


/* coarser the further away; the page's script says it in the same way */

static u_char *
ngx_gate_html_eta(u_char *p, u_char *last, int64_t eta)
{
    int64_t  s;

    if (eta < 0) {
        return p;
    }

    s = (eta + 999) / 1000;

    if (s < 5) {
        return ngx_slprintf(p, last, "a few seconds left");
    }

    if (s < 60) {
        return ngx_slprintf(p, last, "about %L seconds left", (s + 4) / 5 * 5);
    }

    if (s < 90) {
        return ngx_slprintf(p, last, "about 1 minute left");
    }

    if (s < 5400) {
        return ngx_slprintf(p, last, "about %L minutes left", (s + 30) / 60);
    }

    return ngx_slprintf(p, last, "about %L hours left", (s + 1800) / 3600);
}


static ngx_str_t *
ngx_gate_html_note(ngx_gate_state_e state)
{
    static ngx_str_t  nothing = ngx_null_string;

    switch (state) {

    case NGX_GATE_STATE_OVERDUE:
        return &ngx_gate_html_overdue;

    case NGX_GATE_STATE_FAILED:
        return &ngx_gate_html_failed;

    default:
        return &nothing;
    }
}


static u_char *
ngx_gate_html_check(u_char *p, u_char *last, ngx_gate_check_t *check,
    ngx_gate_check_record_t *record)
{
    u_char     *word;
    ngx_str_t  *verdict;

    verdict = &ngx_gate_verdict_names[record->result.verdict];

    p = ngx_slprintf(p, last, NGX_GATE_HTML_CHECK, verdict, &check->name,
                     verdict);

    if (record->result.reason != NGX_GATE_OK) {
        word = p;
        p = ngx_slprintf(p, last, ": %V",
                         &ngx_gate_reason_names[record->result.reason]);

        for ( /* void */ ; word < p; word++) {
            if (*word == '_') {
                *word = ' ';
            }
        }
    }

    return ngx_slprintf(p, last, "</span></li>\n");
}
