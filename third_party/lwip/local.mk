# SPDX-License-Identifier: BSD-3-Clause
# lwIP: tools/setup fetches the tarball, make unpacks it into third_party/lwip/src of the build directory and applies
# patches/ in the order of patches/series. Compiled with our own options in daemon/stack/lwip-port.
LWIP_DIR = third_party/lwip
LWIP_STAMP = $(LWIP_DIR)/unpacked.stamp
LWIP_CPPFLAGS = -I$(top_srcdir)/daemon/stack/lwip-port -I$(top_builddir)/$(LWIP_DIR)/src/include

include third_party/lwip/lwip.mk

noinst_LIBRARIES += liblwip.a
libcapnetd_a_LIBADD += $(liblwip_a_OBJECTS)
EXTRA_libcapnetd_a_DEPENDENCIES = $(liblwip_a_OBJECTS)
nodist_liblwip_a_SOURCES = $(LWIP_SOURCES)
liblwip_a_CPPFLAGS = $(LWIP_CPPFLAGS) $(AM_CPPFLAGS)
# What our options leave unused, or always false, in somebody else's code.
liblwip_a_CFLAGS = $(AM_CFLAGS) -Wno-unused-parameter -Wno-unused-variable -Wno-unused-but-set-variable \
	-Wno-tautological-constant-out-of-range-compare
AM_CPPFLAGS += $(LWIP_CPPFLAGS)
BUILT_SOURCES += $(LWIP_STAMP)
$(liblwip_a_OBJECTS) $(libcapnetd_a_OBJECTS): | $(LWIP_STAMP)

# Nothing is removed from src: automake keeps its dependency files there. tar -m: a new tarball or patch is newer than
# the objects made from the old one.
$(LWIP_STAMP): $(LWIP_DIR)/SHA256SUMS $(LWIP_DIR)/patches/series $(LWIP_PATCHES)
	@test -f "$(LWIP_TARBALL)" || { echo "lwIP's tarball is missing: $(LWIP_TARBALL) (tools/setup fetches it)" >&2; exit 1; }
	@want=$$($(SED) -n 's/ .*//p' $(srcdir)/$(LWIP_DIR)/SHA256SUMS); got=$$(sha256sum "$(LWIP_TARBALL)" | $(SED) 's/^\\*\([0-9a-f]*\).*/\1/'); \
	  test "$$want" = "$$got" || { echo "$(LWIP_TARBALL): SHA-256 is $$got, must be $$want" >&2; exit 1; }
	$(AM_V_GEN)rm -rf $(LWIP_DIR)/tmp && $(MKDIR_P) $(LWIP_DIR)/tmp $(LWIP_DIR)/src && \
	  $(XZ) -dc "$(LWIP_TARBALL)" | (cd $(LWIP_DIR)/tmp && tar -xmf - --strip-components=1) && \
	  patches=$$(cd $(srcdir)/$(LWIP_DIR)/patches && pwd) && \
	  $(SED) '/^#/d;/^$$/d' $$patches/series | while read -r p; do \
	    $(PATCH) -s -f -p1 -d $(LWIP_DIR)/tmp <"$$patches/$$p" || { echo "lwIP: $$p does not apply" >&2; exit 1; }; \
	  done && \
	  cp -R $(LWIP_DIR)/tmp/src/. $(LWIP_DIR)/src/ && rm -rf $(LWIP_DIR)/tmp && touch $@

clean-local: clean-lwip
clean-lwip:
	rm -rf $(LWIP_DIR)/tmp $(LWIP_STAMP)
distclean-local:
	rm -rf $(LWIP_DIR)/src
.PHONY: clean-lwip
