/* SPDX-License-Identifier: BSD-3-Clause
 * The codes of the wire, the errno each becomes, and the errnos of the rooms that become a code. The two switches are
 * exhaustive, so a code appended to frame.proto does not compile without its errno, name and sentence.
 *
 *   code                    errno            which of the daemon's errnos become it as well
 *   MALFORMED               EINVAL           EPROTO
 *   UNKNOWN_METHOD          ENOSYS
 *   DENIED                  EACCES           ERANGE (a bound of one request)
 *   REVOKED                 EKEYREVOKED
 *   EXPIRED                 EKEYEXPIRED
 *   OVER_BUDGET             EDQUOT
 *   CANCELLED               ECANCELED
 *   DEADLINE                ETIME
 *   NO_CONFIGURATION        ENONET           ENETDOWN
 *   REFUSED                 ECONNREFUSED
 *   TIMED_OUT               ETIMEDOUT
 *   UNREACHABLE             EHOSTUNREACH     ENETUNREACH
 *   RESET                   ECONNRESET       EPIPE, ECONNABORTED
 *   ADDRESS_IN_USE          EADDRINUSE
 *   ADDRESS_LOST            ENETRESET
 *   ADDRESS_NOT_AVAILABLE   EADDRNOTAVAIL
 *   NOT_FOUND               ENOENT
 *   NO_DATA                 ENODATA
 *   SERVER_FAILURE          EREMOTEIO
 *   SERVER_REFUSED          EBADRQC
 *   MALFORMED_ANSWER        EBADMSG
 *   UNAVAILABLE             ENOPKG
 *   NOT_SUBSET              EDOM
 *   LIMIT                   ENOBUFS          ENOMEM, EMFILE, ENFILE, ENOSPC, ETOOMANYREFS
 *   SHUTTING_DOWN           ESHUTDOWN
 *   CONFLICT                EBUSY            EALREADY, EEXIST, EPROTONOSUPPORT (the mode is another)
 *   NOT_PERMITTED           EPERM
 *   DESCRIPTOR              EBADR
 *   TOO_LARGE               EMSGSIZE         E2BIG
 *   INTERNAL                EIO              everything else
 *
 * UNSPECIFIED, and a code of a newer daemon, read as EIO. Three rooms give an errno a meaning of their own, which the
 * kind that calls them translates before it comes here: names/ (ECONNREFUSED: the server refused; EADDRNOTAVAIL: no
 * servers), authority/ (EPERM: not a subset), and the codec (EBADMSG: the client's bytes, which rpc calls MALFORMED).
 */
#include "proto/codec.h"

#include <errno.h>

Capnet__ErrorCode error_code_from_errno(int error) {
  switch (error < 0 ? -error : error) {
  case EINVAL:
  case EPROTO: return CAPNET__ERROR_CODE__ERROR_MALFORMED;
  case ENOSYS: return CAPNET__ERROR_CODE__ERROR_UNKNOWN_METHOD;
  case EACCES:
  case ERANGE: return CAPNET__ERROR_CODE__ERROR_DENIED;
  case EKEYREVOKED: return CAPNET__ERROR_CODE__ERROR_REVOKED;
  case EKEYEXPIRED: return CAPNET__ERROR_CODE__ERROR_EXPIRED;
  case EDQUOT: return CAPNET__ERROR_CODE__ERROR_OVER_BUDGET;
  case ECANCELED: return CAPNET__ERROR_CODE__ERROR_CANCELLED;
  case ETIME: return CAPNET__ERROR_CODE__ERROR_DEADLINE;
  case ENONET:
  case ENETDOWN: return CAPNET__ERROR_CODE__ERROR_NO_CONFIGURATION;
  case ECONNREFUSED: return CAPNET__ERROR_CODE__ERROR_REFUSED;
  case ETIMEDOUT: return CAPNET__ERROR_CODE__ERROR_TIMED_OUT;
  case EHOSTUNREACH:
  case ENETUNREACH: return CAPNET__ERROR_CODE__ERROR_UNREACHABLE;
  case ECONNRESET:
  case EPIPE:
  case ECONNABORTED: return CAPNET__ERROR_CODE__ERROR_RESET;
  case EADDRINUSE: return CAPNET__ERROR_CODE__ERROR_ADDRESS_IN_USE;
  case ENETRESET: return CAPNET__ERROR_CODE__ERROR_ADDRESS_LOST;
  case EADDRNOTAVAIL: return CAPNET__ERROR_CODE__ERROR_ADDRESS_NOT_AVAILABLE;
  case ENOENT: return CAPNET__ERROR_CODE__ERROR_NOT_FOUND;
  case ENODATA: return CAPNET__ERROR_CODE__ERROR_NO_DATA;
  case EREMOTEIO: return CAPNET__ERROR_CODE__ERROR_SERVER_FAILURE;
  case EBADRQC: return CAPNET__ERROR_CODE__ERROR_SERVER_REFUSED;
  case EBADMSG: return CAPNET__ERROR_CODE__ERROR_MALFORMED_ANSWER;
  case ENOPKG: return CAPNET__ERROR_CODE__ERROR_UNAVAILABLE;
  case EDOM: return CAPNET__ERROR_CODE__ERROR_NOT_SUBSET;
  case ENOBUFS:
  case ENOMEM:
  case EMFILE:
  case ENFILE:
  case ENOSPC:
  case ETOOMANYREFS: return CAPNET__ERROR_CODE__ERROR_LIMIT;
  case ESHUTDOWN: return CAPNET__ERROR_CODE__ERROR_SHUTTING_DOWN;
  case EBUSY:
  case EALREADY:
  case EEXIST:
  case EPROTONOSUPPORT: return CAPNET__ERROR_CODE__ERROR_CONFLICT;
  case EPERM: return CAPNET__ERROR_CODE__ERROR_NOT_PERMITTED;
  case EBADR: return CAPNET__ERROR_CODE__ERROR_DESCRIPTOR;
  case EMSGSIZE:
  case E2BIG: return CAPNET__ERROR_CODE__ERROR_TOO_LARGE;
  default: return CAPNET__ERROR_CODE__ERROR_INTERNAL; /* errno has no end; the codes do */
  }
}

struct row {
  int error;
  const char *name, *sentence;
};

static struct row row_of(Capnet__ErrorCode code) {
#define ROW(c, e, text) \
  case CAPNET__ERROR_CODE__ERROR_##c: return (struct row){e, #c, text}
  switch (code) {
    ROW(UNSPECIFIED, EIO, "the daemon gave no reason");
    ROW(MALFORMED, EINVAL, "the request is malformed");
    ROW(UNKNOWN_METHOD, ENOSYS, "this kind of capability has no such method");
    ROW(DENIED, EACCES, "the rights do not cover it");
    ROW(REVOKED, EKEYREVOKED, "the capability was revoked");
    ROW(EXPIRED, EKEYEXPIRED, "the capability has expired");
    ROW(OVER_BUDGET, EDQUOT, "a budget is used up");
    ROW(CANCELLED, ECANCELED, "the call was cancelled");
    ROW(DEADLINE, ETIME, "the deadline of the call passed");
    ROW(NO_CONFIGURATION, ENONET, "the network has no configuration");
    ROW(REFUSED, ECONNREFUSED, "the peer refused the connection");
    ROW(TIMED_OUT, ETIMEDOUT, "the peer did not answer in time");
    ROW(UNREACHABLE, EHOSTUNREACH, "the destination is unreachable");
    ROW(RESET, ECONNRESET, "the connection was reset");
    ROW(ADDRESS_IN_USE, EADDRINUSE, "the address and port are in use");
    ROW(ADDRESS_LOST, ENETRESET, "the interface lost its address");
    ROW(ADDRESS_NOT_AVAILABLE, EADDRNOTAVAIL, "no interface has this address");
    ROW(NOT_FOUND, ENOENT, "there is no such name or object");
    ROW(NO_DATA, ENODATA, "the name has no record of this type");
    ROW(SERVER_FAILURE, EREMOTEIO, "the name server failed");
    ROW(SERVER_REFUSED, EBADRQC, "the name server refused the query");
    ROW(MALFORMED_ANSWER, EBADMSG, "the name server's answer is malformed");
    ROW(UNAVAILABLE, ENOPKG, "the service is not available");
    ROW(NOT_SUBSET, EDOM, "more was asked for than the parent has");
    ROW(LIMIT, ENOBUFS, "the daemon is at a limit of its own");
    ROW(SHUTTING_DOWN, ESHUTDOWN, "the daemon is shutting down");
    ROW(CONFLICT, EBUSY, "the present state does not allow it");
    ROW(NOT_PERMITTED, EPERM, "you may not take this grant");
    ROW(DESCRIPTOR, EBADR, "a request may not carry descriptors");
    ROW(TOO_LARGE, EMSGSIZE, "the message is too large");
    ROW(INTERNAL, EIO, "internal error of the daemon");
  case _CAPNET__ERROR_CODE_IS_INT_SIZE: break;
  }
#undef ROW
  return (struct row){EIO, "UNKNOWN", "an error that this version does not know"};
}

int error_code_to_errno(Capnet__ErrorCode code) { return row_of(code).error; }
const char *error_code_name(Capnet__ErrorCode code) { return row_of(code).name; }
const char *error_code_sentence(Capnet__ErrorCode code) { return row_of(code).sentence; }
