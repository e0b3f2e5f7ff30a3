# vitrine's front door; Meson does the building. See docs/hacking.md.
BUILD ?= build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# Also made anew when a room's list of files changed under a build that never was configured.
$(BUILD)/build.ninja:
	@tools/setup build test
	@meson setup $(BUILD) $(MESON_OPTIONS) >$(BUILD).log 2>&1 || { cat $(BUILD).log >&2; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

# Everything, real QEMU included; the last line counts.
check: all
	@tools/setup test lint qemu guest
	@tools/run-tests $(BUILD)

# Only what needs no QEMU: seconds.
check-unit: all
	@tools/run-tests $(BUILD) --suite unit

.PHONY: all check check-unit
