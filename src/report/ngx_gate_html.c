
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The waiting page; see ngx_gate_html.h.
 */


#include <ngx_gate_html.h>
#include <ngx_gate_pages.h>


/* limits of the list; further checks are only counted, unfinished come first */

#define NGX_GATE_HTML_LIST      8
#define NGX_GATE_HTML_LIST_MAX  256

#define NGX_GATE_HTML_ESCAPED   (sizeof("&quot;") - 1)    /* the longest
                                                             escape sequence */

/* room for numbers, tags and attributes */

#define NGX_GATE_HTML_MAIN      1024
#define NGX_GATE_HTML_ITEM      160
#define NGX_GATE_HTML_TIME      64


static ngx_gate_state_e ngx_gate_html_page_state(ngx_gate_record_t *record);
static void ngx_gate_html_page_add_progress(ngx_gate_html_page_t *page,
    ngx_gate_state_progress_t *progress);
static u_char *ngx_gate_html_tag(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, ngx_str_t *lang);
static u_char *ngx_gate_html_title(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_main(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_progress(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_reached(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static ngx_uint_t ngx_gate_html_is_known(ngx_gate_html_page_t *page);
static u_char *ngx_gate_html_time(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static const ngx_str_t *ngx_gate_html_unit(int64_t *seconds, ngx_uint_t left,
    const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_list(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_rows(u_char *p, u_char *last,
    ngx_gate_html_page_t *page, const ngx_gate_html_words_t *words,
    ngx_uint_t *row, ngx_uint_t done);
static u_char *ngx_gate_html_item(u_char *p, u_char *last,
    ngx_gate_html_item_t *item, const ngx_gate_html_words_t *words);
static const ngx_str_t *ngx_gate_html_verdict(ngx_gate_verdict_e verdict,
    const char **class, const ngx_gate_html_words_t *words);
static u_char *ngx_gate_html_fill(u_char *p, u_char *last,
    const ngx_str_t *pattern, ngx_str_t *first, ngx_str_t *second);
static u_char *ngx_gate_html_fill_number(u_char *p, u_char *last,
    const ngx_str_t *pattern, int64_t first, int64_t second);
static u_char *ngx_gate_html_escape(u_char *p, u_char *last,
    const ngx_str_t *text);
static const ngx_str_t *ngx_gate_html_own(ngx_str_t *own,
    const ngx_str_t *word);


ngx_str_t  ngx_gate_html_page_doctype =
    ngx_string(NGX_GATE_PAGES_WAITING_DOCTYPE);
ngx_str_t  ngx_gate_html_page_head = ngx_string(NGX_GATE_PAGES_WAITING_HEAD);
ngx_str_t  ngx_gate_html_page_body = ngx_string(NGX_GATE_PAGES_WAITING_BODY);
ngx_str_t  ngx_gate_html_page_tail = ngx_string(NGX_GATE_PAGES_WAITING_TAIL);

ngx_str_t  ngx_gate_html_dashboard = ngx_string(NGX_GATE_PAGES_DASHBOARD);
ngx_str_t  ngx_gate_html_dashboard_tail =
    ngx_string(NGX_GATE_PAGES_DASHBOARD_TAIL);


/* a gate that an operator has closed may be ready otherwise */

static ngx_uint_t
ngx_gate_html_is_ready(ngx_gate_record_t *record)
{
    return record->latch.state == NGX_GATE_STATE_READY
           || record->latch.state == NGX_GATE_STATE_DEGRADED;
}


static ngx_gate_state_e
ngx_gate_html_page_state(ngx_gate_record_t *record)
{
    return ngx_gate_html_is_ready(record) ? NGX_GATE_STATE_INITIALIZING
                                          : record->latch.state;
}


/* adds a gate; all are shown as one: the worst state, the longest time */

void
ngx_gate_html_page_add(ngx_gate_html_page_t *page, ngx_gate_record_t *record,
    ngx_uint_t open, ngx_msec_t now)
{
    ngx_msec_t                 elapsed;
    ngx_gate_state_progress_t  progress;

    progress = record->progress;

    if (!open) {
        elapsed = now - record->shut_msec;

        if (page->nclosed++ == 0) {
            page->state = ngx_gate_html_page_state(record);
            page->elapsed = elapsed;
            page->eta = record->eta;

        } else {
            page->state = ngx_max(page->state,
                                  ngx_gate_html_page_state(record));
            page->elapsed = ngx_max(page->elapsed, elapsed);
            page->eta = (page->eta < 0 || record->eta < 0)
                        ? -1 : ngx_max(page->eta, record->eta);
        }

        /* it will open when the operator lets it */

        if (ngx_gate_html_is_ready(record)) {
            progress.ratio = -1;
            progress.passed = 0;
            progress.counting = 0;
        }
    }

    ngx_gate_html_page_add_progress(page, &progress);
}


static void
ngx_gate_html_page_add_progress(ngx_gate_html_page_t *page,
    ngx_gate_state_progress_t *progress)
{
    ngx_uint_t            required;
    ngx_gate_state_progress_t  *sum;

    sum = &page->progress;

    if (page->ngates++ == 0) {
        *sum = *progress;
        return;
    }

    required = sum->required + progress->required;

    if (required && (sum->ratio >= 0 || progress->ratio >= 0)) {
        sum->ratio = (ngx_max(sum->ratio, 0) * (ngx_int_t) sum->required
                      + ngx_max(progress->ratio, 0)
                        * (ngx_int_t) progress->required)
                     / (ngx_int_t) required;
    }

    sum->required = required;
    sum->passed += progress->passed;
    sum->counting |= progress->counting;
}


size_t
ngx_gate_html_page_size(ngx_gate_html_page_t *page)
{
    size_t                        size, item;
    ngx_str_t                     lang;
    ngx_uint_t                    i;
    ngx_gate_check_t             *check;
    const ngx_gate_html_words_t  *words;

    lang = ngx_gate_html_lang(&page->lang);
    words = ngx_gate_html_words(&lang);

    /* the title and the color are written twice */

    size = page->title.len + page->failed_title.len + page->message.len
           + page->failed_message.len + page->logo.len + page->color.len;

    size = NGX_GATE_HTML_MAIN + lang.len + size * NGX_GATE_HTML_ESCAPED * 2
           + 2 * (words->title.len + words->failed_title.len
                  + words->message.len + words->failed_message.len)
           + words->overdue.len + words->just.len + words->started.len
           + words->soon.len + words->left.len + 2 * words->steps.len
           + words->more.len + words->progress.len + words->lost.len
           + words->stuck.len;

    item = 0;

    for (i = 0; page->items && i < page->nitems; i++) {
        check = page->items[i].check;
        item = ngx_max(item, check->name.len + check->label.len);
    }

    item = NGX_GATE_HTML_ITEM + item * NGX_GATE_HTML_ESCAPED
           + words->waiting.len + words->running.len + words->passed.len
           + words->error.len + words->optional.len;

    if (page->items) {
        size += item * ngx_min(page->nitems, NGX_GATE_HTML_LIST_MAX);
    }

    return size;
}


void
ngx_gate_html_page(ngx_gate_html_page_t *page, ngx_gate_html_parts_t *parts,
    u_char *p, u_char *last)
{
    ngx_str_t                     lang;
    const ngx_gate_html_words_t  *words;

    lang = ngx_gate_html_lang(&page->lang);
    words = ngx_gate_html_words(&lang);

    parts->html.data = p;
    p = ngx_gate_html_tag(p, last, page, &lang);
    parts->html.len = p - parts->html.data;

    parts->title.data = p;
    p = ngx_gate_html_title(p, last, page, words);
    parts->title.len = p - parts->title.data;

    parts->main.data = p;
    p = ngx_gate_html_main(p, last, page, words);
    parts->main.len = p - parts->main.data;
}


/* a language without built-in words: the operator's words are used */

static u_char *
ngx_gate_html_tag(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    ngx_str_t *lang)
{
    ngx_str_t                     english;
    const ngx_gate_html_words_t  *words;

    ngx_str_set(&english, "en");

    words = ngx_gate_html_words(lang);

    if (words == ngx_gate_html_words(&english) && page->title.len == 0) {
        lang = &english;
    }

    if (lang->len == 0) {
        lang = &english;
    }

    p = ngx_slprintf(p, last, "<html lang=\"%V\"%s", lang,
                     ngx_gate_html_is_rtl(lang) ? " dir=\"rtl\"" : "");

    /* twice: a Content-Security-Policy may forbid the style, not the script */

    if (page->color.len) {
        p = ngx_slprintf(p, last, " style=\"--accent: ");
        p = ngx_gate_html_escape(p, last, &page->color);
        p = ngx_slprintf(p, last, "\" data-color=\"");
        p = ngx_gate_html_escape(p, last, &page->color);
        p = ngx_slprintf(p, last, "\"");
    }

    return ngx_slprintf(p, last, ">\n");
}


/* the title of the tab, with the progress if that is known */

static u_char *
ngx_gate_html_title(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    if (page->state == NGX_GATE_STATE_FAILED) {
        p = ngx_gate_html_escape(p, last,
                                 ngx_gate_html_own(&page->failed_title,
                                                   &words->failed_title));
        return ngx_slprintf(p, last, "\n");
    }

    if (ngx_gate_html_is_known(page)) {

        if (page->progress.counting) {
            p = ngx_slprintf(p, last, "%i %% \xc2\xb7 ",
                             page->progress.ratio / 100);

        } else {
            p = ngx_slprintf(p, last, "%ui/%ui \xc2\xb7 ",
                             page->progress.passed, page->progress.required);
        }
    }

    p = ngx_gate_html_escape(p, last, ngx_gate_html_own(&page->title,
                                                        &words->title));

    return ngx_slprintf(p, last, "\n");
}


/* the script replaces #page with this part of the response to a poll */

static u_char *
ngx_gate_html_main(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    ngx_uint_t  failed;

    failed = (page->state == NGX_GATE_STATE_FAILED);

    p = ngx_slprintf(p, last,
                     "<p id=\"lost\" role=\"alert\" hidden>%V</p>\n"
                     "<div id=\"page\" class=\"%V\" data-step=\"%V %ui\"",
                     &words->lost, &ngx_gate_state_names[page->state],
                     &ngx_gate_state_names[page->state],
                     page->progress.passed);

    if (page->eta >= 0 && !failed) {
        p = ngx_slprintf(p, last, " data-left=\"%L\"", page->eta);
    }

    p = ngx_slprintf(p, last, ">\n");

    if (page->logo.len) {
        p = ngx_slprintf(p, last, "<img class=\"logo\" src=\"");
        p = ngx_gate_html_escape(p, last, &page->logo);
        p = ngx_slprintf(p, last, "\" alt=\"\">\n");
    }

    p = ngx_slprintf(p, last, "<h1>");
    p = ngx_gate_html_escape(p, last, failed
                   ? ngx_gate_html_own(&page->failed_title,
                                       &words->failed_title)
                   : ngx_gate_html_own(&page->title, &words->title));

    p = ngx_slprintf(p, last, "</h1>\n<p class=\"message\">");
    p = ngx_gate_html_escape(p, last, failed
                   ? ngx_gate_html_own(&page->failed_message,
                                       &words->failed_message)
                   : ngx_gate_html_own(&page->message, &words->message));

    p = ngx_slprintf(p, last, "</p>\n");

    if (!failed) {
        p = ngx_gate_html_progress(p, last, page, words);
    }

    if (page->items) {
        p = ngx_gate_html_list(p, last, page, words);
    }

    return ngx_slprintf(p, last, "</div>\n<p id=\"stuck\" hidden>%V</p>\n",
                        &words->stuck);
}


static u_char *
ngx_gate_html_progress(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    p = ngx_slprintf(p, last, "<p class=\"far\"><b>");
    p = ngx_gate_html_reached(p, last, page, words);
    p = ngx_slprintf(p, last, "</b> <span>");
    p = ngx_gate_html_time(p, last, page, words);
    p = ngx_slprintf(p, last, "</span></p>\n<progress max=\"100\"");

    if (ngx_gate_html_is_known(page)) {
        p = ngx_slprintf(p, last, " value=\"%i.%02i\"",
                         page->progress.ratio / 100,
                         page->progress.ratio % 100);
    }

    p = ngx_slprintf(p, last, " aria-label=\"%V\"></progress>\n",
                     &words->progress);

    if (page->state == NGX_GATE_STATE_OVERDUE) {
        p = ngx_slprintf(p, last, "<p class=\"note\">%V</p>\n",
                         &words->overdue);
    }

    return p;
}


static u_char *
ngx_gate_html_reached(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    if (!ngx_gate_html_is_known(page)) {
        return p;
    }

    if (page->progress.counting) {
        return ngx_slprintf(p, last, "%i %%", page->progress.ratio / 100);
    }

    return ngx_gate_html_fill_number(p, last, &words->steps,
                                     (int64_t) page->progress.passed,
                                     (int64_t) page->progress.required);
}


/* never "0 %": an indeterminate bar is shown instead */

static ngx_uint_t
ngx_gate_html_is_known(ngx_gate_html_page_t *page)
{
    return page->progress.ratio >= NGX_GATE_PROGRESS_MAX / 100;
}


/* the estimated time left if known, otherwise the elapsed time */

static u_char *
ngx_gate_html_time(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    int64_t           seconds;
    ngx_str_t         time;
    ngx_uint_t        left;
    const ngx_str_t  *unit;
    u_char            text[NGX_GATE_HTML_TIME];

    left = (page->eta >= 0);

    seconds = left ? (page->eta + 999) / 1000
                   : (int64_t) (page->elapsed / 1000);

    if (seconds < 5) {
        return ngx_slprintf(p, last, "%V", left ? &words->soon : &words->just);
    }

    unit = ngx_gate_html_unit(&seconds, left, words);

    time.data = text;
    time.len = ngx_gate_html_fill_number(text, text + NGX_GATE_HTML_TIME, unit,
                                         seconds, 0)
               - text;

    return ngx_gate_html_fill(p, last, left ? &words->left : &words->started,
                              &time, NULL);
}


/* coarser the longer; the time left is rounded up, the elapsed time down */

static const ngx_str_t *
ngx_gate_html_unit(int64_t *seconds, ngx_uint_t left,
    const ngx_gate_html_words_t *words)
{
    int64_t           unit;
    const ngx_str_t  *word;

    if (*seconds < 60) {
        *seconds = (*seconds + (left ? 4 : 0)) / 5 * 5;
        return &words->seconds;
    }

    if (*seconds < 5400) {
        unit = 60;
        word = &words->minutes;

    } else if (*seconds < 172800) {
        unit = 3600;
        word = &words->hours;

    } else {
        unit = 86400;
        word = &words->days;
    }

    *seconds = (*seconds + (left ? unit / 2 : 0)) / unit;

    return word;
}


/* a long list is folded and begins with the unfinished checks */

static u_char *
ngx_gate_html_list(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words)
{
    ngx_uint_t  row, n;

    if (page->nitems > NGX_GATE_HTML_LIST && page->progress.counting) {
        p = ngx_slprintf(p, last, "<p class=\"count\">");
        p = ngx_gate_html_fill_number(p, last, &words->steps,
                                      (int64_t) page->progress.passed,
                                      (int64_t) page->progress.required);
        p = ngx_slprintf(p, last, "</p>\n");
    }

    p = ngx_slprintf(p, last, "<ul class=\"list\">\n");

    if (page->nitems <= NGX_GATE_HTML_LIST) {

        for (n = 0; n < page->nitems; n++) {
            p = ngx_gate_html_item(p, last, &page->items[n], words);
        }

        return ngx_slprintf(p, last, "</ul>\n");
    }

    row = 0;

    p = ngx_gate_html_rows(p, last, page, words, &row, 0);
    p = ngx_gate_html_rows(p, last, page, words, &row, 1);

    return ngx_slprintf(p, last, "</ul></details>\n");
}


/* the finished or the unfinished ones */

static u_char *
ngx_gate_html_rows(u_char *p, u_char *last, ngx_gate_html_page_t *page,
    const ngx_gate_html_words_t *words, ngx_uint_t *row, ngx_uint_t done)
{
    ngx_uint_t  n;

    for (n = 0; n < page->nitems && *row < NGX_GATE_HTML_LIST_MAX; n++) {

        if ((page->items[n].verdict == NGX_GATE_PASSED) != done) {
            continue;
        }

        if ((*row)++ == NGX_GATE_HTML_LIST) {
            p = ngx_slprintf(p, last, "</ul>\n<details><summary>");
            p = ngx_gate_html_fill_number(p, last, &words->more,
                                          (int64_t) page->nitems
                                          - NGX_GATE_HTML_LIST, 0);
            p = ngx_slprintf(p, last, "</summary><ul>\n");
        }

        p = ngx_gate_html_item(p, last, &page->items[n], words);
    }

    return p;
}


static u_char *
ngx_gate_html_item(u_char *p, u_char *last, ngx_gate_html_item_t *item,
    const ngx_gate_html_words_t *words)
{
    u_char           *word;
    const char       *class;
    const ngx_str_t  *verdict;

    verdict = ngx_gate_html_verdict(item->verdict, &class, words);

    p = ngx_slprintf(p, last, "<li class=\"%s\"><b dir=\"auto\">", class);
    p = ngx_gate_html_escape(p, last, ngx_gate_html_own(&item->check->label,
                                                        &item->check->name));
    p = ngx_slprintf(p, last, "</b>");

    if (item->check->optional) {
        p = ngx_slprintf(p, last, " <small>%V</small>", &words->optional);
    }

    p = ngx_slprintf(p, last, " <span>%V", verdict);

    /* "in progress" is the word of the verdict itself */

    if (item->reason != NGX_GATE_OK && item->reason != NGX_GATE_IN_PROGRESS) {
        word = p;
        p = ngx_slprintf(p, last, ": %V",
                         &ngx_gate_reason_names[item->reason]);

        for ( /* void */ ; word < p; word++) {
            if (*word == '_') {
                *word = ' ';
            }
        }
    }

    return ngx_slprintf(p, last, "</span></li>\n");
}


/* a visitor needs no distinction between a failure and an error */

static const ngx_str_t *
ngx_gate_html_verdict(ngx_gate_verdict_e verdict, const char **class,
    const ngx_gate_html_words_t *words)
{
    switch (verdict) {

    case NGX_GATE_PASSED:
        *class = "passed";
        return &words->passed;

    case NGX_GATE_RUNNING:
        *class = "running";
        return &words->running;

    case NGX_GATE_ERROR:
    case NGX_GATE_FAILED:
        *class = "error";
        return &words->error;

    default:
        *class = "waiting";
        return &words->waiting;
    }
}


/* replaces "$1" and "$2" of the pattern */

static u_char *
ngx_gate_html_fill(u_char *p, u_char *last, const ngx_str_t *pattern,
    ngx_str_t *first, ngx_str_t *second)
{
    size_t      i;
    ngx_str_t  *argument;

    for (i = 0; i < pattern->len; i++) {

        if (pattern->data[i] == '$' && i + 1 < pattern->len) {
            argument = (pattern->data[++i] == '1') ? first : second;
            p = ngx_slprintf(p, last, "%V", argument);

        } else if (p < last) {
            *p++ = pattern->data[i];
        }
    }

    return p;
}


static u_char *
ngx_gate_html_fill_number(u_char *p, u_char *last, const ngx_str_t *pattern,
    int64_t first, int64_t second)
{
    ngx_str_t  one, two;
    u_char     text[2 * NGX_INT64_LEN];

    one.data = text;
    one.len = ngx_sprintf(text, "%L", first) - text;

    two.data = text + one.len;
    two.len = ngx_sprintf(two.data, "%L", second) - two.data;

    return ngx_gate_html_fill(p, last, pattern, &one, &two);
}


static u_char *
ngx_gate_html_escape(u_char *p, u_char *last, const ngx_str_t *text)
{
    if ((size_t) (last - p) < text->len * NGX_GATE_HTML_ESCAPED) {
        return p;
    }

    return (u_char *) ngx_escape_html(p, text->data, text->len);
}


static const ngx_str_t *
ngx_gate_html_own(ngx_str_t *own, const ngx_str_t *word)
{
    return own->len ? own : word;
}
