# make            build/ngx_http_init_gate_module.so against Debian's nginx-dev

BUILD ?= build
NGINX_SRC ?= /usr/share/nginx/src

module: $(BUILD)/nginx/Makefile
	$(MAKE) -f $(abspath $(BUILD))/nginx/Makefile -C $(NGINX_SRC) modules
	cp $(BUILD)/nginx/ngx_http_init_gate_module.so $(BUILD)/

$(BUILD)/nginx/Makefile: config config.make
	mkdir -p $(BUILD)
	cd $(NGINX_SRC) && bash -c '. ./conf_flags && ./configure \
	    "$${NGX_CONF_FLAGS[@]}" --with-cc-opt="-Wextra $$(dpkg-buildflags --get CFLAGS) -Wno-unused-parameter" \
	    --with-ld-opt="$$(dpkg-buildflags --get LDFLAGS)" \
	    --add-dynamic-module=$(abspath .) \
	    --builddir=$(abspath $(BUILD))/nginx'

.PHONY: module
