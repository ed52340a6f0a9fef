# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile. A folder is a program or a layer, so sources are
# found by folder; what a program may link is said here, and tests/lint/links.sh
# holds the binaries against it.

PREFIX     ?= /usr
DESTDIR    ?=
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/runbookd
BINDIR      = $(PREFIX)/bin
SBINDIR     = $(PREFIX)/sbin
MANDIR      = $(PREFIX)/share/man
UNITDIR     = $(PREFIX)/lib/systemd/system

CC       ?= gcc
# BUILD=asan makes a second tree beside the first: build/asan.
BUILD    ?= release
VERSION  := 0.1.0
ifeq ($(BUILD),release)
OUT := build
else
OUT := build/$(BUILD)
endif
BIN := $(OUT)/bin
OBJ := $(OUT)/obj
V   ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-6s %s\n' $(1) $(2)
endif

BASE_CPPFLAGS = -I. -I$(OUT) -D_GNU_SOURCE -DRUNBOOK_VERSION='"$(VERSION)"' \
	-DRUNBOOK_LIBEXECDIR='"$(LIBEXECDIR)"' -DRUNBOOK_SYSCONFDIR='"$(SYSCONFDIR)"'
# -Wformat-truncation: texts for people are cut on purpose; gcc's verdict also
# changes with the optimisation level. clang does not know the option.
ifneq ($(shell $(CC) --version 2>/dev/null | grep -c clang),0)
CUT_TEXTS =
else
CUT_TEXTS = -Wno-format-truncation
endif
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wformat=2 -Wundef -Wvla -Wwrite-strings \
	-Wno-unused-parameter -Wno-missing-field-initializers $(CUT_TEXTS)
BASE_CFLAGS = -std=gnu17 $(WARNINGS) -fno-strict-aliasing -fno-common -pthread
HARDEN_CFLAGS = -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
HARDEN_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifeq ($(BUILD),asan)
CFLAGS   ?= -O1 -g
MODE_CFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_LDFLAGS = -fsanitize=address,undefined
else
CFLAGS   ?= -O2 -g
MODE_CFLAGS = -D_FORTIFY_SOURCE=3
MODE_LDFLAGS =
endif
ALL_CFLAGS = $(BASE_CPPFLAGS) $(CPPFLAGS) $(BASE_CFLAGS) $(HARDEN_CFLAGS) $(MODE_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LDFLAGS) $(MODE_LDFLAGS) $(LDFLAGS)

# ---- programs: folder(s) of sources and libraries -------------------------
# Libraries are a statement about privilege: root's programs (runbookd,
# runbook-sandbox) link nothing that parses what others wrote.
PROGRAMS = runbookd runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher \
	runbook-api runbook-image runbook-unpack runbookctl runbook-sandbox
STATIC_PROGRAMS = runbook-init cacher

lib = $(sort $(wildcard $(1)/*.c))
COMMON  := $(call lib,common)
RUNBOOK := $(call lib,runbook)
# sandbox/ holds a library and two programs: sandbox_*.c and init_*.c are the programs
SANDBOX := $(filter-out sandbox/sandbox_%.c sandbox/init_%.c,$(call lib,sandbox))

SRCS_runbookd          := $(call lib,daemon) $(SANDBOX) $(COMMON)
LIBS_runbookd          := -linih -lnl-3 -luring -lseccomp
SRCS_runbook-webhook   := $(call lib,webhook) $(COMMON)
LIBS_runbook-webhook   := -lmicrohttpd -ljansson -lsodium -lseccomp
SRCS_runbook-scheduler := $(call lib,scheduler) $(RUNBOOK) $(COMMON)
LIBS_runbook-scheduler := -lsqlite3 -lyaml -lsodium -lseccomp
SRCS_runbook-fetcher   := $(call lib,fetcher) $(COMMON)
LIBS_runbook-fetcher   := -lgit2 -larchive -lseccomp
SRCS_runbook-cacher    := $(filter-out cacher/client_%.c,$(call lib,cacher)) $(COMMON)
LIBS_runbook-cacher    := -lsodium -lzstd -lseccomp
SRCS_runbook-api       := $(call lib,api) $(COMMON)
LIBS_runbook-api       := -lmicrohttpd -ljansson -lsodium -lseccomp
# images/ holds two programs: what unpacks layers shares nothing with what knows of images
SRCS_runbook-image     := $(filter-out images/unpack%.c,$(call lib,images)) $(COMMON)
LIBS_runbook-image     := -ljansson -lsodium -lseccomp
SRCS_runbook-unpack    := $(wildcard images/unpack*.c) $(addprefix common/,beneath.c error.c fdio.c names.c remove_tree.c)
LIBS_runbook-unpack    := -larchive -lsodium
SRCS_runbookctl        := $(call lib,cli) $(RUNBOOK) $(COMMON)
LIBS_runbookctl        := -lcurl -ljansson -lyaml -larchive -linih -lsodium -lseccomp
SRCS_runbook-sandbox   := $(wildcard sandbox/sandbox_*.c) $(SANDBOX) \
	$(addprefix common/,beneath.c error.c fdio.c fields.c fields_pack.c image.c json_writer.c names.c network_rule.c paths.c process_spawn.c remove_tree.c step_payload.c step_user.c)
LIBS_runbook-sandbox   := -lnl-3

# static programs are linked without common/ objects that need libraries
SRCS_runbook-init      := $(sort $(wildcard sandbox/init_*.c)) sandbox/status_fields.c \
	common/fields_pack.c common/step_payload_parse.c common/account_home.c
SRCS_cacher            := $(sort $(wildcard cacher/client_*.c)) \
	$(addprefix common/,beneath.c error.c fdio.c remove_tree.c)

PKG_CFLAGS := $(shell pkg-config --cflags libnl-3.0 2>/dev/null)
BASE_CPPFLAGS += $(PKG_CFLAGS)

.DEFAULT_GOAL := all
all: $(addprefix $(BIN)/,$(PROGRAMS) $(STATIC_PROGRAMS)) man ## build every program into build/bin (default)
programs: $(addprefix $(BIN)/,$(PROGRAMS) $(STATIC_PROGRAMS))

objs = $(patsubst %.c,$(OBJ)/%.o,$(1))
define program_rule
$(BIN)/$(1): $$(call objs,$$(SRCS_$(1)))
endef
$(foreach p,$(PROGRAMS) $(STATIC_PROGRAMS),$(eval $(call program_rule,$(p))))

$(addprefix $(BIN)/,$(PROGRAMS)):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(ALL_LDFLAGS) $(LIBS_$(@F)) $(LINK_SAID)

# It is started for every sandbox, and finding and relocating four libraries
# takes as long as half of the sandbox. What libnl could resolve by name, which
# the linker warns of, is not asked of it. (Its --no-warnings would hide errors, too.)
ifeq ($(BUILD),release)
$(BIN)/runbook-sandbox: HARDEN_LDFLAGS = -static-pie -Wl,-z,defs,-z,relro,-z,now,-z,noexecstack
$(BIN)/runbook-sandbox: LINK_SAID = 2>&1 | \
	sed -E '/statically linked applications requires at runtime|: in function /Id' >&2; test -x $@
endif

# The init and the client run inside foreign root file systems: no library there
# can be counted on. The sanitizers cannot link statically, so these two are
# always plain.
STATIC_OBJ := build/obj-static
static_objs = $(patsubst %.c,$(STATIC_OBJ)/%.o,$(1))
$(addprefix build/bin/,$(STATIC_PROGRAMS)): build/bin/%:
	$(call say,STATIC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $(filter $(STATIC_OBJ)/%,$^) -Wl,-z,relro,-z,now,-z,noexecstack $(STATIC_LDFLAGS) $(LDFLAGS) $(LIBS_$*)
build/bin/runbook-init: $(call static_objs,$(SRCS_runbook-init))
# not even a C library (sandbox/init_sys.h says why): nothing there to keep a stack canary
$(call static_objs,$(SRCS_runbook-init)): STATIC_CFLAGS = -ffreestanding -fno-stack-protector
build/bin/runbook-init: STATIC_LDFLAGS = -nostdlib -s -Wl,--build-id=none
build/bin/cacher: $(call static_objs,$(SRCS_cacher))
ifneq ($(BUILD),release)
$(addprefix $(BIN)/,$(STATIC_PROGRAMS)): $(BIN)/%: build/bin/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
endif
$(STATIC_OBJ)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CPPFLAGS) $(CPPFLAGS) $(BASE_CFLAGS) -fstack-protector-strong -fcf-protection=full $(STATIC_CFLAGS) -O2 -g -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# the page is embedded by the assembler, which writes no dependencies
$(OBJ)/api/page.o: $(wildcard ui/*)

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- unit tests: tests/unit/test_<folder>_<what>.c -------------------------
# A unit test links the libraries below: all of common/, runbook/ and sandbox/,
# and of the programs' folders everything but main.c.
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(UNIT_SRCS))
UNIT_LIBS  = -lcmocka
unit_folder = $(word 2,$(subst _, ,$(notdir $(1))))
unit_dep_common    := $(COMMON)
unit_dep_runbook   := $(RUNBOOK) $(COMMON)
unit_dep_sandbox   := $(SANDBOX) $(COMMON)
unit_dep_daemon    := $(filter-out %/main.c,$(SRCS_runbookd))
unit_dep_webhook   := $(filter-out %/main.c,$(SRCS_runbook-webhook))
unit_dep_scheduler := $(filter-out %/main.c,$(SRCS_runbook-scheduler))
unit_dep_fetcher   := $(filter-out %/main.c,$(SRCS_runbook-fetcher))
unit_dep_cacher    := $(filter-out %/main.c,$(SRCS_runbook-cacher))
unit_dep_api       := $(filter-out %/main.c,$(SRCS_runbook-api))
unit_dep_images    := $(filter-out images/main.c images/unpack_main.c,$(call lib,images)) $(COMMON)
unit_dep_cli       := $(filter-out %/main.c,$(SRCS_runbookctl))
unit_libs_common    := -lseccomp -ljansson
unit_libs_runbook   := -lyaml -lseccomp
unit_libs_sandbox   := $(LIBS_runbook-sandbox) -lseccomp
unit_libs_daemon    := $(LIBS_runbookd)
unit_libs_webhook   := $(LIBS_runbook-webhook)
unit_libs_scheduler := $(LIBS_runbook-scheduler) -ljansson
unit_libs_fetcher   := $(LIBS_runbook-fetcher)
unit_libs_cacher    := $(LIBS_runbook-cacher)
unit_libs_api       := $(LIBS_runbook-api)
unit_libs_images    := $(LIBS_runbook-image) -larchive
unit_libs_cli       := $(LIBS_runbookctl)
define unit_rule
$(OUT)/tests/$(1): $(OBJ)/tests/unit/$(1).o $$(call objs,$$(unit_dep_$(call unit_folder,$(1))))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -o $$@ $$(filter %.o,$$^) $$(ALL_LDFLAGS) $$(unit_libs_$(call unit_folder,$(1))) $$(UNIT_LIBS)
endef
$(foreach t,$(basename $(notdir $(UNIT_SRCS))),$(eval $(call unit_rule,$(t))))
units: $(UNIT_BINS) ## build the unit tests

# ---- what starts sandboxes by the thousand ----------------------------------
$(OUT)/tests/hammer: $(call objs,tests/leaks/hammer.c $(SANDBOX) $(COMMON))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(ALL_LDFLAGS) $(LIBS_runbookd)
units: $(OUT)/tests/hammer

# ---- a disk that takes its time, for tests/chaos ------------------------------
$(OUT)/tests/slow.so: tests/chaos/slow.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -DSLOW_FILE='"/etc/rbt-slow"' -fPIC -shared -o $@ $<
units: $(OUT)/tests/slow.so

# ---- fuzz targets: tests/fuzz/fuzz_<folder>_<what>.c ------------------------
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRCS))
FUZZ_SECONDS ?= 10
FUZZ_OBJ := build/fuzz/obj
fuzz_objs = $(patsubst %.c,$(FUZZ_OBJ)/%.o,$(1))
FUZZ_CFLAGS = -std=gnu17 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
define fuzz_rule
build/fuzz/$(1): $$(call fuzz_objs,tests/fuzz/$(1).c $$(unit_dep_$(call unit_folder,$(1))))
	$$(call say,FUZZ,$$@)
	$$(Q)clang -fsanitize=fuzzer,address,undefined -o $$@ $$(filter %.o,$$^) $$(unit_libs_$(call unit_folder,$(1)))
endef
$(FUZZ_OBJ)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)clang $(BASE_CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(foreach t,$(basename $(notdir $(FUZZ_SRCS))),$(eval $(call fuzz_rule,$(t))))
fuzz-build: $(FUZZ_BINS)
fuzz: fuzz-build ## run every fuzz target for FUZZ_SECONDS each (default 10)
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_BINS)

# ---- measurements: bench/*.c, each a program in build/bench ------------------
# What is sandboxed by all contestants (probe) and the floor's init need no C library.
BENCH_BARE := probe floor_init
BENCH_BINS := $(addprefix build/bench/,start order filter warm floor mask produce parse queue $(BENCH_BARE))
build/bench/start: $(call objs,bench/start.c bench/loop.c)
build/bench/order: $(call objs,bench/order.c bench/loop.c $(COMMON))
build/bench/filter: $(call objs,bench/filter.c $(SANDBOX) $(COMMON))
build/bench/warm: $(call objs,bench/warm.c bench/loop.c $(SANDBOX) $(COMMON))
build/bench/floor: $(call objs,bench/floor.c bench/floor_step.c bench/loop.c $(SANDBOX) $(COMMON))
build/bench/produce: $(call objs,bench/produce.c)
build/bench/parse: $(call objs,bench/parse.c $(RUNBOOK) $(COMMON))
build/bench/queue: $(call objs,bench/queue.c scheduler/need_tree.c scheduler/queue.c scheduler/queue_host.c \
	scheduler/queue_show.c)
build/bench/mask: $(call objs,bench/mask.c $(filter-out daemon/main.c,$(SRCS_runbookd)))
$(filter-out $(addprefix build/bench/,$(BENCH_BARE)),$(BENCH_BINS)):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(ALL_LDFLAGS) $(LIBS_runbookd) $(BENCH_LIBS)
build/bench/parse: BENCH_LIBS = -lyaml
$(addprefix build/bench/,$(BENCH_BARE)): build/bench/%: bench/%.c bench/bare.h
	$(call say,STATIC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=gnu17 $(WARNINGS) -O2 -static -nostdlib -fno-stack-protector -o $@ $<
bench-build: programs $(BENCH_BINS) ## build what make bench runs

# ---- manual pages -----------------------------------------------------------
MAN_SRCS := $(sort $(wildcard man/*.scd))
MAN_PAGES := $(patsubst man/%.scd,build/man/%,$(MAN_SRCS))
man: $(MAN_PAGES)
build/man/%: man/%.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@.tmp && mv $@.tmp $@

# ---- targets for people -----------------------------------------------------
deps: ## install what is needed to build and run (Debian, Ubuntu)
	packaging/deps.sh build
deps-check: ## install what the tests and linters need as well
	packaging/deps.sh check
demo: ## push a commit to a local repository and watch its run (as root)
	packaging/deps.sh demo
	$(MAKE) --no-print-directory programs
	tests/demo/demo.sh
check: ## install test dependencies, build, run every test suite (as root)
	packaging/deps.sh check
	tests/check.sh
asan: ## build everything and the unit tests with ASan and UBSan into build/asan
	$(MAKE) --no-print-directory BUILD=asan programs units
mutate: ## take defences out of a copy of the code: do the checks notice? (as root, minutes)
	$(MAKE) --no-print-directory programs
	tests/breakout/mutate.py
lint: ## formatting, static analysis, shell scripts, layer rule, link rule
	tests/lint/lint.sh
bench: ## side-by-side measurements, printed as tables (as root)
	packaging/deps.sh bench
	$(MAKE) --no-print-directory bench-build
	bench/run.sh
install: all ## install into DESTDIR (default /) under PREFIX (default /usr)
	packaging/install.sh "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(LIBEXECDIR)"
clean: ## remove build/
	rm -rf build
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'
.PHONY: all programs bench-build units fuzz fuzz-build man deps deps-check demo check asan mutate lint bench install clean help
.DELETE_ON_ERROR:
