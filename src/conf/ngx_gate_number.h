
/*
 * A number in text that another program wrote.
 */


#ifndef _NGX_GATE_NUMBER_H_INCLUDED_
#define _NGX_GATE_NUMBER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Blanks around the number, as a newline of a shell, are cut off from "text";
 * a sign and a fraction are allowed; a number below zero counts as zero, one
 * that is too large as the largest.  NGX_ERROR: it is not a number.
 */

ngx_int_t ngx_gate_number_parse(ngx_str_t *text, int64_t *number);


#endif /* _NGX_GATE_NUMBER_H_INCLUDED_ */
