# make            build/ngx_http_init_gate_module.so
# make debug      the same without optimization, in build-debug/
# make coverage   the same for gcov, in build-coverage/
# make sanitize   an nginx with ASAN and UBSAN and the module linked in:
#                 build-sanitize/nginx/nginx
# make install    into nginx's directory of modules (DESTDIR, MODULES_PATH)
# make deb        the Debian package, in build-deb/
# make dsc        its source package, there as well
# make rpm        the RPM package, in build-rpm/
# make test       the whole suite (unit too); T=t/foo.t for one file
# make unit       the C unit tests
# make fuzz       every fuzz target for FUZZ_SECONDS
# make lint       compilers' warnings, analyzers, style
# make clean
#
# NGINX_SRC is Debian's nginx-dev, or any nginx source tree; NGINX_OPTIONS are
# the options of its configure, in place of the packaged ones.

FLAVOUR ?= release
NGINX_SRC ?= /usr/share/nginx/src
FUZZ_SECONDS ?= 20
MODULES_PATH ?= /usr/lib/nginx/modules

BUILD ?= $(if $(filter release,$(FLAVOUR)),build,build-$(FLAVOUR))

build := $(abspath $(BUILD))
name := ngx_http_init_gate_module.so
comma := ,

# these are a whole nginx, for which nginx-dev has not enough

linked := $(filter sanitize fuzz static,$(FLAVOUR))
headers_only := $(if $(wildcard $(NGINX_SRC)/src/core/nginx.c),,yes)
src := $(abspath $(if $(and $(linked),$(headers_only)),build-src,$(NGINX_SRC)))
goal := $(if $(linked),binary,modules)

hardened = $(shell dpkg-buildflags --get CFLAGS; dpkg-buildflags --get CPPFLAGS)

cc_release = -Wextra $(hardened)
ld_release = $(shell dpkg-buildflags --get LDFLAGS)
cc_static = $(cc_release)
ld_static = $(ld_release)
cc_debug = -Wextra -O0 -g3
cc_coverage = -Wextra -O0 -g --coverage -fprofile-update=atomic
ld_coverage = --coverage
cc_sanitize = -Wextra -O1 -g -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1 \
	-fsanitize=address,undefined \
	-fno-sanitize=alignment,nonnull-attribute,pointer-overflow
ld_sanitize = -fsanitize=address,undefined
cc_fuzz = -O1 -g -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1 \
	-fsanitize=fuzzer-no-link,address
ld_fuzz = -fsanitize=address

options = --with-cc-opt="$(cc_$(FLAVOUR)) -Wno-unused-parameter $(CC_OPT)" \
	--with-ld-opt="$(ld_$(FLAVOUR)) $(LD_OPT)" --builddir=$(build)/nginx

# what Debian's nginx has, as far as the tests ask for it

modules = --with-compat --with-debug --with-threads --with-http_ssl_module \
	--with-http_v2_module --with-http_auth_request_module \
	--with-http_realip_module --with-http_stub_status_module \
	--with-http_slice_module --with-http_dav_module --with-http_sub_module

package := libnginx-mod-http-init-gate
version = $(shell sed -n '1s/.*(\(.*\)-.*).*/\1/p' debian/changelog)

units = $(patsubst t/unit/%.c,$(BUILD)/unit/%.so,$(wildcard t/unit/*.c))
fuzzers = $(patsubst t/fuzz/%.c,build-fuzz/%,$(wildcard t/fuzz/*.c))


module: $(BUILD)/nginx/Makefile
	$(MAKE) -f $(build)/nginx/Makefile -C $(src) $(goal)
ifeq ($(linked),)
	@cmp -s $(BUILD)/nginx/$(name) $(BUILD)/$(name) \
	    || install -m 644 $(BUILD)/nginx/$(name) $(BUILD)/$(name)
endif

debug coverage sanitize:
	$(MAKE) FLAVOUR=$@ module


# configured again when a file comes or goes, or something else is asked for

$(BUILD)/nginx/Makefile: config config.make Makefile $(BUILD)/files | $(src)
	@echo "configuring $(BUILD) with nginx from $(src)"
	@cd $(src) && bash -c 'eval "set -- $${NGINX_OPTIONS:-$(modules)}"; \
	    if [ -z "$$NGINX_OPTIONS" ] && [ -e conf_flags ]; then \
	        . ./conf_flags; set -- "$${NGX_CONF_FLAGS[@]}"; \
	    fi; \
	    configure=./configure; \
	    [ -e $$configure ] || configure=auto/configure; \
	    $$configure "$$@" $(options) \
	        $(if $(linked),--add-module,--add-dynamic-module)=$(CURDIR)' \
	    > $(build)/configure.log 2>&1 \
	    || { tail -n 20 $(build)/configure.log >&2; exit 1; }

$(CURDIR)/build-src:
	tools/source nginx $@

$(BUILD)/files: FORCE
	@mkdir -p $(BUILD)
	@{ echo '$(INIT_GATE_POSTGRES) $(INIT_GATE_REDIS)' \
	    '$(INIT_GATE_GRPC) $(INIT_GATE_JSON)' \
	    '$(CC) $(CC_OPT) $(LD_OPT) $(src)'; \
	    printf '%s\n' "$$NGINX_OPTIONS"; \
	    find src -type f | LC_ALL=C sort; } > $@.$$$$; \
	    if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi

install: module
	install -d $(DESTDIR)$(MODULES_PATH)
	install -m 644 $(BUILD)/$(name) $(DESTDIR)$(MODULES_PATH)/


# from a copy, so that nothing is left in the checkout or beside it

deb: deb-copy
	cd build-deb/source && dpkg-buildpackage -us -uc -b

dsc: deb-copy
	cd build-deb/source && tar -c --exclude=./debian --sort=name \
	    --mtime="@$$(dpkg-parsechangelog -S Timestamp)" --owner=0 --group=0 \
	    --numeric-owner --format=gnu \
	    --transform='s,^\.,$(package)-$(version),S' . \
	    | gzip -9n > ../$(package)_$(version).orig.tar.gz
	cd build-deb/source && dpkg-buildpackage -us -uc -S -d

rpm:
	rm -rf build-rpm
	mkdir -p build-rpm/SOURCES
	tar -c --exclude-vcs --exclude='./build*' --exclude='./obj-*' \
	    --exclude=node_modules --exclude=./debian \
	    --transform='s,^\.,nginx-init-gate-$(version),S' . \
	    | gzip -9n > build-rpm/SOURCES/nginx-init-gate-$(version).tar.gz
	rpmbuild -ba --define '_topdir $(CURDIR)/build-rpm' \
	    --define 'nginx_src $(src)' $(RPMBUILD) rpm/nginx-mod-init-gate.spec
	rpmlint -r rpm/nginx-mod-init-gate.rpmlintrc rpm/*.spec \
	    build-rpm/RPMS/*/*.rpm build-rpm/SRPMS/*.rpm

deb-copy:
	rm -rf build-deb
	mkdir -p build-deb/source
	tar -c --exclude-vcs --exclude='./build*' --exclude='./obj-*' \
	    --exclude=node_modules . | tar -C build-deb/source --no-same-owner -x


# the compiler's options as nginx's own Makefile has them

$(BUILD)/flags: $(BUILD)/nginx/Makefile
	@printf 'include $<\nflags:\n\t@echo $$(CFLAGS) $$(ALL_INCS)\n' \
	    | $(MAKE) -s --no-print-directory -f - flags \
	    | sed -e 's,-I \([^/]\),-I $(src)/\1,g' -e 's/-Werror//' > $@


# A unit test is a library that nginx loads before its main() begins: all of
# nginx's functions are there, and nothing of nginx runs.

unit: units
	prove -v t/unit.t

units: $(units)

# a library's references to the module that is linked into nginx stay open

$(BUILD)/unit/%.so: t/unit/%.c $(wildcard t/unit/*.h t/lib/*.h) $(BUILD)/flags \
		$(if $(linked),,$(BUILD)/$(name))
	@mkdir -p $(BUILD)/unit
	$(CC) $$(cat $(BUILD)/flags) -I t/unit -Wall -Wextra -Werror \
	    -Wno-unused-parameter -fPIC -shared -o $@ $< $(ld_$(FLAVOUR)) \
	    $(if $(linked),,$(build)/$(name) -Wl$(comma)-rpath$(comma)$(build))

$(BUILD)/$(name): module ;


# A fuzz target is linked with all of nginx and the module.

fuzz: $(fuzzers)
	@for fuzzer in $(fuzzers); do \
	    mkdir -p $$fuzzer.corpus && $$fuzzer -max_total_time=$(FUZZ_SECONDS) \
	        -timeout=5 -rss_limit_mb=1024 -artifact_prefix=$$fuzzer. \
	        -detect_leaks=0 -print_final_stats=1 $$fuzzer.corpus \
	        $$(ls -d t/fuzz/$${fuzzer##*/}.seeds 2>/dev/null) || exit 1; \
	done

build-fuzz/nginx/nginx: FORCE
	$(MAKE) FLAVOUR=fuzz CC=clang module

build-fuzz/%: t/fuzz/%.c build-fuzz/nginx/nginx
	$(MAKE) FLAVOUR=fuzz CC=clang build-fuzz/flags
	objcopy --redefine-sym main=ngx_main build-fuzz/nginx/src/core/nginx.o \
	    build-fuzz/nginx.o
	clang $$(cat build-fuzz/flags) -fsanitize=fuzzer,address -o $@ $< \
	    build-fuzz/nginx.o $$(find build-fuzz/nginx -name '*.o' \
	    ! -path '*/src/core/nginx.o') \
	    $$(sed -n -e 's/ *\\$$//' -e 's/^\t\(.*-lcrypt.*\)/\1/p' \
	        build-fuzz/nginx/Makefile)


lint: module $(BUILD)/flags
	tools/lint $(BUILD)/flags

test: module
	tools/test $(T)

clean:
	rm -rf build build-*

FORCE:

.PHONY: module debug coverage sanitize install deb dsc deb-copy rpm unit units fuzz lint test \
	clean FORCE
