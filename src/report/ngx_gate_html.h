
/*
 * The waiting page and the dashboard: constant parts, built from the .html
 * files beside this one, and the fragment that tells how a gate stands.
 *
 * A waiting page is head, title, heading, title, message, the message text,
 * fragment, the rendered fragment, tail.  Title and text are HTML.
 */


#ifndef _NGX_GATE_HTML_H_INCLUDED_
#define _NGX_GATE_HTML_H_INCLUDED_


#include <ngx_gate_report.h>


extern ngx_str_t  ngx_gate_html_page_head;
extern ngx_str_t  ngx_gate_html_page_heading;
extern ngx_str_t  ngx_gate_html_page_message;
extern ngx_str_t  ngx_gate_html_page_fragment;
extern ngx_str_t  ngx_gate_html_page_tail;

/* what stands there unless the operator says otherwise */

extern ngx_str_t  ngx_gate_html_page_title;
extern ngx_str_t  ngx_gate_html_page_text;

extern ngx_str_t  ngx_gate_html_dashboard;


size_t ngx_gate_html_fragment_size(ngx_gate_t *gate);
u_char *ngx_gate_html_fragment(u_char *p, u_char *last,
    const ngx_gate_report_t *report);


#endif /* _NGX_GATE_HTML_H_INCLUDED_ */
