# SPDX-License-Identifier: BSD-3-Clause
# The schema. List each .proto here; include the result as "proto/NAME.pb-c.h". They import each other without a
# directory: import "frame.proto".
PROTO_FILES = \
	proto/capability.proto \
	proto/dns.proto \
	proto/frame.proto \
	proto/grant.proto \
	proto/manager.proto \
	proto/ping.proto \
	proto/status.proto \
	proto/tcp.proto

# Hand-written sources:
libproto_la_SOURCES += proto/codec.c proto/codec.h proto/errors.c

PROTO_C = $(PROTO_FILES:.proto=.pb-c.c)
PROTO_H = $(PROTO_FILES:.proto=.pb-c.h)
nodist_libproto_la_SOURCES += $(PROTO_C)
BUILT_SOURCES += $(PROTO_H)
CLEANFILES += $(PROTO_C) $(PROTO_H)

# protoc-c writes both files in one run. Touched, so that they are never older than the .proto.
proto/%.pb-c.c proto/%.pb-c.h: proto/%.proto
	$(AM_V_GEN)$(MKDIR_P) proto && $(PROTOC_C) --proto_path=$(top_srcdir)/proto --c_out=proto $< && \
	  touch proto/$*.pb-c.c proto/$*.pb-c.h

# BUILT_SOURCES helps only all, check and install: this makes every other target work too.
$(libproto_la_OBJECTS) $(libproto_a_OBJECTS) $(libcapnetd_a_OBJECTS): | $(PROTO_H)
