# vitrine's front door; Meson does the building. See docs/hacking.md.
BUILD ?= build
CLANG ?= clang-19
SECONDS ?= 60

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# A build directory per kind of instrumentation; its name says which one.
options-build-asan = -Db_sanitize=address,undefined -Db_lundef=false
options-build-tsan = -Db_sanitize=thread -Db_lundef=false
options-build-cov = -Db_coverage=true
options-build-fuzz = -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
build-asan/build.ninja build-tsan/build.ninja: export CFLAGS += -fno-sanitize-recover=all
build-fuzz/build.ninja: export CFLAGS += -fno-sanitize-recover=all
build-fuzz/build.ninja: export CC = $(CLANG)

build-fuzz/build.ninja: setup-words = lint

%/build.ninja:
	@tools/setup build test $(setup-words)
	@meson setup $* $(options-$*) $(MESON_OPTIONS) >$*.log 2>&1 || \
	    { cat $*.log >&2; rm -rf $*.log $*; exit 1; }
	@rm -f $*.log

.PRECIOUS: %/build.ninja

build-cov: %: %/build.ninja
	@ninja -C $* --quiet

# Of these, what their tests run.
suite-build-asan = unit
suite-build-tsan = threads
build-asan build-tsan: %: %/build.ninja
	@targets=$$(tools/suite-targets $* $(suite-$*)) && ninja -C $* --quiet $$targets

build-fuzz: build-fuzz/build.ninja
	@ninja -C build-fuzz --quiet fuzzers

# Boots a VM and shows what is inside it; ONCE=1 ends by itself.
demo: setup-demo all
	@tools/demo $(BUILD)

# vitrine's own guest draws with its own driver; ends with the screen and the commands. ARCH=riscv64
demo-gpu: setup-demo all
	@tools/demo-gpu $(BUILD) $(ARCH)

# A guest's program gets faster while it runs; the ledger says why.
demo-accel: setup-demo all
	@tools/demo-accel $(BUILD)

setup-demo:
	@tools/setup build test qemu guest

# Everything but what takes long, real QEMUs included; the last line counts.
check: setup-check all build-asan build-tsan
	@tools/run-tests $(BUILD):lint,unit build-asan:unit build-tsan:threads $(BUILD):system:2

# Only what needs no QEMU: seconds.
check-unit: all
	@tools/run-tests $(BUILD):unit

check-asan: build-asan
	@tools/run-tests build-asan:unit

check-tsan: build-tsan
	@tools/run-tests build-tsan:threads

# Minutes to hours: every kernel, soaks, and each fuzz target for SECONDS.
check-long: setup-check all fuzz-all
	@tools/run-tests $(BUILD):long:1

setup-check:
	@tools/setup build test lint qemu guest node mesa mesa-guest

lint: all
	@tools/setup lint
	@tools/lint

# Line coverage by room, and a floor for what reads a guest's bytes. SUITES=unit,system,matrix sees all
# nouns on all kernels.
SUITES ?= unit
GATES ?= src/guest/symbols=94 src/guest/paging.c=95 src/machine/qmp_line.c=95 \
    src/virtio=97 src/pixel/json_read.c=95 src/pixel/text_read.c=95 src/pixel/validate.c=95 \
    src/synth/file.c=95 src/synth/file_read.c=95 plugins/hybrid=95
coverage: build-cov
	@tools/setup lint
	@tools/coverage build-cov $(SUITES) $(GATES)

# make fuzz FUZZ=text SECONDS=600
fuzz: all build-fuzz
	@tools/fuzz build-fuzz $(SECONDS) $(FUZZ)

fuzz-all: all build-fuzz
	@tools/fuzz build-fuzz $(SECONDS)

install: all
	@meson install -C $(BUILD) --no-rebuild --quiet

clean:
	@rm -rf $(BUILD) build-asan build-tsan build-cov build-fuzz

.NOTPARALLEL:
.PHONY: all demo demo-accel demo-gpu setup-demo check check-unit check-asan check-tsan check-long setup-check lint coverage fuzz \
    fuzz-all install clean build-asan build-tsan build-cov build-fuzz
