/* SPDX-License-Identifier: BSD-3-Clause
 * The registry of kinds: one line each.
 */
#include "cap/cap.h"

#include <assert.h>

extern const struct cap_kind cap_grant_kind, cap_manager_kind, cap_status_kind, cap_tcp_connect_kind, cap_tcp_listen_kind,
    cap_tcp_listener_kind, cap_tcp_socket_kind, cap_dns_kind, cap_ping_kind;

const struct cap_kind *const cap_kinds[] = {
    [AUTH_GRANT] = &cap_grant_kind,
    [AUTH_MANAGER] = &cap_manager_kind,
    [AUTH_STATUS] = &cap_status_kind,
    [AUTH_TCP_CONNECT] = &cap_tcp_connect_kind,
    [AUTH_TCP_LISTEN] = &cap_tcp_listen_kind,
    [AUTH_TCP_LISTENER] = &cap_tcp_listener_kind,
    [AUTH_TCP_SOCKET] = &cap_tcp_socket_kind,
    [AUTH_DNS] = &cap_dns_kind,
    [AUTH_PING] = &cap_ping_kind,
};
static_assert(ARRAY_SIZE(cap_kinds) == AUTH_KIND_COUNT, "a kind without its line");
