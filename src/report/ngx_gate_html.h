
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The waiting page and the dashboard: constant parts, built from the .html
 * files in this folder, and the parts between them.
 *
 * A waiting page is doctype, html, head, title, body, main, tail.
 */


#ifndef _NGX_GATE_HTML_H_INCLUDED_
#define _NGX_GATE_HTML_H_INCLUDED_


#include <ngx_gate_report.h>


/* the words of the page in one language; see words.txt */

typedef struct {
    const char               *tags;      /* tags of the language, separated
                                            by spaces */
    ngx_str_t                 title;
    ngx_str_t                 message;
    ngx_str_t                 failed_title;
    ngx_str_t                 failed_message;
    ngx_str_t                 overdue;
    ngx_str_t                 just;
    ngx_str_t                 started;
    ngx_str_t                 soon;
    ngx_str_t                 left;
    ngx_str_t                 seconds;
    ngx_str_t                 minutes;
    ngx_str_t                 hours;
    ngx_str_t                 days;
    ngx_str_t                 steps;
    ngx_str_t                 waiting;
    ngx_str_t                 running;
    ngx_str_t                 passed;
    ngx_str_t                 error;
    ngx_str_t                 optional;
    ngx_str_t                 more;
    ngx_str_t                 progress;
    ngx_str_t                 lost;
    ngx_str_t                 stuck;
} ngx_gate_html_words_t;


/* a check in the list of the page */

typedef struct {
    ngx_gate_check_t         *check;
    ngx_gate_verdict_e        verdict;
    ngx_gate_reason_e         reason;
} ngx_gate_html_item_t;


typedef struct {

    /* texts of the operator, or empty */
    ngx_str_t                 lang;
    ngx_str_t                 title;
    ngx_str_t                 message;
    ngx_str_t                 failed_title;
    ngx_str_t                 failed_message;
    ngx_str_t                 logo;
    ngx_str_t                 color;

    /* the gates on the page, as one */
    ngx_uint_t                ngates;
    ngx_uint_t                nclosed;
    ngx_gate_state_e          state;
    ngx_gate_state_progress_t       progress;
    int64_t                   eta;          /* ms, or -1 */
    ngx_msec_t                elapsed;      /* since they closed */

    ngx_gate_html_item_t     *items;        /* NULL: no list */
    ngx_uint_t                nitems;
} ngx_gate_html_page_t;


/* the rendered parts of a page */

typedef struct {
    ngx_str_t                 html;
    ngx_str_t                 title;
    ngx_str_t                 main;
} ngx_gate_html_parts_t;


extern ngx_str_t  ngx_gate_html_page_doctype;
extern ngx_str_t  ngx_gate_html_page_head;
extern ngx_str_t  ngx_gate_html_page_body;
extern ngx_str_t  ngx_gate_html_page_tail;

/* the version is between these two */

extern ngx_str_t  ngx_gate_html_dashboard;
extern ngx_str_t  ngx_gate_html_dashboard_tail;


/* adds a gate that is closed, or that has opened since the others closed */

void ngx_gate_html_page_add(ngx_gate_html_page_t *page,
    ngx_gate_record_t *record, ngx_uint_t open, ngx_msec_t now);

size_t ngx_gate_html_page_size(ngx_gate_html_page_t *page);
void ngx_gate_html_page(ngx_gate_html_page_t *page,
    ngx_gate_html_parts_t *parts, u_char *p, u_char *last);

/* the words of this language, or the English ones */

const ngx_gate_html_words_t *ngx_gate_html_words(ngx_str_t *lang);
ngx_uint_t ngx_gate_html_is_rtl(ngx_str_t *lang);

/* "de-AT" of "de-AT,de;q=0.9", or empty */

ngx_str_t ngx_gate_html_lang(ngx_str_t *value);


#endif /* _NGX_GATE_HTML_H_INCLUDED_ */
