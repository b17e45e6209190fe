
/*
 * Regular expressions over what a stranger wrote: a file, a reply, a page.
 * Matching must not hold up the event loop, whatever the text looks like.
 */


#ifndef _NGX_GATE_MATCH_H_INCLUDED_
#define _NGX_GATE_MATCH_H_INCLUDED_


#include <ngx_gate.h>


#if (NGX_PCRE)

/* at configuration; fills rc->regex, or rc->err as ngx_regex_compile() does */

ngx_int_t ngx_gate_match_compile(ngx_conf_t *cf, ngx_regex_compile_t *rc);

/*
 * NGX_OK: it matches.  NGX_DECLINED: it does not.  NGX_ERROR: there is no
 * telling, the expression took too many steps on this text.
 */

ngx_int_t ngx_gate_match_exec(ngx_regex_t *regex, ngx_str_t *text);

#endif


#endif /* _NGX_GATE_MATCH_H_INCLUDED_ */
