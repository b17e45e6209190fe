# Sourced by nginx's ./configure when it writes its Makefile: the pages are
# built into ngx_gate_html*.c, and again when one of them changes.

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/addon/report/ngx_gate_html.o \\
$NGX_OBJS/addon/report/ngx_gate_html_words.o:	$NGX_OBJS/ngx_gate_pages.h

$NGX_OBJS/ngx_gate_pages.h:	$ngx_addon_dir/src/report/embed.sh \\
	$ngx_addon_dir/src/report/waiting.html \\
	$ngx_addon_dir/src/report/dashboard.html \\
	$ngx_addon_dir/src/report/words.txt
	sh $ngx_addon_dir/src/report/embed.sh \\
		$ngx_addon_dir/src/report/waiting.html \\
		$ngx_addon_dir/src/report/dashboard.html \\
		$ngx_addon_dir/src/report/words.txt > \$@.new
	mv \$@.new \$@

END
