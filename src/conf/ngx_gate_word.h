
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Suggestion for an unknown word: the nearest known one.
 */


#ifndef _NGX_GATE_WORD_H_INCLUDED_
#define _NGX_GATE_WORD_H_INCLUDED_


#include <ngx_gate.h>


typedef struct {
    ngx_str_t                *word;
    ngx_str_t                *nearest;      /* NULL: no word is near */
    ngx_uint_t                distance;
} ngx_gate_word_t;


void ngx_gate_word_init(ngx_gate_word_t *w, ngx_str_t *word);
void ngx_gate_word_try(ngx_gate_word_t *w, ngx_str_t *known);


#endif /* _NGX_GATE_WORD_H_INCLUDED_ */
