libcapnetd_a_SOURCES += \
  daemon/nic/nic.h \
  daemon/nic/nic.c \
  daemon/nic/nic_memory.c
