
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Regular expressions over untrusted text: a file, a reply, a page.  Matching
 * must not block the event loop, whatever the text.
 */


#ifndef _NGX_GATE_MATCH_H_INCLUDED_
#define _NGX_GATE_MATCH_H_INCLUDED_


#include <ngx_gate.h>


#if (NGX_PCRE)

/* at configuration; sets rc->regex, or rc->err as ngx_regex_compile() does */

ngx_int_t ngx_gate_match_compile(ngx_conf_t *cf, ngx_regex_compile_t *rc);

/*
 * NGX_OK: matches.  NGX_DECLINED: does not match.  NGX_ERROR: unknown, the
 * expression took too many steps on this text.
 */

ngx_int_t ngx_gate_match_exec(ngx_regex_t *regex, ngx_str_t *text);

#endif


#endif /* _NGX_GATE_MATCH_H_INCLUDED_ */
