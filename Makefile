# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile. A folder is a program or a layer, so sources are
# found by folder; tests/lint/links.sh says what a program may link, and holds the
# binaries against it.

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

# ---- folders, and programs made of them ------------------------------------
# What a folder may use (tests/lint/layers.sh holds includes against this), and the
# libraries that its own code calls. Each folder is an archive: of what it uses, a program
# gets the objects that it needs, and with them the libraries that those call. Libraries are
# a statement about privilege: tests/lint/links.sh says what each program may link.
USES_sandbox   := common
USES_runbook   := common
USES_daemon    := sandbox common
USES_webhook   := common
USES_scheduler := runbook common
USES_fetcher   := common
USES_cacher    := common
USES_images    := common
USES_api       := common
USES_cli       := runbook common
USES_bench     := scheduler daemon sandbox runbook common
# The floors of a folder, from the lowest up: each may use itself and those below it.
FLOORS_scheduler := store queue model engine answers peers
FOLDERS := common sandbox runbook daemon webhook scheduler fetcher cacher images api cli bench

LIBS_common    := -lseccomp -lnettle
LIBS_sandbox   := -lnl-3
LIBS_runbook   := -lyaml
LIBS_daemon    := -linih -luring
LIBS_webhook   := -lmicrohttpd -ljansson -lsodium
LIBS_scheduler := -lsqlite3 -lsodium
LIBS_fetcher   := -lgit2 -larchive
LIBS_cacher    := -lzstd
LIBS_images    := -ljansson -larchive
LIBS_api       := -lmicrohttpd -ljansson -lsodium
LIBS_cli       := -lcurl -ljansson -larchive -linih -lsodium

# a program is the file with its main(), and what that calls
MAIN_runbookd          := daemon/main.c
MAIN_runbook-webhook   := webhook/main.c
MAIN_runbook-scheduler := scheduler/main.c
MAIN_runbook-fetcher   := fetcher/main.c
MAIN_runbook-cacher    := cacher/main.c
MAIN_runbook-api       := api/main.c
MAIN_runbook-image     := images/main.c
MAIN_runbook-unpack    := images/unpack_main.c
MAIN_runbookctl        := cli/main.c
MAIN_runbook-sandbox   := sandbox/sandbox_main.c
PROGRAMS := runbookd runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher \
	runbook-api runbook-image runbook-unpack runbookctl runbook-sandbox
STATIC_PROGRAMS := runbook-init cacher
BENCH_PROGRAMS := start order filter warm floor mask produce parse queue network
BENCH_BARE := probe floor_init # they need no C library

# static programs: all that is in them is listed, because no library is
SRCS_runbook-init := $(sort $(wildcard sandbox/init_*.c)) sandbox/status_fields.c \
	common/fields_pack.c common/step_payload_parse.c common/account_home.c
SRCS_cacher       := $(sort $(wildcard cacher/client_*.c)) \
	$(addprefix common/,beneath.c error.c fdio.c remove_tree.c)

# of a folder: its own sources without a main(), itself with all that it uses, all libraries
srcs = $(filter-out %/main.c %_main.c $(BENCH_PROGRAMS:%=bench/%.c) $(BENCH_BARE:%=bench/%.c) cacher/client_% sandbox/init_%,$(sort $(wildcard $(1)/*.c $(1)/*/*.c)))
whole = $(1) $(USES_$(1))
libs = $(foreach f,$(call whole,$(1)),$(LIBS_$(f)))

PKG_CFLAGS := $(shell pkg-config --cflags libnl-3.0 2>/dev/null)
BASE_CPPFLAGS += $(PKG_CFLAGS)

.DEFAULT_GOAL := all
all: $(addprefix $(BIN)/,$(PROGRAMS) $(STATIC_PROGRAMS)) man ## build every program into build/bin (default)
programs: $(addprefix $(BIN)/,$(PROGRAMS) $(STATIC_PROGRAMS))

objs = $(patsubst %.c,$(OBJ)/%.o,$(1))
archives = $(foreach f,$(call whole,$(1)),$(OBJ)/lib$(f).a)

# An archive is made anew when a source was added or is gone, too: its list of them is newer then.
$(shell mkdir -p $(OBJ))
define archive_rule
ifneq ($$(strip $$(file <$(OBJ)/lib$(1).list)),$$(strip $$(call srcs,$(1))))
$$(file >$(OBJ)/lib$(1).list,$$(call srcs,$(1)))
endif
$(OBJ)/lib$(1).a: $(OBJ)/lib$(1).list $$(call objs,$$(call srcs,$(1)))
	@rm -f $$@
	$$(Q)$$(AR) rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

folder_of = $(firstword $(subst /, ,$(MAIN_$(1))))
define program_rule
$(BIN)/$(1): $$(call objs,$$(MAIN_$(1))) $$(call archives,$$(call folder_of,$(1)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(addprefix $(BIN)/,$(PROGRAMS)):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) $(call libs,$(call folder_of,$(@F))) $(LINK_SAID)

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
	$(Q)$(CC) -static -o $@ $(filter $(STATIC_OBJ)/%,$^) -Wl,-z,relro,-z,now,-z,noexecstack $(STATIC_LDFLAGS) $(LDFLAGS)
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

# build/versions has trees of other versions, for tests of upgrades
-include $(shell find build -path build/versions -prune -o -type f -name '*.d' -print 2>/dev/null)

# ---- unit tests: tests/unit/test_<folder>_<what>.c -------------------------
# A unit test gets its folder without its main(), and what that uses; and, for all tests of a
# folder, tests/unit/<folder>_*.c.
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(UNIT_SRCS))
JUDGE_LIBS := -ljansson # what a test compares with its own reading
UNIT_LIBS := -lcmocka $(JUDGE_LIBS)
unit_folder = $(word 2,$(subst _, ,$(notdir $(1))))
define unit_rule
$(OUT)/tests/$(1): $$(call objs,tests/unit/$(1).c $(wildcard tests/unit/$(call unit_folder,$(1))_*.c)) $$(call archives,$(call unit_folder,$(1)))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -o $$@ $$^ $$(ALL_LDFLAGS) $$(call libs,$(call unit_folder,$(1))) $$(UNIT_LIBS)
endef
$(foreach t,$(basename $(notdir $(UNIT_SRCS))),$(eval $(call unit_rule,$(t))))
units: $(UNIT_BINS) ## build the unit tests

# ---- what starts sandboxes by the thousand ----------------------------------
$(OUT)/tests/hammer: $(call objs,tests/leaks/hammer.c) $(call archives,sandbox)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) $(call libs,sandbox)
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
build/fuzz/$(1): $$(call fuzz_objs,tests/fuzz/$(1).c $$(foreach f,$$(call whole,$(call unit_folder,$(1))),$$(call srcs,$$(f))))
	$$(call say,FUZZ,$$@)
	$$(Q)clang -fsanitize=fuzzer,address,undefined -o $$@ $$(filter %.o,$$^) $$(call libs,$(call unit_folder,$(1))) $$(JUDGE_LIBS)
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
# The bare ones are what all contestants sandbox (probe) and the floor's init.
BENCH_BINS := $(addprefix build/bench/,$(BENCH_PROGRAMS) $(BENCH_BARE))
$(addprefix build/bench/,$(BENCH_PROGRAMS)): build/bench/%: $(OBJ)/bench/%.o $(call archives,bench)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) $(call libs,bench)
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
