# SPDX-License-Identifier: BSD-3-Clause
libcapnetd_a_SOURCES += \
  daemon/names/names.h \
  daemon/names/names_impl.h \
  daemon/names/names.c \
  daemon/names/names_attempt.c \
  daemon/names/names_parse.c
