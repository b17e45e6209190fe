
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of numbers in text of other programs.
 */


#ifndef _NGX_GATE_NUMBER_H_INCLUDED_
#define _NGX_GATE_NUMBER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The integer part of a decimal number, with or without an exponent.  Blanks
 * around it, such as a newline from a shell, are removed from "text".  A
 * negative number counts as zero, one that is too large as the largest.
 * NGX_ERROR: it is not a number.
 */

ngx_int_t ngx_gate_number_parse(ngx_str_t *text, int64_t *number);


#endif /* _NGX_GATE_NUMBER_H_INCLUDED_ */
